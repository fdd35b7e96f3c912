//! The steps of the batch script before the task, and its exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use slurm::error::JobErrorKind;
use slurm::{
    BackendKind, Cluster, ClusterBuilder, Error, Job, JobContext, JobError, Requeue, Workflow,
};

use crate::common::{Site, error_of, result_of};
use crate::slurm::command_answers::{with_wrappers, wrapper};
use crate::tasks::*;

trials![
    all a_line_of_setup_that_fails_ends_the_job,
    all lines_of_setup_are_for_bash,
    both a_shell_can_be_chosen,
    all a_program_that_cannot_run_is_told_at_once,
    all a_process_that_exits_is_told_at_once,
    both a_working_directory_that_is_not_there_is_told,
    slurm a_working_directory_may_vanish_before_the_start,
    all a_task_may_have_lines_and_variables,
    slurm variables_reach_all_processes_whatever_is_exported,
    both as_many_processes_start_as_slurm_counts,
    slurm a_task_count_that_nobody_knew_of_loses_nothing,
];

/// Long enough for a loaded machine, and shorter than the time for which a file server may hide a result.
const SOON: Duration = Duration::from_secs(55);

fn with(site: &Site, change: impl FnOnce(ClusterBuilder) -> ClusterBuilder) -> Cluster {
    change(site.builder().job_base_dir(site.base.path()).local_cpus(4)).build().unwrap()
}

/// The errors of jobs, each of which has to appear soon.
fn soon<T: std::fmt::Debug>(jobs: &[Job<T>]) -> Vec<JobError> {
    let mut errors = Vec::new();
    for job in jobs {
        let waits = Instant::now();
        errors.push(error_of(job));
        assert!(waits.elapsed() < SOON, "{:?} for {:?}", waits.elapsed(), errors.last());
    }
    errors
}

fn a_line_of_setup_that_fails_ends_the_job(site: &Site) {
    let lines = [
        ("modul load x", "exit code 127"),
        ("false", "exit code 1"),
        ("cd /nonexistent && true", "exit code"),
        (". /nonexistent/file", "exit code"),
        ("exit 0", "exit code 0"),
        ("if true; then", "exit code"),
        ("true; (exit 7)", "exit code 7"),
    ];
    let submit = |(line, _): &(&str, &str)| {
        let cluster =
            with(site, |builder| builder.setup("true").setup("false || true").setup(*line));
        add::job(1, 2).submit(&cluster).unwrap()
    };
    let jobs: Vec<_> = lines.iter().map(submit).collect();
    for (error, (line, code)) in soon(&jobs).iter().zip(lines) {
        let text = error.to_string();
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{text}");
        let named = format!("started: line 3 of `setup`, `{line}`, ended with {code}");
        assert!(text.contains(&named), "{named:?} in {text}");
    }
    assert!(error_of(&jobs[0]).hint().unwrap().contains("login = true"));
    assert!(error_of(&jobs[1]).hint().unwrap().contains("|| true"));
    // Two processes, and the elements of an array.
    let cluster = with(site, |builder| builder.setup("(exit 3)"));
    let job = add::job(1, 2).ntasks(2).submit(&cluster).unwrap();
    let error = soon(std::slice::from_ref(&job)).remove(0);
    assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
    assert!(error.to_string().contains("`(exit 3)`, ended with exit code 3"), "{error}");
    let waits = Instant::now();
    let array = square::map(0..2).submit(&cluster).unwrap();
    for item in array.try_results().unwrap() {
        let Err(Error::Job(error)) = item else { panic!("{item:?}") };
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
        assert!(error.to_string().contains("ended with exit code 3"), "{error}");
    }
    assert!(waits.elapsed() < SOON, "{:?}", waits.elapsed());
}

fn lines_of_setup_are_for_bash(site: &Site) {
    // As `conda activate` and `module load` are: functions that change the shell itself.
    let functions = site.path("functions");
    let text = "function tool() {\n  local -a words=(\"$@\")\n  [[ ${words[0]} == activate ]] || return 4\n  \
                export TOOL=\"${words[1]}\"\n}\n";
    fs::write(&functions, text).unwrap();
    let source = format!("source {}", functions.display());
    let cluster = with(site, |builder| {
        builder
            .env("GREETING", "it's $HOME")
            .setup(source.as_str())
            .setup("tool activate '3.1'\nexport SECOND=\"$TOOL $GREETING\"")
            .setup("set -eu")
            .setup("unset NOTHING; cd /")
    });
    let expected = Some("3.1 it's $HOME".to_owned());
    let jobs = [
        variable::job("SECOND").submit(&cluster).unwrap(),
        variable::job("SECOND").ntasks(2).submit(&cluster).unwrap(),
    ];
    for job in &jobs {
        assert_eq!(result_of(job), expected);
        assert_eq!(job.stderr().unwrap(), "", "nothing is said about lines that end well");
    }
    let array = variable::map(["SECOND", "TOOL"]).submit(&cluster).unwrap();
    assert_eq!(array.results().unwrap(), [expected, Some("3.1".to_owned())]);
}

fn a_shell_can_be_chosen(site: &Site) {
    let shell = |shell: &str| {
        let cluster = with(site, |builder| {
            builder.shell(shell).setup("export WHICH=\"${BASH_VERSION:+bash} ${0##*/} $-\"")
        });
        variable::job("WHICH").submit(&cluster).unwrap()
    };
    let (dash, bash, missing) = (shell("dash"), shell("/bin/bash"), shell("nosuchshell"));
    assert!(!result_of(&dash).unwrap().contains("bash"));
    assert!(result_of(&bash).unwrap().starts_with("bash "));
    let error = error_of(&missing);
    assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
    assert!(error.to_string().contains("the shell `nosuchshell` is not on"), "{error}");
    // A login shell reads the profile.
    let home = site.path("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".profile"), "tool() { TOOL=$1; export TOOL; }\n").unwrap();
    let profile = |login| {
        let slurmfile = site.path(if login { "login" } else { "plain" });
        let text = format!("[default]\nlogin = {login}\nsetup = ['tool 7']\n");
        fs::write(&slurmfile, text).unwrap();
        crate::roles::run(site, "variable", "TOOL", |command| {
            command.env("HOME", &home).env("SLURMFILE", &slurmfile);
        })
    };
    assert_eq!(profile(true), "Ok(Some(\"7\"))");
    assert!(profile(false).contains("login = true"));
}

fn program(site: &Site, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = site.path(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn a_program_that_cannot_run_is_told_at_once(site: &Site) {
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
        // Most of a program that was built for debugging is never loaded.
        ("truncated", &own[..own.len().min(1 << 20)], "exit code"),
    ];
    // Over SSH the file is looked at before it goes up; only what looks sound gets there.
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
    assert!(error_of(job).to_string().contains("GLIBC_2.99"), "the loader's own words are there");
    // Two processes, and an array.
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

fn a_process_that_exits_is_told_at_once(site: &Site) {
    let codes = [0, 1, 7];
    let jobs = codes.map(|code| exit_with::job(code).submit(&site.cluster).unwrap());
    for (error, code) in soon(&jobs).iter().zip(codes) {
        assert_eq!(
            (&error.kind, error.job.exit_code),
            (&JobErrorKind::Crashed, Some(code)),
            "{error}"
        );
    }
    // One of several: the first, or another one after the first has returned.
    for rank in [0, 1] {
        let job = exit_in::job(rank).ntasks(2).submit(&site.cluster).unwrap();
        if rank == 0 || site.kind != BackendKind::Local {
            assert_eq!(soon(&[job])[0].kind, JobErrorKind::Crashed, "process {rank}");
        }
    }
    // In an array the items of the element that were not made have died, and the others have their values.
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

fn a_working_directory_that_is_not_there_is_told(site: &Site) {
    let missing = site.path("not there");
    let missing = missing.to_str().unwrap();
    let jobs = [
        variable::job("PWD").set("chdir", missing).submit(&site.cluster).unwrap(),
        variable::job("PWD").set("chdir", missing).ntasks(2).submit(&site.cluster).unwrap(),
    ];
    for error in soon(&jobs) {
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
        assert!(error.to_string().contains("not there"), "{error}");
        assert!(error.hint().unwrap().contains("chdir"), "{:?}", error.hint());
    }
    let array = variable::map(["PWD"]).set("chdir", missing).submit(&site.cluster).unwrap();
    let Err(Error::Job(error)) = array.try_results().unwrap().remove(0) else { panic!() };
    assert!(error.to_string().contains("not there"), "{error}");
    // One that is there is the one that the task runs in.
    fs::create_dir(missing).unwrap();
    let job = variable::job("PWD").set("chdir", missing).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job).as_deref(), Some(missing));
}

fn a_working_directory_may_vanish_before_the_start(site: &Site) {
    let dir = site.path("vanishing");
    fs::create_dir(&dir).unwrap();
    let text = dir.to_str().unwrap();
    let raw = format!("-D{text}");
    let jobs = [
        variable::job("PWD").set("chdir", text).set("hold", true).submit(&site.cluster).unwrap(),
        variable::job("PWD").extra_flag(raw).set("hold", true).submit(&site.cluster).unwrap(),
    ];
    fs::remove_dir(&dir).unwrap();
    for job in &jobs {
        site.cluster.command(["scontrol", "release", &job.id().to_string()]).unwrap();
    }
    for error in soon(&jobs) {
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

fn a_task_may_have_lines_and_variables(site: &Site) {
    let cluster = with(site, |builder| {
        builder.env("SHARED", "cluster").env("OF_CLUSTER", "1").setup("export LINES=cluster")
    });
    let text = |values: Vec<Option<String>>| {
        values.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|")
    };
    let job = prepared::job().submit(&cluster).unwrap();
    assert_eq!(text(result_of(&job)), "task|1|cluster it's the task's||");
    let call = || {
        prepared::job()
            .env("SHARED", "call")
            .env("OF_CALL", "$2")
            .setup("export MORE=\"$LINES $OF_CALL\"")
    };
    for job in [call(), call().ntasks(2)] {
        let job = job.submit(&cluster).unwrap();
        assert_eq!(
            text(result_of(&job)),
            "call|1|cluster it's the task's|$2|cluster it's the task's $2"
        );
        let explained = job.explain().unwrap();
        assert_eq!(explained.setup.len(), 3, "{explained}");
        assert!(explained.to_string().contains("variable   OF_CALL = $2"), "{explained}");
    }
    // Problems are reported before anything is submitted.
    let error = prepared::job().env("2X", "").setup("a\0b").submit(&cluster).unwrap_err();
    assert!(error.to_string().contains("`2X`") && error.to_string().contains("NUL"), "{error}");
    let failing = prepared::job().setup("(exit 9)").submit(&cluster).unwrap();
    let error = error_of(&failing);
    assert!(
        error.to_string().contains("line 3 of `setup`, `(exit 9)`, ended with exit code 9"),
        "{error}"
    );
    // An array keeps them when it is tried again.
    let marker = site.path("marker");
    let calls = (0..2).map(|_| marker.clone());
    let array = once_marked::map(calls).env("OF_CALL", "kept").submit(&cluster).unwrap();
    assert!(array.try_results().unwrap().iter().all(Result::is_err));
    fs::write(&marker, "").unwrap();
    array.retry_failed().unwrap();
    assert_eq!(array.results().unwrap(), ["kept cluster", "kept cluster"]);
    // A workflow passes the settings for every job on.
    let flow = submits_prepared::job().submit(&cluster).unwrap();
    assert_eq!(result_of(&flow), "task|1|cluster it's the task's||");
}

fn variables_reach_all_processes_whatever_is_exported(site: &Site) {
    let cluster = with(site, |builder| {
        builder.env("GREETING", "hi").setup("export LOADED=\"$GREETING yes\"")
    });
    let mut jobs = Vec::new();
    for export in [None, Some("ALL"), Some("NONE"), Some("HOME")] {
        for tasks in [1, 2] {
            for name in ["GREETING", "LOADED"] {
                let job = variable::job(name).ntasks(tasks);
                let job = match export {
                    Some(export) => job.set("export", export),
                    None => job.extra_flag("--export=NONE"),
                };
                jobs.push((format!("{export:?} {tasks}"), name, job.submit(&cluster).unwrap()));
            }
        }
    }
    for (case, name, job) in jobs {
        let expected = if name == "GREETING" { "hi" } else { "hi yes" };
        assert_eq!(result_of(&job).as_deref(), Some(expected), "{case} {name}");
    }
    let array =
        variable::map(["GREETING", "LOADED"]).ntasks(2).set("export", "NONE").submit(&cluster);
    let values = array.unwrap().results().unwrap();
    assert_eq!(values, [Some("hi".to_owned()), Some("hi yes".to_owned())]);
}

fn as_many_processes_start_as_slurm_counts(site: &Site) {
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
        // Two nodes and one process, as the options ask.
        jobs.push(count(1, "listed", &|folder| {
            ranks::job(folder).set("nodelist", "n1,n2").submit(cluster).unwrap()
        }));
        // The number of nodes shows when it starts.
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

fn a_task_count_that_nobody_knew_of_loses_nothing(site: &Site) {
    // As a plugin of the site does it.
    let dir = wrapper(site, "sbatch", "exec \"$real\" --ntasks=2 \"$@\"");
    let seen = with_wrappers(site, "alone", &dir);
    assert_eq!(seen, "Ok(1) [0, 1, 4] Ok(2) warned");
}

/// Asks for another run once.
#[slurm::task(time = "5:00")]
fn run_twice(ctx: &JobContext) -> Result<u32, Requeue> {
    match ctx.restart_count() {
        0 => Err(Requeue::new()),
        count => Ok(count + 1),
    }
}

/// Tells the variables that its lines and those of the cluster and the call have made.
#[slurm::task(
    time = "5:00",
    setup = ["export LINES=\"${LINES-} $OF_TASK\""],
    env = { OF_TASK = "it's the task's", SHARED = "task" }
)]
fn prepared() -> Vec<Option<String>> {
    ["SHARED", "OF_CLUSTER", "LINES", "OF_CALL", "MORE"].map(|name| std::env::var(name).ok()).into()
}

/// Fails until the file is there.
#[slurm::task(time = "5:00")]
fn once_marked(marker: std::path::PathBuf) -> Result<String, String> {
    if !marker.exists() {
        return Err("not yet".to_owned());
    }
    let variable = |name| std::env::var(name).unwrap_or_default();
    Ok(format!("{} {}", variable("OF_CALL"), variable("LINES")))
}

#[slurm::workflow(time = "5:00")]
fn submits_prepared(flow: &Workflow) -> slurm::Result<String> {
    let values = prepared::job().submit(flow)?.result()?;
    Ok(values.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|"))
}

/// One process ends with exit code 0, the others return.
#[slurm::task(time = "5:00")]
fn exit_in(ctx: &JobContext, rank: usize) {
    if ctx.rank() == rank {
        std::process::exit(0);
    }
}

/// Ends the process with exit code 0 if `n` is the number to end at, else returns it.
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
    let warned = job.stderr().unwrap().contains("made room for 2 tasks");
    let (values, again) = (array.results().unwrap(), again.result());
    println!("{size:?} {values:?} {again:?} {}", if warned { "warned" } else { "silent" });
}
