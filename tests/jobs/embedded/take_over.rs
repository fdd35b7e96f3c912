//! Supervisors that are killed, and the supervisors that take over.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use slurm::error::JobErrorKind;
use slurm::{Cluster, Error, Job, JobContext, JobState, Workflow};

use crate::common::{PATIENCE, Site, error_of, kind_of, result_of, until};
use crate::embedded::supervisor::{another_client, is_alive, kill, kill_supervisor, place};
use crate::tasks::*;

trials![
    local a_rank_that_fails_without_a_supervisor_fails_the_job,
    local ranks_that_succeed_without_a_supervisor_complete_the_job,
    local an_element_whose_rank_fails_without_a_supervisor_fails,
    local an_adopted_rank_that_fails_ends_the_others,
    local a_task_that_exits_without_a_supervisor_has_crashed,
    local processes_left_by_a_job_are_killed_at_take_over,
    local a_start_that_was_only_noted_is_repeated,
    local no_job_runs_twice_after_the_end_of_the_journal_is_lost,
    local a_changed_line_of_the_journal_is_ignored,
    local ids_are_not_reused_after_the_folder_is_lost,
    local a_dependency_on_an_unknown_job_is_decided_by_its_result,
    local a_job_keeps_its_full_time_after_an_overdue_warning,
    local a_task_may_exit_with_the_codes_of_the_script,
    local a_task_that_was_called_is_never_reported_as_not_started,
    local the_exit_code_of_the_runner_outlives_the_supervisor,
    local requeues_of_supervisors_killed_at_any_moment_run_once,
    local a_time_limit_is_not_early_after_a_take_over,
    local supervisors_killed_at_any_moment_run_each_job_once,
    local a_warning_right_after_the_start_is_not_lost,
];

/// Adds a line to a file; several processes may do so at the same time.
fn note(file: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The first process returns at once. The others write their process ids and wait for `gate`; then they exit
/// with `code`, or return if it is 0.
#[slurm::task(time = "5:00", ntasks = 2)]
fn leave_late(ctx: &JobContext, pids: &Path, gate: &Path, code: i32) -> u32 {
    if ctx.rank() != 0 {
        note(pids, &std::process::id().to_string());
        while !gate.exists() {
            thread::sleep(Duration::from_millis(2));
        }
        if code != 0 {
            std::process::exit(code);
        }
    }
    42
}

/// Lets the second process of a job end while no supervisor runs.
fn end_alone(site: &Site, pids: &Path, gate: &Path, value: impl Fn() -> bool) {
    until("the first process has ended and the other runs", || value() && !lines(pids).is_empty());
    kill_supervisor(site);
    fs::write(gate, "").unwrap();
    until("the other has ended", || lines(pids).iter().all(|pid| !is_alive(pid)));
}

fn a_rank_that_fails_without_a_supervisor_fails_the_job(site: &Site) {
    for adopted in [false, true] {
        let (pids, gate) =
            (site.path(&format!("pids-{adopted}")), site.path(&format!("{adopted}")));
        let job = leave_late::job(pids.as_path(), gate.as_path(), 7).submit(&site.cluster).unwrap();
        let has_value = || job.job_dir().join("value.0").exists();
        if adopted {
            until("both are there", || has_value() && !lines(&pids).is_empty());
            kill_supervisor(site);
            assert_eq!(job.state().unwrap(), JobState::Running);
            fs::write(&gate, "").unwrap();
        } else {
            end_alone(site, &pids, &gate, has_value);
        }
        assert_eq!(kind_of(&job), JobErrorKind::Crashed, "adopted: {adopted}");
        assert_eq!(job.state().unwrap(), JobState::Failed);
        assert!(!job.job_dir().join(".run").exists(), "the marks of the job are removed");
    }
}

fn ranks_that_succeed_without_a_supervisor_complete_the_job(site: &Site) {
    let (pids, gate) = (site.path("pids"), site.path("gate"));
    let job = leave_late::job(pids.as_path(), gate.as_path(), 0).submit(&site.cluster).unwrap();
    end_alone(site, &pids, &gate, || job.job_dir().join("value.0").exists());
    assert_eq!(result_of(&job), 42);
    assert_eq!(job.state().unwrap(), JobState::Completed);
}

fn an_element_whose_rank_fails_without_a_supervisor_fails(site: &Site) {
    for (code, succeeded) in [(7, 0), (0, 2)] {
        let (pids, gate) = (site.path(&format!("pids-{code}")), site.path(&format!("{code}")));
        let items = (0..2).map(|_| (pids.clone(), gate.clone(), code));
        let array = leave_late::map(items).submit(&site.cluster).unwrap();
        let values = array.job_dir().join("values");
        // The file is empty until the first process has returned.
        let has_value = |entry: &fs::DirEntry| entry.metadata().is_ok_and(|file| file.len() > 0);
        let both = || {
            fs::read_dir(&values)
                .is_ok_and(|entries| entries.flatten().filter(has_value).count() == 2)
        };
        end_alone(site, &pids, &gate, || both() && lines(&pids).len() == 2);
        assert_eq!(array.wait().unwrap().succeeded, succeeded, "exit code {code}");
    }
}

/// The first process never returns. The second exits with an error when `gate` exists.
#[slurm::task(time = "5:00", ntasks = 2)]
fn never_returns(ctx: &JobContext, ready: &Path, gate: &Path) {
    note(ready, "ready");
    while ctx.rank() == 0 || !gate.exists() {
        thread::sleep(Duration::from_millis(2));
    }
    std::process::exit(7);
}

fn an_adopted_rank_that_fails_ends_the_others(site: &Site) {
    for adopted in [true, false] {
        let (ready, gate) =
            (site.path(&format!("ready-{adopted}")), site.path(&format!("{adopted}")));
        let job =
            never_returns::job(ready.as_path(), gate.as_path()).submit(&site.cluster).unwrap();
        until("both run", || lines(&ready).len() == 2);
        kill_supervisor(site);
        if adopted {
            assert_eq!(job.state().unwrap(), JobState::Running);
        }
        fs::write(&gate, "").unwrap();
        assert_eq!(kind_of(&job), JobErrorKind::Crashed, "adopted: {adopted}");
    }
}

/// Writes its process id and waits for `gate`. Then exits with `code`, or returns if it is negative.
#[slurm::task(time = "5:00")]
fn leave(pids: &Path, gate: &Path, code: i32) {
    note(pids, &std::process::id().to_string());
    while !gate.exists() {
        thread::sleep(Duration::from_millis(2));
    }
    if code >= 0 {
        std::process::exit(code);
    }
}

fn a_task_that_exits_without_a_supervisor_has_crashed(site: &Site) {
    for code in [0, 3] {
        let (pids, gate) = (site.path(&format!("pids-{code}")), site.path(&format!("{code}")));
        let job = leave::job(pids.as_path(), gate.as_path(), code).submit(&site.cluster).unwrap();
        end_alone(site, &pids, &gate, || true);
        assert_eq!(kind_of(&job), JobErrorKind::Crashed, "exit code {code}");
    }
}

#[allow(clippy::zombie_processes, reason = "the test checks whether it is killed")]
/// Leaves a process behind, and returns when `gate` exists.
#[slurm::task(time = "5:00")]
fn leave_behind(pids: &Path, gate: &Path, own_session: bool) -> u32 {
    let mut sleep = Command::new(if own_session { "setsid" } else { "sleep" });
    if own_session {
        sleep.arg("sleep");
    }
    let child = sleep.arg("1000").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    note(pids, &std::process::id().to_string());
    while !gate.exists() {
        thread::sleep(Duration::from_millis(2));
    }
    child.id()
}

fn processes_left_by_a_job_are_killed_at_take_over(site: &Site) {
    for own_session in [false, true] {
        let path = |name: &str| site.path(&format!("{name}-{own_session}"));
        let (pids, gate) = (path("pids"), path("gate"));
        let call = leave_behind::job(pids.as_path(), gate.as_path(), own_session);
        let job = call.submit(&site.cluster).unwrap();
        end_alone(site, &pids, &gate, || true);
        let child = result_of(&job).to_string();
        assert_eq!(result_of(&add::job(1, 2).submit(&site.cluster).unwrap()), 3);
        until("the process that it left has ended", || has_ended(&child));
    }
}

fn has_ended(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

/// Writes its process id, and waits until it is killed.
#[slurm::task(time = "5:00")]
fn wait_to_be_killed(pids: &Path) {
    note(pids, &std::process::id().to_string());
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

fn a_task_that_was_called_is_never_reported_as_not_started(site: &Site) {
    for ntasks in [1, 2] {
        let (single, several) =
            (site.path(&format!("job-{ntasks}")), site.path(&format!("array-{ntasks}")));
        let call = wait_to_be_killed::job(single.as_path()).ntasks(ntasks);
        let job = call.submit(&site.cluster).unwrap();
        let call = wait_to_be_killed::map([several.clone()]).ntasks(ntasks);
        let array = call.submit(&site.cluster).unwrap();
        let pids = || [lines(&single), lines(&several)].concat();
        until("all run", || pids().len() == 2 * ntasks as usize);
        kill_supervisor(site);
        pids().iter().for_each(|pid| kill(pid));
        assert_eq!(kind_of(&job), JobErrorKind::Crashed, "{ntasks} processes");
        for item in array.try_results().unwrap() {
            let Err(Error::Job(error)) = item else { panic!("{item:?}") };
            assert_eq!(error.kind, JobErrorKind::Crashed, "{ntasks} processes: {error}");
        }
    }
}

fn a_task_may_exit_with_the_codes_of_the_script(site: &Site) {
    let (pids, gate) = (site.path("pids"), site.path("gate"));
    fs::write(&gate, "").unwrap();
    for code in [117, 118] {
        let call = || leave::job(pids.as_path(), gate.as_path(), code);
        let alone = call().submit(&site.cluster).unwrap();
        let several = call().ntasks(2).submit(&site.cluster).unwrap();
        let items = [(pids.clone(), gate.clone(), code)];
        let array = leave::map(items).ntasks(2).submit(&site.cluster).unwrap();
        for job in [alone, several] {
            assert_eq!(kind_of(&job), JobErrorKind::Crashed, "exit code {code}");
        }
        for item in array.try_results().unwrap() {
            let Err(Error::Job(error)) = item else { panic!("{item:?}") };
            assert_eq!(error.kind, JobErrorKind::Crashed, "exit code {code}: {error}");
        }
    }
}

/// Runs until its second run. The warning comes as soon as it starts.
#[slurm::task(time = "0:04", on_timeout = "requeue", signal = "USR1@4")]
fn until_the_second_run(ctx: &JobContext) -> u32 {
    while ctx.restart_count() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    ctx.restart_count()
}

fn a_warning_right_after_the_start_is_not_lost(site: &Site) {
    // The signal reaches the shell that waits for the start, or the script, or the runner.
    let jobs: Vec<_> =
        (0..4).map(|_| until_the_second_run::job().submit(&site.cluster).unwrap()).collect();
    for job in jobs {
        assert_eq!(result_of(&job), 1);
    }
}

fn the_exit_code_of_the_runner_outlives_the_supervisor(site: &Site) {
    let (pids, gate) = (site.path("pids"), site.path("gate"));
    let job = leave::job(pids.as_path(), gate.as_path(), -1).submit(&site.cluster).unwrap();
    until("it runs", || lines(&pids).len() == 1);
    // A file cannot replace a directory.
    let result = job.job_dir().join("result");
    fs::create_dir_all(result.join("inside")).unwrap();
    end_alone(site, &pids, &gate, || true);
    fs::remove_dir_all(result).unwrap();
    let error = error_of(&job);
    assert_eq!(error.kind, JobErrorKind::Crashed);
    let told = error.to_string();
    assert!(told.contains("exit code 113: the runner could not write the outcome"), "{told}");
}

/// Records each of its runs, and asks twice for another run.
#[slurm::task(time = "5:00")]
fn run_three_times(ctx: &JobContext, runs: &Path) -> Result<u32, slurm::Requeue> {
    let job = ctx.job_id().map_or(0, slurm::JobId::get);
    note(runs, &format!("{job} {} {}", ctx.rank(), ctx.restart_count()));
    match ctx.restart_count() {
        2 => Ok(2),
        _ => Err(slurm::Requeue::new()),
    }
}

fn requeues_of_supervisors_killed_at_any_moment_run_once(site: &Site) {
    const JOBS: u32 = 20;
    let runs = site.path("runs");
    while_supervisors_are_killed(site, |cluster| {
        let submit = |n: u32| {
            let call = run_three_times::job(runs.as_path());
            let call = if n.is_multiple_of(3) { call.ntasks(2) } else { call };
            call.submit(cluster).unwrap()
        };
        let jobs: Vec<_> = (0..JOBS).map(submit).collect();
        let array = run_three_times::map((0..JOBS).map(|_| runs.clone())).submit(cluster).unwrap();
        for job in &jobs {
            let result = job.result_timeout(3 * PATIENCE);
            assert_eq!(result.map_err(|error| error.to_string()), Ok(2), "{}", job.id());
        }
        assert_eq!(array.results().unwrap(), vec![2; JOBS as usize]);
    });
    let mut ran = lines(&runs);
    let all = ran.len();
    ran.sort();
    ran.dedup();
    assert_eq!(all, ran.len(), "a run was made twice: {ran:?}");
    // A process that asks for another run ends the other processes of its job, perhaps before they have written
    // a line.
    let run = |line: &String| line.split(' ').step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let runs: BTreeSet<_> = ran.iter().map(run).collect();
    assert_eq!(runs.len() as u32, 3 * 2 * JOBS, "{ran:?}");
}

/// Records each of its runs.
#[slurm::task(time = "5:00")]
fn note_run(ctx: &JobContext, runs: &Path, gate: &Path) -> u32 {
    note(runs, &ctx.job_id().map_or(0, slurm::JobId::get).to_string());
    while !gate.exists() {
        thread::sleep(Duration::from_millis(2));
    }
    ctx.restart_count()
}

/// Returns a job that takes the whole machine until the file `first` exists, and a job that waits behind it.
fn behind_another<T>(site: &Site, submit: impl Fn(&Cluster) -> Job<T>) -> (Job<bool>, Job<T>) {
    let first = wait_for::job(site.path("first")).cpus_per_task(4).submit(&site.cluster).unwrap();
    let second = submit(&site.cluster);
    until("the first runs", || first.state().unwrap() == JobState::Running);
    assert_eq!(second.state().unwrap(), JobState::Pending);
    (first, second)
}

/// Returns the line of the journal with `content`.
fn line_of(content: &str) -> String {
    let checksum = blake3::hash(content.as_bytes()).to_hex();
    format!("[\"{}\",{content}]", &checksum[..8])
}

fn a_start_that_was_only_noted_is_repeated(site: &Site) {
    let (runs, gate) = (site.path("runs"), site.path("gate"));
    let submit =
        |cluster: &Cluster| note_run::job(runs.as_path(), gate.as_path()).submit(cluster).unwrap();
    let (first, job) = behind_another(site, submit);
    kill_supervisor(site);
    // A supervisor that is killed before it starts a process leaves these files.
    let marks = job.job_dir().join(".run");
    fs::create_dir(&marks).unwrap();
    fs::write(marks.join(format!("{}.0.ready", job.id())), "").unwrap();
    let entry = serde_json::json!({ "Started": {
        "id": job.id().get(), "at": 1, "restarts": 0, "boot": null, "gpus": [],
        "granted": { "cpus": 1, "memory_mib": 64, "gpus": 0 },
    }});
    note(&place(site).join("journal.jsonl"), &line_of(&entry.to_string()));
    let found = another_client(site).attach::<note_run>(job.handle()).unwrap();
    assert_eq!(found.state().unwrap(), JobState::Pending);
    fs::write(site.path("first"), "").unwrap();
    fs::write(&gate, "").unwrap();
    assert!(result_of(&first));
    assert_eq!(result_of(&found), 0, "this is the first run");
    assert_eq!(lines(&runs).len(), 1);
}

fn no_job_runs_twice_after_the_end_of_the_journal_is_lost(site: &Site) {
    let journal = || place(site).join("journal.jsonl");
    // The two submissions and the start of the first job are five lines. The last case loses all lines.
    for lost in [0, 1, 2, 3, 4, 5, usize::MAX] {
        let (runs, gate) = (site.path(&format!("runs-{lost}")), site.path(&format!("gate-{lost}")));
        let submit = |cores| {
            let call = note_run::job(runs.as_path(), gate.as_path()).cpus_per_task(cores);
            call.submit(&site.cluster).unwrap()
        };
        let (running, waiting) = (submit(1), submit(4));
        until("one runs", || lines(&runs).len() == 1);
        assert_eq!(waiting.state().unwrap(), JobState::Pending);
        kill_supervisor(site);
        let text = fs::read_to_string(journal()).unwrap();
        let kept: Vec<&str> = text.lines().collect();
        let left = kept.len().saturating_sub(lost);
        fs::write(
            journal(),
            kept[..left].iter().map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap();
        let cluster = another_client(site);
        let found = cluster.attach::<note_run>(running.handle()).unwrap();
        assert_eq!(found.state().unwrap(), JobState::Running, "{lost} lines are lost");
        let found = cluster.attach::<note_run>(waiting.handle()).unwrap();
        assert_eq!(found.state().unwrap(), JobState::Pending, "{lost} lines are lost");
        let next = add::job(1, 2).submit(&cluster).unwrap();
        assert!(next.id() > waiting.id(), "{lost} lines are lost: {} was given again", next.id());
        fs::write(&gate, "").unwrap();
        assert_eq!((result_of(&running), result_of(&waiting), result_of(&next)), (0, 0, 3));
        let mut ids: Vec<u32> = lines(&runs).iter().map(|id| id.parse().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [running.id().get(), waiting.id().get()], "{lost} lines are lost");
    }
}

fn a_changed_line_of_the_journal_is_ignored(site: &Site) {
    let (runs, gate) = (site.path("runs"), site.path("gate"));
    let job = note_run::job(runs.as_path(), gate.as_path()).submit(&site.cluster).unwrap();
    until("it runs", || lines(&runs).len() == 1);
    job.cancel().unwrap();
    until("it has ended", || job.state().unwrap() == JobState::Cancelled);
    let other = note_run::job(runs.as_path(), gate.as_path()).submit(&site.cluster).unwrap();
    until("the other runs", || lines(&runs).len() == 2);
    kill_supervisor(site);
    // The end of the first job becomes an end of the other one, which is also a well-formed line.
    let journal = place(site).join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let end = |id: slurm::JobId| format!("{{\"Ended\":{{\"id\":{id},");
    assert!(text.contains(&end(job.id())), "{text}");
    fs::write(&journal, text.replace(&end(job.id()), &end(other.id()))).unwrap();
    let found = another_client(site).attach::<note_run>(other.handle()).unwrap();
    assert_eq!(found.state().unwrap(), JobState::Running);
    fs::write(&gate, "").unwrap();
    assert_eq!(result_of(&found), 0);
    assert_eq!(lines(&runs).len(), 2);
}

#[slurm::workflow(time = "5:00", mem = "256M")]
fn submit_later(flow: &Workflow, ready: &Path, gate: &Path) -> slurm::Result<(u32, i64)> {
    fs::write(ready, "").unwrap();
    while !gate.exists() {
        thread::sleep(Duration::from_millis(2));
    }
    let child = add::job(1, 2).submit(flow)?;
    Ok((child.id().get(), child.result()?))
}

fn ids_are_not_reused_after_the_folder_is_lost(site: &Site) {
    let (ready, gate) = (site.path("ready"), site.path("gate"));
    let job = submit_later::job(ready.as_path(), gate.as_path()).submit(&site.cluster).unwrap();
    until("it runs", || ready.exists());
    kill_supervisor(site);
    fs::remove_dir_all(site.path(".local")).unwrap();
    fs::write(&gate, "").unwrap();
    let (child, sum) = result_of(&job);
    assert!(child > job.id().get(), "{child} within {}", job.id());
    assert_eq!(sum, 3);
}

fn a_dependency_on_an_unknown_job_is_decided_by_its_result(site: &Site) {
    let (pids, gate) = (site.path("pids"), site.path("gate"));
    fs::write(&gate, "").unwrap();
    let good = add::job(1, 2).submit(&site.cluster).unwrap();
    let bad = leave::job(pids.as_path(), gate.as_path(), 3).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&good), 3);
    assert_eq!(kind_of(&bad), JobErrorKind::Crashed);
    kill_supervisor(site);
    fs::remove_dir_all(site.path(".local")).unwrap();
    let cluster = another_client(site);
    let next = add::job(3, 4).after(&good).submit(&cluster).unwrap();
    assert_eq!(result_of(&next), 7);
    let error = add::job(3, 4).after(&bad).submit(&cluster).unwrap_err();
    let error = Error::to_string(&error);
    assert!(error.starts_with(&format!("the job cannot run, because job {}", bad.id())), "{error}");
    // If only an option names the job, only its number is known.
    for (kind, id) in [("afterok", good.id()), ("afterany", bad.id())] {
        let call = add::job(3, 4).dependency(format!("{kind}:{id}"));
        let error = call.submit(&cluster).unwrap_err().to_string();
        let expected = format!("cannot tell whether job {id} ended as this job requires");
        assert!(error.contains(&expected), "{error}");
    }
    let submissions = site.submissions().len();
    assert_eq!(submissions, 3, "refused submissions left no directory");
}

/// Runs until its second run.
#[slurm::task(time = "0:16", on_timeout = "requeue", signal = "USR1@8")]
fn until_it_runs_again(ctx: &JobContext, ready: &Path) -> u32 {
    fs::write(ready, "").unwrap();
    while ctx.restart_count() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    ctx.restart_count()
}

fn a_job_keeps_its_full_time_after_an_overdue_warning(site: &Site) {
    // A runner asks for another run two seconds before the limit, which a loaded machine may need.
    for away in [Duration::from_secs(13), Duration::from_secs(18)] {
        let ready = site.path(&format!("ready-{}", away.as_secs()));
        let job = until_it_runs_again::job(ready.as_path()).submit(&site.cluster).unwrap();
        until("it runs", || ready.exists());
        let started = Instant::now();
        kill_supervisor(site);
        until("the warning is overdue", || started.elapsed() >= away);
        assert_eq!(result_of(&job), 1, "the supervisor was away for {away:?}");
    }
}

fn a_time_limit_is_not_early_after_a_take_over(site: &Site) {
    // A loaded machine may need some of it for the start.
    const LIMIT: Duration = Duration::from_secs(10);
    let ready = site.path("ready");
    // A start that is stored in whole seconds would be almost a second off.
    let fraction = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    until("a second is nearly over", || fraction().subsec_millis() / 100 == 7);
    let before = Instant::now();
    let job = wait_for_stop::job(ready.as_path()).time(LIMIT).submit(&site.cluster).unwrap();
    until("it runs", || ready.exists());
    kill_supervisor(site);
    // The task is asked to stop at its limit.
    let _ = job.wait();
    assert!(before.elapsed() >= LIMIT, "it had only {:?}", before.elapsed());
}

/// Kills supervisors while `work` runs.
fn while_supervisors_are_killed(site: &Site, work: impl FnOnce(&Cluster)) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let address = || {
                let text = fs::read(place(site).join("supervisor.json")).ok()?;
                serde_json::from_slice::<serde_json::Value>(&text).ok()
            };
            let mut pause = 0;
            until("all jobs have ended", || {
                pause = (pause + 7) % 40;
                thread::sleep(Duration::from_millis(20 + pause));
                if let Some(address) = place_is_there(site).then(address).flatten() {
                    let pid = address["pid"].to_string();
                    let _ = Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status();
                }
                done.load(Ordering::SeqCst)
            });
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&another_client(site))));
        done.store(true, Ordering::SeqCst);
        outcome.unwrap_or_else(|payload| resume_unwind(payload));
    });
}

fn supervisors_killed_at_any_moment_run_each_job_once(site: &Site) {
    const JOBS: usize = 60;
    let runs = site.path("runs");
    let gate = site.path("gate");
    fs::write(&gate, "").unwrap();
    while_supervisors_are_killed(site, |cluster| {
        let submit = |n: usize| {
            let call = note_run::job(runs.as_path(), gate.as_path());
            let call = if n.is_multiple_of(3) { call.ntasks(2) } else { call };
            call.submit(cluster).unwrap()
        };
        let jobs: Vec<_> = (0..JOBS).map(submit).collect();
        let results: Vec<_> = jobs.iter().map(|job| job.result_timeout(3 * PATIENCE)).collect();
        for (job, result) in jobs.iter().zip(results) {
            assert_eq!(result.map_err(|error| error.to_string()), Ok(0), "{}", job.id());
        }
        let mut expected: Vec<String> = Vec::new();
        for (n, job) in jobs.iter().enumerate() {
            expected.extend(vec![job.id().to_string(); if n.is_multiple_of(3) { 2 } else { 1 }]);
        }
        expected.sort();
        let mut ran = lines(&runs);
        ran.sort();
        assert_eq!(ran, expected);
    });
}

fn place_is_there(site: &Site) -> bool {
    fs::read_dir(site.path(".local")).is_ok_and(|mut hosts| hosts.next().is_some())
}
