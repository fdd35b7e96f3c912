//! Behaviour of the embedded backend alone, and failures that only it can be made to show.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{BackendKind, Cluster, Error, JobState};

use crate::common::{Site, error_of, kind_of, result_of, until};
use crate::roles;
use crate::tasks::*;

trials![
    local jobs_wait_until_they_fit,
    local a_job_larger_than_the_machine_runs_alone,
    local a_job_over_its_memory_is_killed,
    local a_time_limit_ends_a_job,
    local a_warning_signal_comes_before_the_end,
    local no_job_is_lost_if_the_supervisor_dies,
    local no_element_is_lost_if_the_supervisor_dies,
    local options_that_cannot_be_honoured_are_refused,
    local a_supervisor_without_work_ends,
    local dependencies_order_jobs,
    local a_removed_base_directory_can_be_used_again,
    local a_damaged_journal_loses_only_the_damaged_lines,
    local a_removed_socket_is_bound_again,
    local the_socket_is_in_tmp_if_other_paths_are_too_long,
    local a_supervisor_that_cannot_start_reports_why_at_once,
    local the_resources_of_a_job_outlive_the_supervisor,
    local a_reader_of_a_script_is_not_taken_for_its_job,
    local a_cancellation_outlives_the_supervisor,
    local the_environment_is_kept_until_a_job_has_ended,
];

/// Returns the directory of the site's supervisor.
pub(crate) fn place(site: &Site) -> PathBuf {
    let hosts = fs::read_dir(site.path(".local")).unwrap();
    hosts.map(|entry| entry.unwrap().path()).next().unwrap()
}

fn address(site: &Site) -> serde_json::Value {
    let text = fs::read(place(site).join("supervisor.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

pub(crate) fn is_alive(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

pub(crate) fn kill_supervisor(site: &Site) {
    kill(&address(site)["pid"].to_string());
}

pub(crate) fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
    until("the supervisor is gone", || {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        line.is_empty() || line.contains(") Z ")
    });
}

/// Returns a cluster with a connection of its own.
pub(crate) fn another_client(site: &Site) -> Cluster {
    let builder = Cluster::builder().backend(BackendKind::Local).job_base_dir(site.base.path());
    builder.local_cpus(4).local_gpus(2).build().unwrap()
}

fn jobs_wait_until_they_fit(site: &Site) {
    let (first_go, second_go) = (site.path("first"), site.path("second"));
    let submit = |file| wait_for::job(file).cpus_per_task(3).submit(&site.cluster).unwrap();
    let (first, second) = (submit(&first_go), submit(&second_go));
    until("the first runs", || first.state().unwrap() == JobState::Running);
    let small = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(second.state().unwrap(), JobState::Pending, "3 + 3 of 4 CPUs");
    assert_eq!(small.state().unwrap(), JobState::Pending, "a small job does not overtake");
    fs::write(&first_go, "").unwrap();
    assert!(result_of(&first));
    assert_eq!(result_of(&small), 3);
    fs::write(&second_go, "").unwrap();
    assert!(result_of(&second));
}

fn a_job_larger_than_the_machine_runs_alone(site: &Site) {
    let job = look_around::job().cpus_per_task(60_000).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job).cpus, 4);
    assert!(job.explain().unwrap().warnings[0].starts_with("asks for 60000 CPUs"));
}

fn a_job_over_its_memory_is_killed(site: &Site) {
    let greedy = take_memory::job(400_usize, 300_u64).mem("200M").submit(&site.cluster).unwrap();
    let modest = take_memory::job(50_usize, 1_u64).mem("200M").submit(&site.cluster).unwrap();
    let unlimited = take_memory::job(400_usize, 1_u64).submit(&site.cluster).unwrap();
    let error = error_of(&greedy);
    assert_eq!(error.kind, JobErrorKind::OutOfMemory, "{error}");
    assert_eq!(greedy.state().unwrap(), JobState::OutOfMemory);
    assert_eq!((result_of(&modest), result_of(&unlimited)), (50 << 20, 400 << 20));
    let items = [(400_usize, 300_u64), (50, 0)];
    let array = take_memory::map(items).mem("200M").chunk(1).submit(&site.cluster).unwrap();
    let summary = array.wait().unwrap();
    assert_eq!((summary.succeeded, summary.failed), (1, 1));
}

fn a_time_limit_ends_a_job(site: &Site) {
    let job = wait_for::job(site.path("never"))
        .time(Duration::from_secs(1))
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::TimedOut);
}

fn a_warning_signal_comes_before_the_end(site: &Site) {
    let ready = site.path("ready");
    let job = wait_for_stop::job(ready)
        .time(Duration::from_secs(5))
        .signal("B:USR1@3")
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(result_of(&job), "asked to stop");
}

fn no_job_is_lost_if_the_supervisor_dies(site: &Site) {
    let (go, next_go) = (site.path("go"), site.path("next"));
    let running = wait_for::job(&go).cpus_per_task(4).submit(&site.cluster).unwrap();
    until("the task runs", || running.stderr().unwrap().contains("waiting"));
    let waiting = wait_for::job(&next_go).cpus_per_task(4).submit(&site.cluster).unwrap();
    kill_supervisor(site);
    let cluster = another_client(site);
    let found = cluster.attach::<wait_for>(running.handle()).unwrap();
    assert_eq!(found.state().unwrap(), JobState::Running);
    assert_eq!(waiting.state().unwrap(), JobState::Pending, "its CPUs are still taken");
    fs::write(&go, "").unwrap();
    assert!(result_of(&found) && result_of(&running));
    fs::write(&next_go, "").unwrap();
    assert!(result_of(&waiting));
}

fn no_element_is_lost_if_the_supervisor_dies(site: &Site) {
    let (notes, gate) = (site.path("notes"), site.path("gate"));
    let noted = || {
        let text = fs::read_to_string(&notes).unwrap_or_default();
        let mut noted: Vec<u64> =
            text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        noted.sort_unstable();
        noted
    };
    let items = (0..8).map(|_| (notes.clone(), gate.clone()));
    let array = note_and_wait::map(items).submit(&site.cluster).unwrap();
    let next = square::map(0..8).after_corr(&array).submit(&site.cluster).unwrap();
    until("as many run as there are CPUs", || noted() == [0, 1, 2, 3]);
    kill_supervisor(site);
    array.cancel_items([6, 7]).unwrap();
    fs::write(&gate, "").unwrap();
    array.wait().unwrap();
    assert_eq!(noted(), [0, 1, 2, 3, 4, 5]);
    // The supervisor knows from their files that the elements it took over have completed.
    assert_eq!(next.results_of(0..6).unwrap(), [0, 1, 4, 9, 16, 25]);
    assert_eq!(next.wait().unwrap().failed, 2);
}

fn options_that_cannot_be_honoured_are_refused(site: &Site) {
    let error = add::job(1, 2).begin("now+1hour").submit(&site.cluster).unwrap_err();
    assert!(matches!(error, Error::Submit(_)), "{error:?}");
    assert!(error.to_string().contains("`begin`") && error.hint().is_some(), "{error}");
    let error = add::job(1, 2).ntasks(65).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("`ntasks`: 65 processes"), "{error}");
    assert!(site.submissions().is_empty());
}

fn a_supervisor_without_work_ends(site: &Site) {
    let cluster = another_client(site);
    assert_eq!(result_of(&add::job(1, 2).submit(&cluster).unwrap()), 3);
    drop(cluster);
    let address = place(site).join("supervisor.json");
    until("the supervisor is gone", || !address.exists());
    assert_eq!(
        result_of(&add::job(2, 2).submit(&site.cluster).unwrap()),
        4,
        "another supervisor starts"
    );
}

fn dependencies_order_jobs(site: &Site) {
    let go = site.path("go");
    let first = wait_for::job(&go).submit(&site.cluster).unwrap();
    let submit = |call: slurm::JobBuilder<add>| call.submit(&site.cluster).unwrap();
    let ok = submit(add::job(1, 2).after(&first));
    let any = submit(add::job(1, 2).after_any(&first));
    let not_ok = submit(add::job(1, 2).after_not_ok(&first));
    until("the first runs", || first.state().unwrap() == JobState::Running);
    assert_eq!(ok.state().unwrap(), JobState::Pending);
    fs::write(&go, "").unwrap();
    assert_eq!((result_of(&ok), result_of(&any)), (3, 3));
    let JobErrorKind::DependencyFailed { upstream } = kind_of(&not_ok) else { panic!("not that") };
    assert_eq!((upstream[0].job, upstream[0].message.as_str()), (first.id(), "succeeded"));
}

fn a_removed_base_directory_can_be_used_again(site: &Site) {
    assert_eq!(result_of(&add::job(1, 2).submit(&site.cluster).unwrap()), 3);
    let old = address(site)["pid"].to_string();
    // The runner may write its last line after the result.
    until("the directory is removed", || {
        fs::remove_dir_all(site.base.path()).is_ok() || !site.base.path().exists()
    });
    let (go, cluster) = (site.path("go"), another_client(site));
    let job = wait_for::job(&go).submit(&cluster).unwrap();
    until("the old supervisor has ended", || !is_alive(&old));
    let new = address(site);
    assert_ne!(new["pid"].to_string(), old);
    assert!(fs::metadata(new["socket"].as_str().unwrap()).unwrap().file_type().is_socket());
    let found = another_client(site).attach::<wait_for>(job.handle()).unwrap();
    assert_eq!(found.cancel().map_err(|error| error.to_string()), Ok(()));
    assert_eq!(kind_of(&job), JobErrorKind::Cancelled);
}

fn a_damaged_journal_loses_only_the_damaged_lines(site: &Site) {
    let go = site.path("go");
    let job = wait_for::job(&go).submit(&site.cluster).unwrap();
    until("it runs", || job.state().unwrap() == JobState::Running);
    kill_supervisor(site);
    let journal = place(site).join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let lines = text.lines().filter(|line| !line.contains("{\"Spawned\""));
    let mut bytes = b"{\"Ended\":\xff}\n".to_vec();
    lines.for_each(|line| bytes.extend(format!("{line}\n").bytes()));
    bytes.extend(b"{\"Submitted\":{\"id\":9,");
    fs::write(&journal, bytes).unwrap();
    let cluster = another_client(site);
    let found = cluster.attach::<wait_for>(job.handle()).unwrap();
    assert_eq!(found.state().unwrap(), JobState::Running, "found by its command line");
    let log = fs::read_to_string(place(site).join("supervisor.log")).unwrap();
    assert!(log.contains("2 lines cannot be read"), "{log}");
    let next = add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!(result_of(&next), 3);
    kill_supervisor(site);
    let next = another_client(site).attach::<add>(next.handle()).unwrap();
    assert_eq!(next.state().unwrap(), JobState::Completed, "no later line was swallowed");
    fs::write(&go, "").unwrap();
    assert!(result_of(&found));
}

fn a_removed_socket_is_bound_again(site: &Site) {
    let go = site.path("go");
    let job = wait_for::job(&go).submit(&site.cluster).unwrap();
    let before = address(site);
    fs::remove_file(before["socket"].as_str().unwrap()).unwrap();
    let found = another_client(site).attach::<wait_for>(job.handle()).unwrap();
    assert!(!found.state().unwrap().is_terminal());
    assert_eq!(address(site)["pid"], before["pid"], "the supervisor is the same");
    fs::write(&go, "").unwrap();
    assert!(result_of(&found));
}

fn the_socket_is_in_tmp_if_other_paths_are_too_long(site: &Site) {
    let long = site.path(&"x".repeat(100));
    fs::create_dir(&long).unwrap();
    let sum = roles::run(site, "add", "", |command| {
        command.env("XDG_RUNTIME_DIR", site.path("gone")).env("TMPDIR", &long);
    });
    assert_eq!(sum, "Ok(42)");
    assert!(address(site)["socket"].as_str().unwrap().starts_with("/tmp/slurm-sdk-"));
}

fn a_supervisor_that_cannot_start_reports_why_at_once(site: &Site) {
    assert_eq!(result_of(&add::job(1, 2).submit(&site.cluster).unwrap()), 3);
    let place = place(site);
    kill_supervisor(site);
    fs::remove_file(place.join("journal.jsonl")).unwrap();
    fs::create_dir(place.join("journal.jsonl")).unwrap();
    let error = add::job(1, 2).submit(&another_client(site)).unwrap_err();
    assert!(error.to_string().contains("Is a directory"), "{error}");
    let log = fs::read_to_string(place.join("supervisor.log")).unwrap();
    assert_eq!(log.lines().count(), 1, "one supervisor was started: {log}");
}

fn the_resources_of_a_job_outlive_the_supervisor(site: &Site) {
    let cluster = another_client(site);
    let gpu = |cluster: &Cluster| {
        variable::job("CUDA_VISIBLE_DEVICES").gpus("1").submit(cluster).unwrap()
    };
    let (first_go, second_go) = (site.path("first"), site.path("second"));
    let submit = |file| wait_for::job(file).gpus("1").submit(&cluster).unwrap();
    let (first, second) = (submit(&first_go), submit(&second_go));
    until("both run", || second.state().unwrap() == JobState::Running);
    fs::write(&first_go, "").unwrap();
    assert!(result_of(&first));
    assert_eq!(result_of(&gpu(&cluster)).as_deref(), Some("0"), "the second job has the other GPU");
    kill_supervisor(site);
    let cluster = another_client(site);
    assert_eq!(result_of(&gpu(&cluster)).as_deref(), Some("0"), "the second job keeps its GPU");
    let both = variable::job("CUDA_VISIBLE_DEVICES").gpus("2").submit(&cluster).unwrap();
    assert_eq!(both.state().unwrap(), JobState::Pending, "one GPU is still in use");
    fs::write(&second_go, "").unwrap();
    assert!(result_of(&cluster.attach::<wait_for>(second.handle()).unwrap()));
    assert_eq!(result_of(&both).as_deref(), Some("0,1"));
}

fn a_reader_of_a_script_is_not_taken_for_its_job(site: &Site) {
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    until("the task runs", || job.stderr().unwrap().contains("waiting"));
    let script = site.submissions()[0].join("script.sh");
    assert!(script.exists(), "{}", script.display());
    let journal = fs::read_to_string(place(site).join("journal.jsonl")).unwrap();
    let spawned = journal.lines().find(|line| line.contains("{\"Spawned\"")).unwrap();
    let spawned: serde_json::Value = serde_json::from_str(spawned).unwrap();
    let mut reader = Command::new("tail");
    reader.arg("-f").arg(&script).stdout(Stdio::null()).process_group(0);
    let mut reader = reader.spawn().unwrap();
    kill_supervisor(site);
    kill(&spawned[1]["Spawned"]["process"]["pid"].to_string());
    let found = another_client(site).attach::<wait_for>(job.handle()).unwrap();
    let state = found.state();
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!(state.unwrap(), JobState::Failed);
    assert_eq!(kind_of(&found), JobErrorKind::Crashed);
}

fn a_cancellation_outlives_the_supervisor(site: &Site) {
    let job = ignore_stop::job(site.path("never")).submit(&site.cluster).unwrap();
    until("it watches", || job.stderr().unwrap().contains("watching"));
    job.cancel().unwrap();
    until("it was asked", || job.stderr().unwrap().contains("asked"));
    kill_supervisor(site);
    let found = another_client(site).attach::<ignore_stop>(job.handle()).unwrap();
    assert!(!found.state().unwrap().is_terminal(), "the job has not ended");
    assert_eq!(kind_of(&found), JobErrorKind::Cancelled);
}

fn the_environment_is_kept_until_a_job_has_ended(site: &Site) {
    let (go, next_go) = (site.path("go"), site.path("next"));
    let submit = |file| wait_for::job(file).cpus_per_task(4).submit(&site.cluster).unwrap();
    let (running, waiting) = (submit(&go), submit(&next_go));
    until("one runs", || running.state().unwrap() == JobState::Running);
    let environments = place(site).join("environments");
    let kept = || -> Vec<PathBuf> {
        fs::read_dir(&environments).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let files = kept();
    assert_eq!(files.len(), 2, "each job may be started later: {files:?}");
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&files[0]).unwrap().contains("[\"PATH\","));
    let journal = fs::read_to_string(place(site).join("journal.jsonl")).unwrap();
    assert!(!journal.contains("\"PATH\""), "{journal}");
    kill_supervisor(site);
    fs::write(&go, "").unwrap();
    let cluster = another_client(site);
    let found = cluster.attach::<wait_for>(waiting.handle()).unwrap();
    until("the other runs", || found.state().unwrap() == JobState::Running);
    assert_eq!(kept().len(), 1);
    found.cancel().unwrap();
    assert_eq!(kind_of(&found), JobErrorKind::Cancelled);
    assert_eq!(kept(), Vec::<PathBuf>::new());
    assert!(result_of(&running));
}
