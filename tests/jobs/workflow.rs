//! Workflows: jobs that submit jobs, and what survives them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use slurm::error::{JobErrorKind, SubmitError};
use slurm::{
    BackendKind, Cluster, Error, EventKind, FailureKind, Job, JobState, Requeue, Workflow,
};

use crate::common::{Site, error_of, kind_of, on, on_all, on_both, result_of, until};
use crate::local::kill_supervisor;
use crate::tasks::{add, look_around, wait_for};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        on_both("a_workflow_can_be_a_job_of_a_workflow", a_workflow_in_a_workflow),
        on_both("a_killed_workflow_goes_on_when_resumed", a_killed_workflow),
        on_both("an_error_of_a_job_reaches_the_client", an_error_of_a_job),
        on_both("a_workflow_too_large_for_its_cluster_is_told", a_workflow_too_large),
        on_both("a_workflow_can_run_outside_of_a_job", outside),
        on_both("a_workflow_is_one_process", one_process),
        on_both("an_array_of_a_workflow_is_submitted_once", an_array_is_submitted_once),
        on_both("a_resumed_workflow_tries_again_items_that_failed", items_that_failed),
    ]
    .into_iter()
    .flatten()
    .collect();
    trials.extend(
        [
            on_all("a_workflow_submits_and_waits", a_workflow_submits),
            on_all("jobs_of_a_workflow_lie_below_it", jobs_lie_below_it),
            on_all("a_requeued_workflow_runs_nothing_twice", a_requeued_workflow),
            on_all("a_resumed_workflow_runs_again_what_failed", what_failed_runs_again),
            on_all("with_a_workflow_its_jobs_are_cancelled", a_cancelled_workflow),
            on_all("a_workflow_has_the_settings_of_its_cluster", settings_travel),
        ]
        .into_iter()
        .flatten(),
    );
    let local = |name, body| on(BackendKind::Local, name, body);
    let slurm = |name, body| on(BackendKind::Slurm, name, body);
    trials.extend([
        local("whenever_a_workflow_is_killed_nothing_runs_twice", killed_at_any_time),
        local("whenever_a_workflow_of_arrays_is_killed_no_item_runs_twice", arrays_at_any_time),
        local("a_workflow_out_of_time_goes_on", out_of_time),
        local("workflows_that_block_each_other_are_told", workflows_that_block),
        local("a_workflow_survives_the_supervisor", the_supervisor_dies),
        slurm("a_workflow_killed_before_sbatch_submits_once", killed_before_sbatch),
        slurm("a_workflow_killed_after_sbatch_submits_once", killed_after_sbatch),
        slurm("a_workflow_that_slurm_requeues_goes_on", requeued_by_slurm),
        slurm("a_workflow_whose_note_is_lost_finds_its_job", a_lost_note),
    ]);
    trials
}

/// Notes that it was run for `n`, and returns the square.
#[slurm::task(time = "5:00", mem = "64M")]
fn square(folder: &Path, n: u32) -> u32 {
    let path = folder.join(n.to_string());
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(b"x").unwrap();
    n * n
}

/// How often `square` was run for each number from 0 on.
fn runs(folder: &Path) -> Vec<usize> {
    let length = |n: u32| fs::read(folder.join(n.to_string())).ok().map(|bytes| bytes.len());
    (0..).map_while(length).collect()
}

#[slurm::workflow(time = "10:00", mem = "64M")]
fn sum_of_squares(flow: &Workflow, folder: &Path, count: u32) -> slurm::Result<u32> {
    let jobs: Vec<Job<u32>> =
        (0..count).map(|n| square::job(folder, n).submit(flow)).collect::<slurm::Result<_>>()?;
    jobs.iter().map(Job::result).sum()
}

fn folder(site: &Site) -> PathBuf {
    let folder = site.path("runs");
    fs::create_dir(&folder).unwrap();
    folder
}

fn a_workflow_submits(site: &Site) {
    let folder = folder(site);
    let job = sum_of_squares::job(folder.as_path(), 3).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
}

#[slurm::workflow(time = "10:00")]
fn with_files(flow: &Workflow) -> slurm::Result<(PathBuf, PathBuf, i64)> {
    let shared = flow.shared_dir().unwrap();
    fs::write(shared.join("note"), "from the workflow").unwrap();
    let first = add::job(1, 2).submit(flow)?;
    let second = add::job(&first, 4).submit(flow)?;
    let seen = look_around::job().submit(flow)?.result()?;
    Ok((seen.dir, shared, second.result()?))
}

fn jobs_lie_below_it(site: &Site) {
    let job = with_files::job().submit(&site.cluster).unwrap();
    let (child, shared, sum) = result_of(&job);
    assert_eq!(sum, 7, "the result of one is an argument of the next");
    assert_eq!(child.parent().unwrap(), job.job_dir().join("tasks/look_around"));
    assert_eq!(shared, job.job_dir().join("shared"));
    assert_eq!(site.submissions(), [job.job_dir()], "nothing else lies in the base directory");
}

#[slurm::workflow(time = "10:00")]
fn twice(flow: &Workflow, folder: &Path) -> slurm::Result<u32> {
    let inner = sum_of_squares::job(folder, 2).submit(flow)?;
    Ok(inner.result()? + square::job(folder, 2).submit(flow)?.result()?)
}

fn a_workflow_in_a_workflow(site: &Site) {
    let folder = folder(site);
    let job = twice::job(folder.as_path()).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
}

#[slurm::workflow(time = "10:00")]
fn in_two_runs(flow: &Workflow, folder: &Path) -> anyhow::Result<u32> {
    let half = |numbers: std::ops::Range<u32>| -> slurm::Result<u32> {
        let jobs: Vec<Job<u32>> =
            numbers.map(|n| square::job(folder, n).submit(flow)).collect::<slurm::Result<_>>()?;
        jobs.iter().map(Job::result).sum()
    };
    let first = half(0..2)?;
    if flow.context().restart_count() == 0 {
        // One that nobody has waited for is a job all the same.
        square::job(folder, 2).submit(flow)?;
        return Err(Requeue::because("half of it is done").into());
    }
    Ok(first + half(2..4)?)
}

fn a_requeued_workflow(site: &Site) {
    let folder = folder(site);
    let job = in_two_runs::job(folder.as_path()).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 14);
    assert_eq!(runs(&folder), [1, 1, 1, 1]);
    assert_eq!(job.report().unwrap().restart_count, 1);
}

/// Submits one job after the other, and waits for a file of each number before it goes on.
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

/// Kills the runner of a job as nobody could foresee.
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

fn a_killed_workflow(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let call = || step_by_step::job(folder.as_path(), gates.as_path(), 3);
    let job = call().submit(&site.cluster).unwrap();
    fs::write(gates.join("0"), "").unwrap();
    until("the second job is submitted", || gates.join("submitted-1").exists());
    let early = call().resume(&job).unwrap().submit(&site.cluster).unwrap_err();
    assert!(early.to_string().contains("has not ended"), "{early}");
    kill(&job);
    assert_eq!(kind_of(&job), JobErrorKind::Died);
    for n in ["1", "2"] {
        fs::write(gates.join(n), "").unwrap();
    }
    let found = site.cluster.attach::<step_by_step>(job.pre_id()).unwrap();
    let resumed = call().resume(&found).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
    let dirs = fs::read_dir(job.job_dir().join("tasks/square")).unwrap().count();
    assert_eq!(dirs, 3, "all are in the directory of the first");
}

/// Fails unless a file is there.
#[slurm::task(time = "5:00")]
fn needs(file: PathBuf) -> Result<u32, String> {
    if file.exists() { Ok(100) } else { Err(format!("{} is missing", file.display())) }
}

#[slurm::workflow(time = "10:00")]
fn with_need(flow: &Workflow, folder: &Path, file: &Path) -> slurm::Result<u32> {
    let squared = square::job(folder, 0).submit(flow)?;
    let needed = needs::job(file).submit(flow)?;
    Ok(squared.result()? + needed.result()?)
}

fn what_failed_runs_again(site: &Site) {
    let (folder, file) = (folder(site), site.path("needed"));
    let call = || with_need::job(folder.as_path(), file.as_path());
    let job = call().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.to_string().contains("needed is missing"), "{error}");
    fs::write(&file, "").unwrap();
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 100);
    assert_eq!(runs(&folder), [1], "what had succeeded was not run again");
    let plain = add::job(1, 2).submit(&site.cluster).unwrap();
    let refused = add::job(1, 2).resume(&plain).unwrap().submit(&site.cluster).unwrap_err();
    assert!(refused.to_string().contains("is no workflow to resume"), "{refused}");
    result_of(&plain);
}

#[slurm::workflow(time = "10:00")]
fn hold(flow: &Workflow, file: &Path, depth: u32) -> slurm::Result<bool> {
    match depth {
        0 => wait_for::job(file).submit(flow)?.result(),
        _ => hold::job(file, depth - 1).submit(flow)?.result(),
    }
}

fn a_cancelled_workflow(site: &Site) {
    let job = hold::job(site.path("never"), 1).submit(&site.cluster).unwrap();
    let waiting = || -> Option<PathBuf> {
        let child = subdir(&job.job_dir().join("tasks/hold"))?;
        let wait = subdir(&child.join("tasks/wait_for"))?;
        wait.join("events.jsonl").exists().then_some(wait)
    };
    until("the innermost job runs", || waiting().is_some());
    let id: serde_json::Value =
        serde_json::from_slice(&fs::read(waiting().unwrap().join("submitted.json")).unwrap())
            .unwrap();
    let id = id["job_id"].to_string();
    job.cancel().unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Cancelled);
    let inner = site.cluster.attach::<wait_for>(id.as_str()).unwrap();
    assert_eq!(kind_of(&inner), JobErrorKind::Cancelled);
}

fn subdir(dir: &Path) -> Option<PathBuf> {
    fs::read_dir(dir).ok()?.flatten().next().map(|entry| entry.path())
}

fn an_error_of_a_job(site: &Site) {
    let job = with_need::job(folder(site), site.path("missing")).submit(&site.cluster).unwrap();
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    assert_eq!(failure.kind, FailureKind::Error);
    assert!(failure.message.contains("workflow::needs"), "{failure}");
}

#[slurm::workflow(time = "10:00")]
fn too_large(flow: &Workflow) -> Result<String, Error> {
    let submitted = add::job(1, 2).ntasks(4).cpus_per_task(4).mem_per_cpu("1M").submit(flow);
    let error = match submitted {
        Ok(job) => job.result().unwrap_err(),
        Err(error) => error,
    };
    let is_room = match &error {
        Error::Submit(SubmitError::NoRoom { .. }) => true,
        Error::Job(error) => matches!(error.kind, JobErrorKind::NoRoom { .. }),
        _ => false,
    };
    if is_room { Ok(error.to_string()) } else { Err(error) }
}

fn a_workflow_too_large(site: &Site) {
    let told = result_of(&too_large::job().submit(&site.cluster).unwrap());
    let expected = match site.kind {
        BackendKind::Local => "it needs 4 CPUs of 4, and the workflow holds 1",
        _ => "it needs 16 CPUs and can have at most 15",
    };
    assert!(told.contains(expected), "{told}");
}

#[slurm::workflow(time = "10:00")]
fn with_settings(flow: &Workflow) -> slurm::Result<(Option<String>, String)> {
    let variable = crate::tasks::variable::job("GREETING").submit(flow)?;
    let comment = variable.explain()?.options.iter().find(|option| option.key == "comment");
    let comment = comment.and_then(|option| option.value.clone()).unwrap_or_default();
    Ok((variable.result()?, comment))
}

/// A cluster with what a Slurmfile says.
fn with_slurmfile(site: &Site, text: &str) -> Cluster {
    let environment = slurm::Slurmfile::parse(text, "Slurmfile").unwrap().environment("default");
    let builder = site.builder().job_base_dir(site.base.path());
    builder.local_cpus(4).environment(environment.unwrap()).build().unwrap()
}

fn settings_travel(site: &Site) {
    let text = "[default]\nsetup = ['GREETING=\"$GREETING, you\"']\n\
                [default.env]\nGREETING = 'hello'\n[default.submit]\ncomment = 'of the file'\n";
    let cluster = with_slurmfile(site, text);
    let (greeting, comment) = result_of(&with_settings::job().submit(&cluster).unwrap());
    assert_eq!(greeting.as_deref(), Some("hello, you"));
    assert_eq!(comment, "of the file");
}

fn outside(site: &Site) {
    let folder = folder(site);
    // In the base directory, and beside it.
    let base = site.base.path();
    let beside = base.with_file_name(format!("{}-beside", base.file_name().unwrap().display()));
    for (state, runs_by_now) in [(site.path("state"), 1), (beside.clone(), 2)] {
        for _ in 0..2 {
            let flow = Workflow::outside(&site.cluster, &state).unwrap();
            assert_eq!(sum_of_squares(&flow, &folder, 3).unwrap(), 5);
            let first = add::job(1, 2).submit(&flow).unwrap();
            assert_eq!(result_of(&add::job(&first, 4).submit(&flow).unwrap()), 7);
        }
        assert_eq!(runs(&folder), [runs_by_now; 3], "the second call found the first one's jobs");
    }
    fs::remove_dir_all(beside).unwrap();
}

fn one_process(site: &Site) {
    let error = hold::job("x", 0).ntasks(2).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("a workflow is one process"), "{error}");
}

/// Kills a workflow again and again, each time a little later, until it comes through. Returns its value.
fn until_it_comes_through<T>(call: impl Fn() -> slurm::JobBuilder<T>, site: &Site) -> T::Output
where
    T: slurm::Task,
    T::Output: std::fmt::Debug,
{
    let mut job = call().submit(&site.cluster).unwrap();
    let mut kills = 0;
    loop {
        until("it runs or has ended", || !job.events().is_empty());
        match job.result_within(Duration::from_millis(3 + 4 * kills)) {
            Ok(value) if kills > 0 => return value,
            Err(Error::StillRunning { .. }) => {}
            other => panic!("{other:?}"),
        }
        kill(&job);
        kills += 1;
        match job.result_within(crate::common::PATIENCE) {
            Err(Error::Job(error)) => assert!(
                matches!(error.kind, JobErrorKind::Died | JobErrorKind::NotStarted),
                "{error}"
            ),
            // It came through just before.
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
        job = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    }
}

fn killed_at_any_time(site: &Site) {
    const COUNT: u32 = 25;
    let folder = folder(site);
    let sum = until_it_comes_through(|| sum_of_squares::job(folder.as_path(), COUNT), site);
    assert_eq!(sum, (0..COUNT).map(|n| n * n).sum::<u32>());
    assert_eq!(runs(&folder), [1; COUNT as usize]);
    let first = site.submissions().into_iter().find(|dir| dir.join("tasks").exists()).unwrap();
    let dirs = fs::read_dir(first.join("tasks/square")).unwrap().count();
    assert_eq!(dirs, COUNT as usize, "no submission was left behind");
}

fn out_of_time(site: &Site) {
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

/// Submits a job once a file is there.
#[slurm::workflow(time = "10:00", mem = "64M")]
fn behind_a_gate(flow: &Workflow, gate: &Path) -> slurm::Result<i64> {
    while !gate.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    add::job(1, 2).submit(flow)?.result()
}

fn workflows_that_block(site: &Site) {
    let cluster = Cluster::builder()
        .backend(site.kind)
        .job_base_dir(site.base.path())
        .local_cpus(2)
        .build()
        .unwrap();
    let gate = site.path("gate");
    let jobs = [(); 2].map(|()| behind_a_gate::job(gate.as_path()).submit(&cluster).unwrap());
    until("both run", || jobs.iter().all(|job| job.state().unwrap() == JobState::Running));
    fs::write(&gate, "").unwrap();
    let outcomes = jobs.map(|job| job.result_within(crate::common::PATIENCE));
    let failed: Vec<String> =
        outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.to_string())).collect();
    assert!(
        failed.len() == 1 && failed[0].contains("workflows hold all resources"),
        "one gives way and the other comes through: {outcomes:?}"
    );
}

fn the_supervisor_dies(site: &Site) {
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

#[slurm::workflow(time = "10:00", mem = "64M")]
fn with_array(flow: &Workflow, folder: &Path) -> anyhow::Result<i64> {
    let squares = square::map((0..4).map(|n| (folder, n))).submit(flow)?;
    if flow.context().restart_count() == 0 {
        return Err(Requeue::new().into());
    }
    let total: u32 = squares.results()?.iter().sum();
    Ok(add::job(i64::from(total), 100).after(&squares).submit(flow)?.result()?)
}

fn an_array_is_submitted_once(site: &Site) {
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

#[slurm::workflow(time = "10:00", mem = "64M")]
fn with_needs(flow: &Workflow, folder: &Path, files: Vec<PathBuf>) -> slurm::Result<u32> {
    let squares = square::map((0..2).map(|n| (folder, n))).submit(flow)?;
    let needed = needs::map(files).submit(flow)?;
    Ok(squares.results()?.iter().sum::<u32>() + needed.results()?.iter().sum::<u32>())
}

fn items_that_failed(site: &Site) {
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

#[slurm::workflow(time = "10:00", mem = "64M")]
fn many_arrays(flow: &Workflow, folder: &Path, count: u32) -> slurm::Result<u32> {
    let array = |n: u32| square::map((3 * n..3 * n + 3).map(|n| (folder, n))).submit(flow);
    let arrays = (0..count).map(array).collect::<slurm::Result<Vec<_>>>()?;
    arrays.iter().try_fold(0, |sum, array| Ok(sum + array.results()?.iter().sum::<u32>()))
}

fn arrays_at_any_time(site: &Site) {
    let folder = folder(site);
    let call = || many_arrays::job(folder.as_path(), 8);
    until_it_comes_through(call, site);
    assert_eq!(runs(&folder), [1; 24]);
}

/// Runs a workflow whose second submission meets `script` in place of sbatch, once, and then another
/// run of it.
fn with_sbatch(site: &Site, script: &str) {
    let dir = crate::on_slurm::wrapper(
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
    assert_eq!(kind_of(&job), JobErrorKind::Died);
    let resumed = call().resume(&job).unwrap().submit(&cluster).unwrap();
    assert_eq!(result_of(&resumed), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
    let dirs = fs::read_dir(job.job_dir().join("tasks/square")).unwrap().count();
    assert_eq!(dirs, 3);
}

fn killed_before_sbatch(site: &Site) {
    with_sbatch(site, "kill -9 $PPID; exit 1");
}

fn killed_after_sbatch(site: &Site) {
    with_sbatch(site, "\"$real\" \"$@\" > /dev/null; kill -9 $PPID; exit 1");
}

fn requeued_by_slurm(site: &Site) {
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

/// As if the workflow had died after sbatch and before it could note the id anywhere.
fn a_lost_note(site: &Site) {
    let (folder, gates) = (folder(site), gates(site));
    let call = || step_by_step::job(folder.as_path(), gates.as_path(), 2);
    let job = call().submit(&site.cluster).unwrap();
    until("the first job is submitted", || gates.join("submitted-0").exists());
    kill(&job);
    assert_eq!(kind_of(&job), JobErrorKind::Died);
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
