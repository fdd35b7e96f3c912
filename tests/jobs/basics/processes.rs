//! The processes of a job: programs that cannot run, processes that exit, and the number of processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use slurm::error::JobErrorKind;
use slurm::{BackendKind, Cluster, Error, Job, JobContext, Requeue};

use crate::basics::batch_script::{SOON, soon, with};
use crate::common::{Site, error_of, result_of};
use crate::slurm::command_answers::{with_wrappers, wrapper};
use crate::tasks::*;

trials![
    all a_program_that_cannot_run_is_reported_at_once,
    all a_process_that_exits_is_reported_at_once,
    both the_number_of_processes_is_slurms_number_of_tasks,
    slurm an_unexpected_task_count_loses_no_result,
];

fn program(site: &Site, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = site.path(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn a_program_that_cannot_run_is_reported_at_once(site: &Site) {
    let own = fs::read("/proc/self/exe").unwrap();
    let glibc = "#!/bin/sh\necho \"$0: /lib/libc.so.6: version \\`GLIBC_2.99' not found (required by $0)\" >&2\nexit 1\n";
    let programs: [(&str, &[u8], &str); 6] = [
        ("glibc", glibc.as_bytes(), "exit code 1"),
        ("cpu", b"#!/bin/sh\nkill -ILL $$\n", "exit code 132"),
        (
            "library",
            b"#!/bin/sh\necho 'error while loading shared libraries: libx.so' >&2\nexit 127\n",
            "exit code 127",
        ),
        ("loader", b"#!/no/such/loader\n", "exit code 127"),
        ("other", b"#!/bin/sh\nexit 0\n", "exit code 0"),
        // Most of a program with debug information is never loaded.
        ("truncated", &own[..own.len().min(1 << 20)], "exit code"),
    ];
    // Over SSH the file is checked before the upload, so only the other programs get there.
    let remote = site.kind == BackendKind::Ssh;
    let programs = programs.into_iter().filter(|(name, ..)| !remote || *name != "truncated");
    let submitted: Vec<_> = programs
        .map(|(name, content, code)| {
            let path = program(site, name, content);
            let cluster = with(site, |builder| builder.runner_binary(path));
            (name, code, add::job(1, 2).submit(&cluster).unwrap())
        })
        .collect();
    for (name, code, job) in &submitted {
        let error = soon(std::slice::from_ref(job)).remove(0);
        let text = error.to_string();
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{text}");
        assert!(text.contains(name) && text.contains("cannot run on"), "{text}");
        assert!(text.contains(code), "{text}");
        assert!(error.hint().unwrap().contains("cargo zigbuild"), "{:?}", error.hint());
    }
    let (.., job) = &submitted[0];
    assert!(error_of(job).to_string().contains("GLIBC_2.99"), "the error has the loader's message");
    // The same for a job of two processes and for an array.
    let path = site.path("glibc");
    let cluster = with(site, |builder| builder.runner_binary(path));
    let several = add::job(1, 2).ntasks(2).submit(&cluster).unwrap();
    assert_eq!(soon(&[several])[0].kind, JobErrorKind::NotStarted);
    let waits = Instant::now();
    let array = square::map(0..2).submit(&cluster).unwrap();
    for item in array.try_results().unwrap() {
        let Err(Error::Job(error)) = item else { panic!("{item:?}") };
        assert!(error.to_string().contains("cannot run on"), "{error}");
    }
    assert!(waits.elapsed() < SOON, "{:?}", waits.elapsed());
}

fn a_process_that_exits_is_reported_at_once(site: &Site) {
    let codes = [0, 1, 7];
    let jobs = codes.map(|code| exit_with::job(code).submit(&site.cluster).unwrap());
    for (error, code) in soon(&jobs).iter().zip(codes) {
        assert_eq!(
            (&error.kind, error.job.exit_code),
            (&JobErrorKind::Crashed, Some(code)),
            "{error}"
        );
    }
    // One of several processes exits: the first one, or another one after the first has returned.
    for rank in [0, 1] {
        let job = exit_in::job(rank).ntasks(2).submit(&site.cluster).unwrap();
        assert_eq!(soon(&[job])[0].kind, JobErrorKind::Crashed, "process {rank}");
    }
    // In an array the unfinished items of the element have crashed, and the others have their values.
    let waits = Instant::now();
    let array = exit_zero_at::map((0..6).map(|n| (n, 4))).chunk(3).submit(&site.cluster).unwrap();
    let items = array.try_results().unwrap();
    let good: Vec<_> = items.iter().filter_map(|item| item.as_ref().ok()).copied().collect();
    assert_eq!(good, [0, 1, 2, 3]);
    for item in items.into_iter().filter_map(Result::err) {
        let Error::Job(error) = item else { panic!("{item:?}") };
        assert_eq!(error.kind, JobErrorKind::Crashed, "{error}");
    }
    assert!(waits.elapsed() < SOON, "{:?}", waits.elapsed());
}

fn the_number_of_processes_is_slurms_number_of_tasks(site: &Site) {
    let count = |tasks: usize, name: &str, set: &dyn Fn(&Path) -> Job<Vec<usize>>| {
        let folder = site.path(name);
        fs::create_dir(&folder).unwrap();
        (tasks, name.to_owned(), set(&folder))
    };
    let cluster = &site.cluster;
    let mut jobs = vec![
        count(2, "per gpu", &|folder| {
            let job = ranks::job(folder).set("gpus", 2).set("ntasks_per_gpu", 1);
            job.submit(cluster).unwrap()
        }),
        count(2, "gpus per task", &|folder| {
            ranks::job(folder).set("gpus", 2).set("gpus_per_task", 1).submit(cluster).unwrap()
        }),
        count(2, "raw", &|folder| {
            ranks::job(folder).extra_flag("--ntasks=2").submit(cluster).unwrap()
        }),
        count(2, "short", &|folder| ranks::job(folder).extra_flag("-n2").submit(cluster).unwrap()),
        count(1, "one", &|folder| ranks::job(folder).ntasks(1).submit(cluster).unwrap()),
    ];
    if site.kind == BackendKind::Slurm {
        jobs.push(count(4, "per node", &|folder| {
            let job = ranks::job(folder).set("nodes", 2).set("gpus_per_node", 2);
            job.set("ntasks_per_gpu", 1).submit(cluster).unwrap()
        }));
        jobs.push(count(2, "layout", &|folder| {
            ranks::job(folder).set("extra_node_info", "2").submit(cluster).unwrap()
        }));
        // The options ask for two nodes and one process.
        jobs.push(count(1, "listed", &|folder| {
            ranks::job(folder).set("nodelist", "n1,n2").submit(cluster).unwrap()
        }));
        // The number of nodes is known only at the start.
        jobs.push(count(2, "range", &|folder| {
            ranks::job(folder).set("nodes", "2-3").submit(cluster).unwrap()
        }));
    }
    for (tasks, name, job) in jobs {
        let seen = result_of(&job);
        assert!(seen.len() >= tasks && (tasks > 1 || seen.len() == 1), "{name}: {seen:?}");
    }
    let array = square::map(0..3).extra_flag("--ntasks=2").submit(cluster).unwrap();
    assert_eq!(array.results().unwrap(), [0, 1, 4]);
}

fn an_unexpected_task_count_loses_no_result(site: &Site) {
    // A plugin of the site may do this.
    let dir = wrapper(site, "sbatch", "exec \"$real\" --ntasks=2 \"$@\"");
    let seen = with_wrappers(site, "alone", &dir);
    assert_eq!(seen, "Ok(1) [0, 1, 4] Ok(2) warned");
}

/// Asks once for another run.
#[slurm::task(time = "5:00")]
fn run_twice(ctx: &JobContext) -> Result<u32, Requeue> {
    match ctx.restart_count() {
        0 => Err(Requeue::new()),
        count => Ok(count + 1),
    }
}

/// One process ends with exit code 0, the others return.
#[slurm::task(time = "5:00")]
fn exit_in(ctx: &JobContext, rank: usize) {
    if ctx.rank() == rank {
        std::process::exit(0);
    }
}

/// Ends the process with exit code 0 if `n` is `end`, otherwise returns `n`.
#[slurm::task(time = "5:00")]
fn exit_zero_at(n: i64, end: i64) -> i64 {
    if n == end {
        std::process::exit(0);
    }
    n
}

/// The roles of other processes in these tests.
pub(crate) fn play(role: &str, argument: &str, cluster: &Cluster) {
    if role == "variable" {
        match variable::job(argument).submit(cluster).and_then(|job| job.result()) {
            Err(error) => println!("{error} {:?}", error.hint()),
            value => println!("{value:?}"),
        }
        return;
    }
    let job = look_around::job().submit(cluster).unwrap();
    let again = run_twice::job().submit(cluster).unwrap();
    let array = square::map(0..3).submit(cluster).unwrap();
    let size = job.result().map(|seen| seen.world_size);
    let warned = job.stderr().unwrap().contains("allocated 2 tasks");
    let (values, again) = (array.results().unwrap(), again.result());
    println!("{size:?} {values:?} {again:?} {}", if warned { "warned" } else { "silent" });
}
