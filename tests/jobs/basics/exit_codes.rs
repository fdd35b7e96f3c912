//! The exit codes of tasks that end their process by themselves.

use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{Error, JobContext, JobError, Requeue};

use crate::basics::batch_script::{soon, with};
use crate::common::Site;

trials![
    all the_exit_code_of_the_process_that_failed_first_is_reported,
    all a_task_may_exit_with_a_code_of_the_library,
    all an_exit_that_no_handler_sees_is_reported_at_once,
    both a_second_run_that_is_not_started_is_reported,
    both a_second_run_that_cannot_read_its_spec_is_reported,
];

/// The codes are the ones after an outcome.
fn an_exit_that_no_handler_sees_is_reported_at_once(site: &Site) {
    let ends = [End::Exec(0), End::Exec(121)];
    let jobs = ends.map(|end| end_in::job(0, end).submit(&site.cluster).unwrap());
    for (error, end) in soon(&jobs).iter().zip(ends) {
        assert_exited(error, end.code(), &format!("{end:?}"));
    }
}

/// Checks that a call ended its process with this exit code.
fn assert_exited(error: &JobError, code: i32, case: &str) {
    let found = (&error.kind, error.job.exit_code);
    assert_eq!(found, (&JobErrorKind::Crashed, Some(code)), "{case}: {error}");
    let text = error.to_string();
    assert!(text.lines().next().unwrap().ends_with(&format!("exit code {code}")), "{case}: {text}");
}

fn the_exit_code_of_the_process_that_failed_first_is_reported(site: &Site) {
    let cluster = &site.cluster;
    let ends: Vec<End> = [End::Exit(7), End::Exit(11), End::Exec(9), End::Exit(200)].into();
    let jobs: Vec<_> = ends
        .iter()
        .flat_map(|end| [0, 1].map(|rank| (*end, rank)))
        .map(|(end, rank)| {
            let job = end_in::job(rank, end).ntasks(2).submit(cluster).unwrap();
            (format!("process {rank} {end:?}"), end.code(), job)
        })
        .collect();
    let items = ends.iter().map(|end| (1, *end));
    let array = end_in::map(items).ntasks(2).submit(cluster).unwrap();
    for (case, code, job) in &jobs {
        assert_exited(&soon(std::slice::from_ref(job))[0], *code, case);
    }
    for (item, end) in array.try_results().unwrap().into_iter().zip(&ends) {
        let Err(Error::Job(error)) = item else { panic!("{end:?}: {item:?}") };
        assert_exited(&error, end.code(), &format!("{end:?}"));
    }
    // A process that ends with 0 has failed too; otherwise the other one would wait for it without end.
    for end in [End::Exit(0), End::Exec(0)] {
        let job = end_in::job(1, end).ntasks(2).submit(cluster).unwrap();
        let error = soon(&[job]).remove(0);
        assert_eq!(error.kind, JobErrorKind::Crashed, "{end:?}: {error}");
        assert!(error.to_string().contains("before the task had returned"), "{end:?}: {error}");
    }
}

fn a_task_may_exit_with_a_code_of_the_library(site: &Site) {
    let cluster = &site.cluster;
    let codes = [110, 113, 116, 117, 118, 119, 121];
    let exits = codes.map(|code| (End::Exit(code), 1));
    // No handler of `exit` runs here, so only earlier notes show that the task was reached.
    let execs = [110, 117, 118].map(|code| (End::Exec(code), 1));
    let several = [117, 118].map(|code| (End::Exit(code), 2));
    let ends: Vec<(End, u32)> =
        exits.into_iter().chain(execs).chain(several).chain([(End::Exec(117), 2)]).collect();
    let jobs: Vec<_> = ends
        .iter()
        .map(|(end, tasks)| end_in::job(0, *end).ntasks(*tasks).submit(cluster).unwrap())
        .collect();
    let singles: Vec<End> = ends.iter().filter(|(_, n)| *n == 1).map(|(end, _)| *end).collect();
    let array = end_in::map(singles.iter().map(|end| (0, *end))).submit(cluster).unwrap();
    let several = [End::Exit(117), End::Exec(118)];
    let of_several = end_in::map(several.map(|end| (1, end))).ntasks(2);
    let of_several = of_several.submit(cluster).unwrap();
    for (job, (end, tasks)) in jobs.iter().zip(&ends) {
        let error = soon(std::slice::from_ref(job)).remove(0);
        assert_exited(&error, end.code(), &format!("{end:?} of {tasks}"));
    }
    for (array, ends) in [(&array, &singles[..]), (&of_several, &several[..])] {
        for (item, end) in array.try_results().unwrap().into_iter().zip(ends) {
            let Err(Error::Job(error)) = item else { panic!("{end:?}: {item:?}") };
            assert_exited(&error, end.code(), &format!("item {end:?}"));
        }
    }
}

fn a_second_run_that_is_not_started_is_reported(site: &Site) {
    // The log is elsewhere, and the first run has reached the task.
    let line = "[ \"${SLURM_RESTART_COUNT:-0}\" = 0 ]";
    let cluster = with(site, |builder| builder.setup(line));
    let job = run_twice::job().set("error", "/dev/null").submit(&cluster).unwrap();
    assert_began_before(&soon(&[job]).remove(0));
    let array = run_twice_each::map([0, 1]).ntasks(2).submit(&cluster).unwrap();
    for item in array.try_results().unwrap() {
        let Err(Error::Job(error)) = item else { panic!("{item:?}") };
        assert_began_before(&error);
    }
}

fn a_second_run_that_cannot_read_its_spec_is_reported(site: &Site) {
    let job = spoil_spec::job(0).submit(&site.cluster).unwrap();
    let error = soon(&[job]).remove(0);
    assert_eq!(error.kind, JobErrorKind::Crashed, "{error}");
    let text = error.to_string();
    assert!(text.contains("ended before the task was started again (cannot use"), "{text}");
    let array = spoil_spec::map([0]).submit(&site.cluster).unwrap();
    let Err(Error::Job(error)) = array.try_results().unwrap().remove(0) else { panic!() };
    let found = (&error.kind, error.job.exit_code);
    assert_eq!(found, (&JobErrorKind::Crashed, Some(110)), "{error}");
}

/// Truncates its spec and asks for another run.
#[slurm::task(time = "5:00")]
fn spoil_spec(ctx: &JobContext, left: u64) -> Result<u64, Requeue> {
    let spec = std::fs::File::options().write(true).open(ctx.job_dir().join("spec")).unwrap();
    spec.set_len(20 + left).unwrap();
    Err(Requeue::new())
}

/// A user may submit a `NotStarted` job again without thinking, but the first run may have had effects.
#[track_caller]
fn assert_began_before(error: &JobError) {
    assert_eq!(error.kind, JobErrorKind::Crashed, "{error}");
    let text = error.to_string();
    assert!(text.contains("ended before the task was started again"), "{text}");
    assert!(text.contains("line 1 of `setup`"), "{text}");
    assert!(error.hint().is_some_and(|hint| hint.contains("|| true")), "{:?}", error.hint());
}

/// Asks once for another run.
#[slurm::task(time = "5:00")]
fn run_twice(ctx: &JobContext) -> Result<u32, Requeue> {
    match ctx.restart_count() {
        0 => Err(Requeue::new()),
        count => Ok(count + 1),
    }
}

/// Asks once for another run, in each of several processes.
#[slurm::task(time = "5:00")]
fn run_twice_each(ctx: &JobContext, n: u32) -> Result<u32, Requeue> {
    match ctx.restart_count() {
        0 => Err(Requeue::new()),
        count => Ok(count + n),
    }
}

/// A way in which a process ends by itself.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
enum End {
    /// The usual way; handlers run.
    Exit(i32),
    /// Another program replaces the process, so no handler runs.
    Exec(i32),
}

impl End {
    fn code(self) -> i32 {
        let (Self::Exit(code) | Self::Exec(code)) = self;
        code
    }
}

/// One process ends in the given way; the others wait until they are killed.
#[slurm::task(time = "5:00")]
fn end_in(ctx: &JobContext, rank: usize, end: End) {
    if ctx.rank() != rank {
        std::thread::sleep(Duration::from_secs(600));
    }
    match end {
        End::Exit(code) => std::process::exit(code),
        End::Exec(code) => {
            use std::os::unix::process::CommandExt;
            let mut command = std::process::Command::new("/bin/sh");
            panic!("{}", command.args(["-c", &format!("exit {code}")]).exec());
        }
    }
}
