//! Workflows: jobs that submit jobs.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slurm::error::{JobErrorKind, SubmitError};
use slurm::{BackendKind, Cluster, Error, FailureKind, Job, JobState, Requeue, Workflow};

use crate::common::{Site, kind_of, result_of, until};
use crate::tasks::{add, look_around, wait_for};

trials![
    both a_workflow_can_be_a_job_of_a_workflow,
    both an_error_of_a_job_reaches_the_client,
    both a_workflow_too_large_for_its_cluster_is_reported,
    both an_array_too_large_beside_its_workflow_is_reported,
    both as_completed_reports_jobs_without_room,
    both outer_workflows_take_room_too,
    both a_workflow_can_run_outside_of_a_job,
    both a_workflow_is_one_process,
    both a_changed_order_of_arguments_is_in_the_log_of_the_job,
    all a_workflow_submits_and_waits,
    all jobs_of_a_workflow_are_below_its_directory,
    all jobs_are_cancelled_with_their_workflow,
    all a_workflow_has_the_settings_of_its_cluster,
    local workflows_that_block_each_other_are_reported,
    local a_changed_order_of_arguments_is_reported,
    slurm a_job_that_is_being_submitted_is_cancelled_with_its_workflow,
];

/// Records the run for `n`, and returns the square.
#[slurm::task(time = "5:00", mem = "256M")]
pub(crate) fn square(folder: &Path, n: u32) -> u32 {
    let path = folder.join(n.to_string());
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(b"x").unwrap();
    n * n
}

/// Returns how often `square` was run for each number from 0 on.
pub(crate) fn runs(folder: &Path) -> Vec<usize> {
    let length = |n: u32| fs::read(folder.join(n.to_string())).ok().map(|bytes| bytes.len());
    (0..).map_while(length).collect()
}

#[slurm::workflow(time = "10:00", mem = "256M")]
pub(crate) fn sum_of_squares(flow: &Workflow, folder: &Path, count: u32) -> slurm::Result<u32> {
    let jobs: Vec<Job<u32>> =
        (0..count).map(|n| square::job(folder, n).submit(flow)).collect::<slurm::Result<_>>()?;
    jobs.iter().map(Job::result).sum()
}

pub(crate) fn folder(site: &Site) -> PathBuf {
    let folder = site.path("runs");
    fs::create_dir(&folder).unwrap();
    folder
}

fn a_workflow_submits_and_waits(site: &Site) {
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

fn jobs_of_a_workflow_are_below_its_directory(site: &Site) {
    let job = with_files::job().submit(&site.cluster).unwrap();
    let (child, shared, sum) = result_of(&job);
    assert_eq!(sum, 7, "the result of one is an argument of the next");
    assert_eq!(child.parent().unwrap(), job.job_dir().join("tasks/look_around"));
    assert_eq!(shared, job.job_dir().join("shared"));
    assert_eq!(site.submissions(), [job.job_dir()], "no other submission is in the base directory");
}

#[slurm::workflow(time = "10:00")]
fn twice(flow: &Workflow, folder: &Path) -> slurm::Result<u32> {
    let inner = sum_of_squares::job(folder, 2).submit(flow)?;
    Ok(inner.result()? + square::job(folder, 2).submit(flow)?.result()?)
}

fn a_workflow_can_be_a_job_of_a_workflow(site: &Site) {
    let folder = folder(site);
    let job = twice::job(folder.as_path()).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 5);
    assert_eq!(runs(&folder), [1, 1, 1]);
}

/// Fails unless a file exists.
#[slurm::task(time = "5:00")]
pub(crate) fn needs(file: PathBuf) -> Result<u32, String> {
    if file.exists() { Ok(100) } else { Err(format!("{} is missing", file.display())) }
}

#[slurm::workflow(time = "10:00")]
pub(crate) fn with_need(flow: &Workflow, folder: &Path, file: &Path) -> slurm::Result<u32> {
    let squared = square::job(folder, 0).submit(flow)?;
    let needed = needs::job(file).submit(flow)?;
    Ok(squared.result()? + needed.result()?)
}

#[slurm::workflow(time = "10:00")]
pub(crate) fn hold(flow: &Workflow, file: &Path, depth: u32) -> slurm::Result<bool> {
    match depth {
        0 => wait_for::job(file).submit(flow)?.result(),
        _ => hold::job(file, depth - 1).submit(flow)?.result(),
    }
}

fn jobs_are_cancelled_with_their_workflow(site: &Site) {
    let job = hold::job(site.path("never"), 1).submit(&site.cluster).unwrap();
    let waiting = || -> Option<PathBuf> {
        let child = subdir(&job.job_dir().join("tasks/hold"))?;
        let wait = subdir(&child.join("tasks/wait_for"))?;
        // The job may run before its id is noted.
        let is_there = |name| wait.join(name).exists();
        (is_there("events.jsonl") && is_there("submitted.json")).then_some(wait)
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

/// sbatch is slow, and continues when the workflow that called it dies.
fn a_job_that_is_being_submitted_is_cancelled_with_its_workflow(site: &Site) {
    let (called, id) = (site.path("called"), site.path("id"));
    let script = format!(
        "setsid -f sh -c 'touch {}; sleep 4; \"$0\" \"$@\" > {1}.new; mv {1}.new {1}' \"$real\" \"$@\"\n\
         exec sleep 60",
        called.display(),
        id.display(),
    );
    let dir = crate::slurm::command_answers::wrapper(site, "sbatch", &script);
    let text = format!("[default]\nsetup = ['PATH={}:$PATH']\n", dir.display());
    let cluster = with_slurmfile(site, &text);
    let job = hold::job(site.path("never"), 0).submit(&cluster).unwrap();
    until("sbatch is called", || called.exists());
    job.cancel().unwrap();
    until("sbatch has ended", || id.exists());
    let id = fs::read_to_string(&id).unwrap();
    let inner = site.cluster.attach::<wait_for>(id.trim()).unwrap();
    assert_eq!(kind_of(&inner), JobErrorKind::Cancelled);
}

pub(crate) fn subdir(dir: &Path) -> Option<PathBuf> {
    fs::read_dir(dir).ok()?.flatten().next().map(|entry| entry.path())
}

fn an_error_of_a_job_reaches_the_client(site: &Site) {
    let job = with_need::job(folder(site), site.path("missing")).submit(&site.cluster).unwrap();
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    assert_eq!(failure.kind, FailureKind::Error);
    assert!(failure.message.contains("jobs_of_workflows::needs"), "{failure}");
}

#[slurm::workflow(time = "10:00")]
fn too_large(flow: &Workflow) -> Result<String, Error> {
    let submitted = add::job(1, 2).ntasks(4).cpus_per_task(4).mem_per_cpu("1M").submit(flow);
    let error = match submitted {
        Ok(job) => job.result().unwrap_err(),
        Err(error) => error,
    };
    no_room(error)
}

/// Returns the text of an error about missing room.
fn no_room(error: Error) -> Result<String, Error> {
    let is_room = match &error {
        Error::Submit(SubmitError::NoRoom { .. }) => true,
        Error::Job(error) => matches!(error.kind, JobErrorKind::WorkflowDeadlock { .. }),
        _ => false,
    };
    if is_room { Ok(error.to_string()) } else { Err(error) }
}

fn assert_too_large(site: &Site, job: &Job<String>) {
    let told = result_of(job);
    let expected = match site.kind {
        BackendKind::Local => "it needs 4 CPUs of 4, and the workflow holds 1",
        _ => "it needs 16 CPUs but can have at most 15",
    };
    assert!(told.contains(expected), "{told}");
}

fn a_workflow_too_large_for_its_cluster_is_reported(site: &Site) {
    assert_too_large(site, &too_large::job().submit(&site.cluster).unwrap());
}

#[slurm::workflow(time = "10:00")]
fn too_large_array(flow: &Workflow) -> Result<String, Error> {
    let calls = add::map([(1, 2), (3, 4)]).ntasks(4).cpus_per_task(4).mem_per_cpu("1M");
    let array = match calls.submit(flow) {
        Ok(array) => array,
        Err(error) => return no_room(error),
    };
    let streamed: Vec<_> = array.stream()?.collect();
    assert_eq!(streamed.len(), 2, "each item has ended");
    no_room(array.results().unwrap_err())
}

fn an_array_too_large_beside_its_workflow_is_reported(site: &Site) {
    assert_too_large(site, &too_large_array::job().submit(&site.cluster).unwrap());
}

#[slurm::workflow(time = "10:00")]
fn too_large_of_several(flow: &Workflow) -> Result<String, Error> {
    let small = add::job(1, 2).submit(flow)?;
    let large = add::job(1, 2).ntasks(4).cpus_per_task(4).mem_per_cpu("1M");
    let large = match large.submit(flow) {
        Ok(job) => job,
        Err(error) => return no_room(error),
    };
    let ended: Vec<usize> = slurm::as_completed(&[&large, &small])?.collect::<Result<_, _>>()?;
    assert_eq!(ended, [1, 0]);
    no_room(large.result().unwrap_err())
}

fn as_completed_reports_jobs_without_room(site: &Site) {
    assert_too_large(site, &too_large_of_several::job().submit(&site.cluster).unwrap());
}

/// Submits a job that fits beside one workflow, but not beside two.
#[slurm::workflow(time = "10:00")]
fn nested_too_large(flow: &Workflow, depth: u32, cpus: u32) -> Result<String, Error> {
    if depth > 0 {
        return nested_too_large::job(depth - 1, cpus).submit(flow)?.result();
    }
    let submitted = add::job(1, 2).ntasks(cpus).mem_per_cpu("1M").submit(flow);
    match submitted {
        Ok(job) => no_room(job.result().unwrap_err()),
        Err(error) => no_room(error),
    }
}

fn outer_workflows_take_room_too(site: &Site) {
    let (cpus, expected) = match site.kind {
        BackendKind::Local => (3, "it needs 3 CPUs of 4, and the workflow holds 2"),
        _ => (15, "it needs 15 CPUs but can have at most 14"),
    };
    let told = result_of(&nested_too_large::job(1, cpus).submit(&site.cluster).unwrap());
    assert!(told.contains(expected), "{told}");
}

#[slurm::workflow(time = "10:00")]
fn with_settings(flow: &Workflow) -> slurm::Result<(Option<String>, String)> {
    let variable = crate::tasks::variable::job("GREETING").submit(flow)?;
    let comment = variable.explain()?.options.iter().find(|option| option.key == "comment");
    let comment = comment.and_then(|option| option.value.clone()).unwrap_or_default();
    Ok((variable.result()?, comment))
}

/// Returns a cluster with the settings of a Slurmfile.
pub(crate) fn with_slurmfile(site: &Site, text: &str) -> Cluster {
    let environment = slurm::Slurmfile::parse(text, "Slurmfile").unwrap().environment("default");
    let builder = site.builder().job_base_dir(site.base.path());
    builder.local_cpus(4).environment(environment.unwrap()).build().unwrap()
}

fn a_workflow_has_the_settings_of_its_cluster(site: &Site) {
    let text = "[default]\nsetup = ['GREETING=\"$GREETING, you\"']\n\
                [default.env]\nGREETING = 'hello'\n[default.submit]\ncomment = 'of the file'\n";
    let cluster = with_slurmfile(site, text);
    let (greeting, comment) = result_of(&with_settings::job().submit(&cluster).unwrap());
    assert_eq!(greeting.as_deref(), Some("hello, you"));
    assert_eq!(comment, "of the file");
}

fn a_workflow_can_run_outside_of_a_job(site: &Site) {
    let folder = folder(site);
    // In the base directory, and beside it.
    let base = site.base.path();
    let beside = base.with_file_name(format!("{}-beside", base.file_name().unwrap().display()));
    for (state, runs_by_now) in [(site.path("state"), 1), (beside.clone(), 2)] {
        for _ in 0..2 {
            let flow = Workflow::in_process(&site.cluster, &state).unwrap();
            assert_eq!(sum_of_squares(&flow, &folder, 3).unwrap(), 5);
            let first = add::job(1, 2).submit(&flow).unwrap();
            assert_eq!(result_of(&add::job(&first, 4).submit(&flow).unwrap()), 7);
        }
        assert_eq!(runs(&folder), [runs_by_now; 3], "the second call found the first one's jobs");
    }
    fs::remove_dir_all(beside).unwrap();
}

fn a_workflow_is_one_process(site: &Site) {
    let error = hold::job("x", 0).ntasks(2).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("a workflow is one process"), "{error}");
}

/// Submits a job when a file exists.
#[slurm::workflow(time = "10:00", mem = "256M")]
fn behind_a_gate(flow: &Workflow, gate: &Path) -> slurm::Result<i64> {
    while !gate.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    add::job(1, 2).submit(flow)?.result()
}

fn workflows_that_block_each_other_are_reported(site: &Site) {
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
    let outcomes = jobs.map(|job| job.result_timeout(crate::common::PATIENCE));
    let failed: Vec<String> =
        outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.to_string())).collect();
    assert!(
        failed.len() == 1 && failed[0].contains("workflows hold all resources"),
        "one fails and the other succeeds: {outcomes:?}"
    );
}

#[slurm::task(time = "5:00")]
fn count(names: HashSet<String>) -> usize {
    names.len()
}

fn names() -> HashSet<String> {
    (0..40).map(|n| format!("name {n}")).collect()
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn counts(flow: &Workflow) -> anyhow::Result<usize> {
    let job = count::job(names()).submit(flow)?;
    if flow.context().restart_count() == 0 {
        return Err(Requeue::new().into());
    }
    Ok(job.result()?)
}

fn a_changed_order_of_arguments_is_in_the_log_of_the_job(site: &Site) {
    let job = counts::job().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 40);
    let told = job.stderr().unwrap();
    assert!(told.contains("jobs_of_workflows::count` is submitted again"), "{told}");
}

fn a_changed_order_of_arguments_is_reported(site: &Site) {
    let submit = || {
        let flow = Workflow::in_process(&site.cluster, site.path("state")).unwrap();
        let job = count::job(names()).submit(&flow).unwrap();
        assert_eq!(result_of(&job), 40);
        let array = count::map([names()]).submit(&flow).unwrap();
        assert_eq!(array.results().unwrap(), [40]);
        [job.submission_id().to_string(), array.submission_id().to_string()]
    };
    let first = submit();
    let told = |submission_id: &String| {
        let warning = format!("though submission {submission_id} of an earlier run");
        crate::logger::logged().contains(&warning)
    };
    assert!(!first.iter().any(told));
    submit();
    assert!(first.iter().all(told), "each set has its own order");
}
