//! Requests that are repeated after their connection was lost, while the first one is still running on the
//! host.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use slurm::error::{HostError, Refusal, SubmitError};
use slurm::{Cluster, Error};

use crate::common::{Site, result_of, until};
use crate::proxy::Proxy;
use crate::slurm::command_answers::wrapper;
use crate::ssh::cut_connections::{jobs_named, submitted_across_a_cut};
use crate::ssh::remote_host::{at_port, near, open};
use crate::tasks::*;

trials![
    ssh a_half_sent_argument_of_a_dead_connection_does_no_harm,
    ssh a_first_request_that_continues_late_does_no_harm,
    ssh a_first_request_that_continues_after_a_refusal_submits_nothing,
    ssh an_upload_whose_last_answer_is_lost_is_not_repeated,
    ssh files_that_cannot_be_written_are_removed,
];

/// Returns a shell command that records the session of a wrapper, which sshd has started.
fn note_session(site: &Site) -> String {
    format!("ps -o sid= -p $$ >> {}", site.path("sessions").display())
}

/// Waits until all processes that sshd has started so far have ended.
fn until_sessions_end(site: &Site) {
    let noted = fs::read_to_string(site.path("sessions")).unwrap();
    let sessions: BTreeSet<&str> = noted.split_whitespace().collect();
    assert!(!sessions.is_empty());
    let is_over = || sessions.iter().all(|id| !Path::new("/proc").join(id).exists());
    until("the earlier sessions have ended", is_over);
}

fn through(proxy: &Proxy, site: &Site, wrappers: &Path) -> Cluster {
    let ssh = at_port(proxy.port, site).keepalive(Duration::from_secs(1));
    let cluster = open(ssh.slurm_bin_dir(wrappers.to_str().unwrap()), site);
    // The program is staged, and no work of this job is left.
    result_of(&add::job(0, 0).submit(&cluster).unwrap());
    cluster
}

/// Returns the files in a job's directory, except the logs.
fn files(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| !name.starts_with("slurm-")).collect()
}

/// Asserts that the directory of an ended job has exactly the expected files.
pub(crate) fn assert_whole(dir: &Path) {
    let expected = [".sbatch", "events.jsonl", "job.json", "result", "script.sh", "spec"];
    let expected = expected.into_iter().chain(["submitted.json"]).map(str::to_owned).collect();
    let mut found = files(dir);
    found.remove("output");
    assert_eq!(found, expected);
}

fn a_half_sent_argument_of_a_dead_connection_does_no_harm(site: &Site) {
    let script = format!("{}; exec \"$real\" \"$@\"", note_session(site));
    let dir = wrapper(site, "head", &script);
    let proxy = near();
    let cluster = through(&proxy, site, &dir);
    let go = site.path("go");
    let gate = wait_for::job(go.as_path()).submit(&cluster).unwrap();
    let name = format!("half-{}", std::process::id());
    // These are eight million bytes, and the remote shell waits for the second half of them until the end.
    let call = double::job(vec![7; 1_000_000]).mem("400M").job_name(&name).after_any(&gate);
    proxy.freeze_after(4_000_000);
    let job = thread::scope(|scope| {
        let submission = scope.spawn(|| call.submit(&cluster).unwrap());
        until("half of it has arrived", || proxy.is_frozen());
        proxy.freeze(false);
        submission.join().unwrap()
    });
    proxy.cut();
    until_sessions_end(site);
    fs::write(&go, "").unwrap();
    assert_eq!(result_of(&job), vec![14; 1_000_000]);
    assert_whole(job.job_dir());
    until("the accounting knows it", || !jobs_named(&name).is_empty());
    assert_eq!(jobs_named(&name), [job.id().to_string()]);
}

/// Returns a mkdir that stops once at the directory of a submission, before or after it has created it.
fn slow_mkdir(site: &Site, before: bool) -> String {
    let hold = format!(
        ": > {}; {}; while [ ! -e {} ]; do sleep 0.05; done",
        site.path("held").display(),
        note_session(site),
        site.path("may-go-on").display()
    );
    let make = format!("\"$real\" \"$@\"; s=$?; echo $s > {}", site.path("made").display());
    let both = if before { format!("{hold}; {make}") } else { format!("{make}; {hold}") };
    format!(
        "case \"$*\" in *./20??????_??????_*) ;; *) exec \"$real\" \"$@\";; esac\n\
         if [ ! -e {} ] || [ -e {} ]; then exec \"$real\" \"$@\"; fi\n{both}; exit $s",
        site.path("armed").display(),
        site.path("held").display()
    )
}

fn a_first_request_that_continues_late_does_no_harm(site: &Site) {
    let dir = wrapper(site, "mkdir", &slow_mkdir(site, false));
    let proxy = near();
    let cluster = through(&proxy, site, &dir);
    let go = site.path("go");
    let gate = wait_for::job(go.as_path()).submit(&cluster).unwrap();
    let name = format!("wakes-{}", std::process::id());
    let call = add::job(20, 22).job_name(&name).after_any(&gate);
    fs::write(site.path("armed"), "").unwrap();
    let job = thread::scope(|scope| {
        let submission = scope.spawn(|| call.submit(&cluster).unwrap());
        until("the directory is created", || site.path("held").exists());
        proxy.cut();
        submission.join().unwrap()
    });
    fs::write(site.path("may-go-on"), "").unwrap();
    until_sessions_end(site);
    fs::write(&go, "").unwrap();
    assert_eq!(result_of(&job), 42);
    assert_whole(job.job_dir());
    until("the accounting knows it", || !jobs_named(&name).is_empty());
    assert_eq!(jobs_named(&name), [job.id().to_string()]);
}

fn a_first_request_that_continues_after_a_refusal_submits_nothing(site: &Site) {
    let dir = wrapper(site, "mkdir", &slow_mkdir(site, true));
    let calls = site.path("calls");
    // The reason of the refusal is gone a moment later.
    let script = format!(
        "[ -e {} ] || exec \"$real\" \"$@\"\necho x >> {1}\n[ $(wc -l < {1}) -gt 1 ] && exec \"$real\" \"$@\"\n\
         echo 'sbatch: error: Batch job submission failed: Invalid qos specification' >&2; exit 1",
        site.path("armed").display(),
        calls.display()
    );
    wrapper(site, "sbatch", &script);
    let proxy = near();
    let cluster = through(&proxy, site, &dir);
    fs::write(site.path("armed"), "").unwrap();
    let error = thread::scope(|scope| {
        let submission = scope.spawn(|| add::job(20, 22).submit(&cluster).unwrap_err());
        until("the directory is about to be created", || site.path("held").exists());
        // The host does not notice that the connection is dead.
        proxy.freeze(true);
        until("bytes are lost", || proxy.swallowed() > 0);
        proxy.freeze(false);
        submission.join().unwrap()
    });
    let refused =
        matches!(error, Error::Submit(SubmitError::Refused { refusal: Refusal::Qos, .. }));
    assert!(refused, "{error:?}");
    fs::write(site.path("may-go-on"), "").unwrap();
    until("the first request has continued", || !read(&site.path("made")).is_empty());
    assert_ne!(read(&site.path("made")), "0\n", "there is no second directory");
    assert_eq!(read(&calls), "x\n", "the refused job is not submitted again");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn files_that_cannot_be_written_are_removed(site: &Site) {
    let script = "echo 'sync: error syncing: No space left on device' >&2; exit 1";
    let armed = site.path("armed");
    let script = format!("[ -e {} ] || exec \"$real\" \"$@\"\n{script}", armed.display());
    let dir = wrapper(site, "sync", &script);
    let cluster = through(&near(), site, &dir);
    let before = site.submissions();
    fs::write(&armed, "").unwrap();
    let is_told = |error: Error| {
        let text = error.to_string();
        assert!(
            matches!(error, Error::Submit(SubmitError::Host(HostError::File { .. }))),
            "{text}"
        );
    };
    is_told(add::job(1, 2).submit(&cluster).unwrap_err());
    let jobs = cluster.submit_all((0..3).map(|n| add::job(n, 1)));
    jobs.into_iter().for_each(|job| is_told(job.unwrap_err()));
    assert_eq!(site.submissions(), before, "no directory is left");
    fs::remove_file(&armed).unwrap();
    assert_eq!(result_of(&add::job(20, 22).submit(&cluster).unwrap()), 42);
}

fn an_upload_whose_last_answer_is_lost_is_not_repeated(site: &Site) {
    // The program is in its place when mv has moved it.
    submitted_across_a_cut(site, "mv");
    let names = fs::read_dir(site.path(".bin")).unwrap().count();
    assert_eq!(names, 1, "only the finished program is left");
}
