//! Warnings before the time limit that come before the runner can handle them.

use std::time::Duration;

use slurm::{BackendKind, Cluster, ClusterBuilder, Error, Job, JobContext, OnTimeout, Requeue};

use crate::common::{PATIENCE, Site};

trials![
    both a_warning_during_setup_reaches_the_task,
    slurm a_warning_that_no_shell_can_note_reaches_the_task,
];

/// Waits in its first run until it is asked to stop, and asks for another run.
#[slurm::task]
fn stop_when_told(ctx: &JobContext) -> Result<u32, Requeue> {
    while ctx.restart_count() == 0 {
        if ctx.stop_requested() {
            return Err(Requeue::because("it was warned"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(ctx.restart_count())
}

/// Ignores the stop flag, and works in its first run for longer than its limit.
#[slurm::task]
fn work_blindly(ctx: &JobContext) -> u32 {
    if ctx.restart_count() == 0 {
        std::thread::sleep(Duration::from_secs(300));
    }
    ctx.restart_count()
}

/// Returns a cluster whose jobs run `line` before the task in their first run.
fn in_first_run(
    site: &Site,
    line: &str,
    change: impl FnOnce(ClusterBuilder) -> ClusterBuilder,
) -> Cluster {
    let line = format!("[ \"${{SLURM_RESTART_COUNT:-0}}\" != 0 ] || {{ {line}; }}");
    let builder = site.builder().job_base_dir(site.base.path()).local_cpus(4).setup(line);
    change(builder).build().unwrap()
}

fn assert_ran_twice(job: &Job<u32>) {
    let ran = loop {
        match job.result_timeout(PATIENCE) {
            // Slurm checks time limits every half minute.
            Err(Error::StillRunning { .. }) => {}
            other => break other,
        }
    };
    assert_eq!(ran.unwrap(), 1, "stderr: {:?}\nscript: {:?}", job.stderr(), job.script());
}

fn a_warning_during_setup_reaches_the_task(site: &Site) {
    // On Slurm the warning may come at any moment from the start on.
    let (limit, command) = match site.kind {
        BackendKind::Local => (20, "sleep 11"),
        _ => (60, "sleep 1"),
    };
    let limit = Duration::from_secs(limit);
    let line = format!("{command}; while [ -z \"${{SLURM_SDK_WARNED-}}\" ]; do sleep 0.1; done");
    let cluster = in_first_run(site, &line, |builder| builder);
    let watching =
        stop_when_told::job().time(limit).on_timeout(OnTimeout::Requeue).submit(&cluster);
    let blind = work_blindly::job().time(limit).on_timeout(OnTimeout::Requeue).submit(&cluster);
    assert_ran_twice(&watching.unwrap());
    assert_ran_twice(&blind.unwrap());
}

/// A login shell and its children ignore the signal while it reads its files. The steps of srun, to which Slurm
/// sends the signal, do not exist yet.
fn a_warning_that_no_shell_can_note_reaches_the_task(site: &Site) {
    let limit = Duration::from_secs(60);
    let login = in_first_run(site, "sleep 35", |builder| builder.login(true));
    let plain = in_first_run(site, "sleep 35", |builder| builder);
    let jobs = [
        stop_when_told::job().time(limit).on_timeout(OnTimeout::Requeue).submit(&login).unwrap(),
        stop_when_told::job()
            .time(limit)
            .on_timeout(OnTimeout::Requeue)
            .ntasks(2)
            .submit(&plain)
            .unwrap(),
    ];
    jobs.iter().for_each(assert_ran_twice);
}
