//! Workflows that are requeued, killed, resumed or reach their time limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{Error, EventKind, Job, JobState, Requeue, Workflow};

use crate::common::{Site, error_of, kind_of, result_of, until};
use crate::embedded::supervisor::kill_supervisor;
use crate::tasks::add;
use crate::workflows::jobs_of_workflows::{
    folder, needs, runs, square, subdir, sum_of_squares, with_need, with_slurmfile,
};

trials![
    both a_killed_workflow_continues_when_resumed,
    both an_array_of_a_workflow_is_submitted_once,
    both a_resumed_workflow_retries_failed_items,
    both a_workflow_resumed_twice_keeps_succeeded_jobs,
    all a_requeued_workflow_runs_no_job_twice,
    all a_resumed_workflow_runs_failed_jobs_again,
    local no_job_runs_twice_wherever_a_workflow_is_killed,
    local no_item_runs_twice_wherever_a_workflow_is_killed,
    local a_workflow_continues_after_its_time_limit,
    local a_workflow_outlives_the_supervisor,
    slurm a_workflow_killed_before_sbatch_submits_once,
    slurm a_workflow_killed_after_sbatch_submits_once,
    slurm a_workflow_that_slurm_requeues_continues,
    slurm a_workflow_whose_note_is_lost_finds_its_job,
];

#[slurm::workflow(time = "10:00")]
fn in_two_runs(flow: &Workflow, folder: &Path) -> anyhow::Result<u32> {
    let half = |numbers: std::ops::Range<u32>| -> slurm::Result<u32> {
        let jobs: Vec<Job<u32>> =
            numbers.map(|n| square::job(folder, n).submit(flow)).collect::<slurm::Result<_>>()?;
        jobs.iter().map(Job::result).sum()
    };
    let first = half(0..2)?;
    if flow.context().restart_count() == 0 {
        // A job counts even if no wait for it has begun.
        square::job(folder, 2).submit(flow)?;
        return Err(Requeue::because("half of it is done").into());
    }
    Ok(first + half(2..4)?)
}

fn a_requeued_workflow_runs_no_job_twice(site: &Site) {
    let folder = folder(site);
    let job = in_two_runs::job(folder.as_path()).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 14);
    assert_eq!(runs(&folder), [1, 1, 1, 1]);
    assert_eq!(job.report().unwrap().restart_count, 1);
}

/// Submits one job after another, and waits for a file with each number before it continues.
#[slurm::workflow(time = "10:00")]
fn step_by_step(flow: &Workflow, folder: &Path, gates: &Path, count: u32) -> slurm::Result<u32> {
    let mut sum = 0;
    for n in 0..count {
        let job = square::job(folder, n).submit(flow)?;
        fs::write(gates.join(format!("submitted-{n}")), "").unwrap();
        while !gates.join(n.to_string()).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        sum += job.result()?;
    }
    Ok(sum)
}

/// Kills the runner of a job without any warning.
fn kill<T>(job: &Job<T>) {
    let pid = job.events().into_iter().rev().find_map(|event| match event.event {
        EventKind::Started { pid, .. } => Some(pid),
        _ => None,
    });
    // It may have ended by itself.
    let _ = Command::new("kill").args(["-9", &pid.unwrap().to_string()]).status().unwrap();
}

fn gates(site: &Site) -> PathBuf {
    let gates = site.path("gates");
    fs::create_dir(&gates).unwrap();
    gates
}

fn a_killed_workflow_continues_when_resumed(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let call = || step_by_step::job(folder.as_path(), gates.as_path(), 3);
    let job = call().submit(&site.cluster).unwrap();
    fs::write(gates.join("0"), "").unwrap();
    until("the second job is submitted", || gates.join("submitted-1").exists());
    let early = call().resume(&job).unwrap().submit(&site.cluster).unwrap_err();
    assert!(early.to_string().contains("has not ended"), "{early}");
    kill(&job);
    assert_eq!(kind_of(&job), JobErrorKind::Crashed);
    for n in ["1", "2"] {
        fs::write(gates.join(n), "").unwrap();
    }
    let found = site.cluster.attach::<step_by_step>(job.submission_id()).unwrap();
    let resumed = call().resume(&found).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
    let dirs = fs::read_dir(job.job_dir().join("tasks/square")).unwrap().count();
    assert_eq!(dirs, 3, "all jobs are in the directory of the first workflow");
}

fn a_resumed_workflow_runs_failed_jobs_again(site: &Site) {
    let (folder, file) = (folder(site), site.path("needed"));
    let call = || with_need::job(folder.as_path(), file.as_path());
    let job = call().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.to_string().contains("needed is missing"), "{error}");
    fs::write(&file, "").unwrap();
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 100);
    assert_eq!(runs(&folder), [1], "the job that had succeeded was not run again");
    let plain = add::job(1, 2).submit(&site.cluster).unwrap();
    let refused = add::job(1, 2).resume(&plain).unwrap().submit(&site.cluster).unwrap_err();
    assert!(
        refused.to_string().contains("is not a workflow, so it cannot be resumed"),
        "{refused}"
    );
    result_of(&plain);
}

/// Records its run, and fails unless a file exists.
#[slurm::task(time = "5:00", mem = "256M")]
fn needs_and_notes(notes: &Path, file: &Path) -> Result<u32, String> {
    crate::tasks::note(notes, "x");
    if file.exists() { Ok(1) } else { Err(format!("{} is missing", file.display())) }
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn with_two_needs(flow: &Workflow, notes: &Path, files: Vec<PathBuf>) -> slurm::Result<u32> {
    let submit = |file: &PathBuf| needs_and_notes::job(notes, file.as_path()).submit(flow);
    let jobs = files.iter().map(submit).collect::<slurm::Result<Vec<_>>>()?;
    jobs.iter().map(Job::result).sum()
}

fn a_workflow_resumed_twice_keeps_succeeded_jobs(site: &Site) {
    let (notes, one, two) = (site.path("notes"), site.path("one"), site.path("two"));
    let call = || with_two_needs::job(notes.as_path(), vec![one.clone(), two.clone()]);
    let runs = || fs::read(&notes).unwrap().len();
    let first = call().submit(&site.cluster).unwrap();
    assert!(error_of(&first).to_string().contains("one is missing"));
    until("both have run", || runs() == 2);
    fs::write(&one, "").unwrap();
    let second = call().resume(&first).unwrap().submit(&site.cluster).unwrap();
    assert!(error_of(&second).to_string().contains("two is missing"));
    assert_eq!(runs(), 4);
    fs::write(&two, "").unwrap();
    let third = call().resume(&second).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&third), 2);
    assert_eq!(runs(), 5, "the job that had succeeded in its second run was not run again");
}

/// Kills a workflow repeatedly, each time a little later, until it succeeds. Returns its value.
fn until_it_succeeds<T>(call: impl Fn() -> slurm::JobBuilder<T>, site: &Site) -> T::Output
where
    T: slurm::Task,
    T::Output: std::fmt::Debug,
{
    let mut job = call().submit(&site.cluster).unwrap();
    let mut kills = 0;
    loop {
        until("it runs or has ended", || !job.events().is_empty());
        match job.result_timeout(Duration::from_millis(3 + 4 * kills)) {
            Ok(value) if kills > 0 => return value,
            Err(Error::StillRunning { .. }) => {}
            other => panic!("{other:?}"),
        }
        kill(&job);
        kills += 1;
        match job.result_timeout(crate::common::PATIENCE) {
            Err(Error::Job(error)) => assert!(
                matches!(error.kind, JobErrorKind::Crashed | JobErrorKind::NotStarted),
                "{error}"
            ),
            // The workflow has ended just before the kill.
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
        job = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    }
}

fn no_job_runs_twice_wherever_a_workflow_is_killed(site: &Site) {
    const COUNT: u32 = 25;
    let folder = folder(site);
    let sum = until_it_succeeds(|| sum_of_squares::job(folder.as_path(), COUNT), site);
    assert_eq!(sum, (0..COUNT).map(|n| n * n).sum::<u32>());
    assert_eq!(runs(&folder), [1; COUNT as usize]);
    let first = site.submissions().into_iter().find(|dir| dir.join("tasks").exists()).unwrap();
    let dirs = fs::read_dir(first.join("tasks/square")).unwrap().count();
    assert_eq!(dirs, COUNT as usize, "no other submission exists");
}

fn a_workflow_continues_after_its_time_limit(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let job = step_by_step::job(folder.as_path(), gates.as_path(), 2)
        .time(Duration::from_secs(3))
        .submit(&site.cluster)
        .unwrap();
    until("its next run has begun", || {
        job.events()
            .iter()
            .any(|event| matches!(event.event, EventKind::Started { restart_count: 1, .. }))
    });
    fs::write(gates.join("0"), "").unwrap();
    fs::write(gates.join("1"), "").unwrap();
    assert_eq!(result_of(&job), 1);
    assert_eq!(runs(&folder), [1, 1]);
}

fn a_workflow_outlives_the_supervisor(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let job =
        step_by_step::job(folder.as_path(), gates.as_path(), 2).submit(&site.cluster).unwrap();
    until("the first job is submitted", || gates.join("submitted-0").exists());
    kill_supervisor(site);
    fs::write(gates.join("0"), "").unwrap();
    fs::write(gates.join("1"), "").unwrap();
    assert_eq!(result_of(&job), 1);
    assert_eq!(runs(&folder), [1, 1]);
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn with_array(flow: &Workflow, folder: &Path) -> anyhow::Result<i64> {
    let squares = square::map((0..4).map(|n| (folder, n))).submit(flow)?;
    if flow.context().restart_count() == 0 {
        return Err(Requeue::new().into());
    }
    let total: u32 = squares.results()?.iter().sum();
    Ok(add::job(i64::from(total), 100).after(&squares).submit(flow)?.result()?)
}

fn an_array_of_a_workflow_is_submitted_once(site: &Site) {
    let folder = folder(site);
    let job = with_array::job(folder.as_path()).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 114);
    assert_eq!(runs(&folder), [1, 1, 1, 1]);
    assert_eq!(fs::read_dir(job.job_dir().join("tasks/square")).unwrap().count(), 1);
    let graph = job.graph().unwrap();
    let node = &graph.nodes[1];
    assert_eq!((node.items, node.state.as_ref()), (Some(4), Some(&JobState::Completed)));
    assert_eq!(graph.edges[0].from, node.id);
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn with_needs(flow: &Workflow, folder: &Path, files: Vec<PathBuf>) -> slurm::Result<u32> {
    let squares = square::map((0..2).map(|n| (folder, n))).submit(flow)?;
    let needed = needs::map(files).submit(flow)?;
    Ok(squares.results()?.iter().sum::<u32>() + needed.results()?.iter().sum::<u32>())
}

fn a_resumed_workflow_retries_failed_items(site: &Site) {
    let (folder, present, file) = (folder(site), site.path("present"), site.path("needed"));
    fs::write(&present, "").unwrap();
    let call = || with_needs::job(folder.as_path(), vec![present.clone(), file.clone()]);
    let job = call().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.to_string().contains("needed is missing"), "{error}");
    fs::write(&file, "").unwrap();
    // An item that has succeeded would fail now.
    fs::remove_file(&present).unwrap();
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 201);
    assert_eq!(runs(&folder), [1, 1]);
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn many_arrays(flow: &Workflow, folder: &Path, count: u32) -> slurm::Result<u32> {
    let array = |n: u32| square::map((3 * n..3 * n + 3).map(|n| (folder, n))).submit(flow);
    let arrays = (0..count).map(array).collect::<slurm::Result<Vec<_>>>()?;
    arrays.iter().try_fold(0, |sum, array| Ok(sum + array.results()?.iter().sum::<u32>()))
}

fn no_item_runs_twice_wherever_a_workflow_is_killed(site: &Site) {
    let folder = folder(site);
    let call = || many_arrays::job(folder.as_path(), 8);
    until_it_succeeds(call, site);
    assert_eq!(runs(&folder), [1; 24]);
}

/// Runs a workflow whose second submission calls `script` instead of sbatch, once. Then runs the workflow
/// again.
fn with_sbatch(site: &Site, script: &str) {
    let dir = crate::slurm::command_answers::wrapper(
        site,
        "sbatch",
        &format!(
            "n=$(ls -d {once}.* 2>/dev/null | wc -l)\n\
         if [ $n = 1 ] && mkdir {once}.2; then {script}; fi\n\
         mkdir -p {once}.$((n + 1))\nexec \"$real\" \"$@\"",
            once = site.path("call").display(),
        ),
    );
    let text = format!("[default]\nsetup = ['PATH={}:$PATH']\n", dir.display());
    let cluster = with_slurmfile(site, &text);
    let folder = folder(site);
    let call = || sum_of_squares::job(folder.as_path(), 3);
    let job = call().submit(&cluster).unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Crashed);
    let resumed = call().resume(&job).unwrap().submit(&cluster).unwrap();
    assert_eq!(result_of(&resumed), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
    let dirs = fs::read_dir(job.job_dir().join("tasks/square")).unwrap().count();
    assert_eq!(dirs, 3);
}

fn a_workflow_killed_before_sbatch_submits_once(site: &Site) {
    with_sbatch(site, "kill -9 $PPID; exit 1");
}

fn a_workflow_killed_after_sbatch_submits_once(site: &Site) {
    with_sbatch(site, "\"$real\" \"$@\" > /dev/null; kill -9 $PPID; exit 1");
}

fn a_workflow_that_slurm_requeues_continues(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let job =
        step_by_step::job(folder.as_path(), gates.as_path(), 2).submit(&site.cluster).unwrap();
    until("the first job is submitted", || gates.join("submitted-0").exists());
    let requeued = Command::new("scontrol").args(["requeue", &job.id().to_string()]).status();
    assert!(requeued.unwrap().success());
    fs::write(gates.join("0"), "").unwrap();
    fs::write(gates.join("1"), "").unwrap();
    assert_eq!(result_of(&job), 1);
    assert_eq!(runs(&folder), [1, 1]);
    assert_eq!(job.report().unwrap().restart_count, 1);
}

/// The files are as if the workflow had died after sbatch and before it could note the id.
fn a_workflow_whose_note_is_lost_finds_its_job(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let call = || step_by_step::job(folder.as_path(), gates.as_path(), 2);
    let job = call().submit(&site.cluster).unwrap();
    until("the first job is submitted", || gates.join("submitted-0").exists());
    kill(&job);
    assert_eq!(kind_of(&job), JobErrorKind::Crashed);
    let path = job.job_dir().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let intents: Vec<&str> = text.lines().filter(|line| line.contains("intent")).collect();
    assert_eq!(intents.len(), 1, "{text}");
    fs::write(&path, format!("{}\n", intents[0])).unwrap();
    let child = subdir(&job.job_dir().join("tasks/square")).unwrap();
    fs::remove_file(child.join("submitted.json")).unwrap();
    fs::write(gates.join("0"), "").unwrap();
    fs::write(gates.join("1"), "").unwrap();
    assert_eq!(result_of(&call().resume(&job).unwrap().submit(&site.cluster).unwrap()), 1);
    assert_eq!(runs(&folder), [1, 1]);
}
