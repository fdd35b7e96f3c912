//! Connections that are cut, or stop transferring, during requests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use slurm::{Cluster, Job};

use crate::common::{PATIENCE, Site, result_of, until};
use crate::proxy::Proxy;
use crate::slurm::command_answers::wrapper;
use crate::ssh::remote_host::{at_port, near, open, through};
use crate::ssh::repeated_requests::assert_whole;
use crate::tasks::*;

trials![
    ssh a_program_is_staged_although_the_connection_is_cut,
    ssh a_program_runs_although_its_first_upload_never_ends,
    ssh a_program_is_complete_wherever_its_staging_is_cut,
    ssh a_program_is_staged_although_every_connection_is_cut,
    ssh a_cut_of_all_lanes_loses_no_answer,
    ssh a_cut_at_any_point_submits_a_job_once,
    ssh a_lost_answer_of_sbatch_is_found,
    ssh a_wait_reconnects_after_a_cut,
    ssh a_result_arrives_although_its_transfer_is_cut,
    ssh a_network_that_transfers_nothing_is_noticed,
];

/// Returns the ids of the user's jobs with this name, in any state.
pub(crate) fn jobs_named(name: &str) -> Vec<String> {
    let listed = std::process::Command::new("sacct")
        .args(["-X", "-P", "-n", "-S", "now-1hours", "-o", "JobIDRaw", "--name", name])
        .output()
        .unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn a_program_is_staged_although_the_connection_is_cut(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    // Within the upload, which is much longer.
    proxy.cut_after(3_000_000);
    let job = add::job(20, 22).submit(&cluster).unwrap();
    assert_eq!(result_of(&job), 42);
    assert!(proxy.connections() >= 2);
    let names: Vec<_> = std::fs::read_dir(site.path(".bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1, "only the finished program is left: {names:?}");
}

fn a_program_runs_although_its_first_upload_never_ends(site: &Site) {
    let proxy = near();
    let cluster = open(at_port(proxy.port, site).keepalive(Duration::from_secs(1)), site);
    // The remote shell still waits for the rest of a piece, with the file open for writing.
    proxy.freeze_after(3_000_000);
    let job = thread::scope(|scope| {
        let submission = scope.spawn(|| add::job(20, 22).submit(&cluster).unwrap());
        until("a part has arrived", || proxy.is_frozen());
        proxy.freeze(false);
        submission.join().unwrap()
    });
    assert_eq!(result_of(&job), 42);
    assert!(proxy.connections() >= 2);
}

/// Returns a copy of this program without debug information, which takes a few pieces instead of dozens.
pub(crate) fn small_program(site: &Site) -> PathBuf {
    let path = site.path("small");
    let stripped =
        Command::new("strip").arg("-o").args([&path, &std::env::current_exe().unwrap()]).status();
    assert!(stripped.unwrap().success());
    path
}

/// Submits a job that has to stage its program first, with a cut after `cut` bytes. Returns the number of bytes
/// that the staging has sent, and whether it was cut.
fn stage_with_cut(site: &Site, proxy: &Proxy, program: &Path, cut: Option<u64>) -> (u64, bool) {
    let base = tempfile::tempdir_in(site.base.path()).unwrap();
    let builder = Cluster::builder().ssh(at_port(proxy.port, site));
    let builder = builder.job_base_dir(base.path()).runner_binary(program);
    let cluster = builder.build().unwrap();
    let (before, connections) = (proxy.sent(), proxy.connections());
    if let Some(bytes) = cut {
        proxy.cut_after(bytes);
    }
    let job = add::job(20, 22).submit(&cluster);
    let job = job.unwrap_or_else(|error| panic!("cut after {cut:?}: {error}"));
    let staged = proxy.sent() - before;
    let was_cut = proxy.connections() > connections;
    assert_eq!(result_of(&job), 42);
    let before = proxy.sent();
    let second = add::job(1, 2).submit(&cluster).unwrap();
    let alone = proxy.sent() - before;
    assert_eq!(result_of(&second), 3);
    let folders: Vec<_> = std::fs::read_dir(base.path().join(".bin")).unwrap().flatten().collect();
    assert_eq!(folders.len(), 1, "{cut:?}: only the finished program is left: {folders:?}");
    let there = std::fs::read(folders[0].path().join("small")).unwrap();
    assert!(there == std::fs::read(program).unwrap(), "{cut:?}: the program is incomplete");
    (staged.saturating_sub(alone), was_cut)
}

fn a_program_is_complete_wherever_its_staging_is_cut(site: &Site) {
    let proxy = near();
    let program = small_program(site);
    // One upload may open one lane more than another, which takes some kilobytes.
    let measured = [(); 2].map(|()| stage_with_cut(site, &proxy, &program, None));
    assert!(measured.iter().all(|(_, was_cut)| !was_cut), "{measured:?}");
    let upload = measured[0].0.min(measured[1].0);
    assert!(upload > 1 << 20, "{upload} bytes");
    // The cuts are in the check whether the program exists, at the beginning of the upload, and within several
    // pieces.
    for cut in [1, 600, 1500, 3000, upload / 4, upload / 2, upload / 4 * 3] {
        assert!(
            stage_with_cut(site, &proxy, &program, Some(cut)).1,
            "the connection was cut after {cut} bytes"
        );
    }
    // The late cuts are in the final check on the host. An upload that is shorter than the measured ones has
    // ended before.
    let late = [3000, 1500, 900, 500].map(|before| upload - before);
    let cuts = late.map(|cut| stage_with_cut(site, &proxy, &program, Some(cut)).1);
    assert!(cuts.contains(&true), "none of {late:?} was reached");
}

fn a_program_is_staged_although_every_connection_is_cut(site: &Site) {
    let proxy = near();
    let program = small_program(site);
    let builder = Cluster::builder().ssh(at_port(proxy.port, site));
    let builder = builder.job_base_dir(site.base.path()).runner_binary(&program);
    let cluster = builder.build().unwrap();
    // The later connections carry mostly a login; several pieces have been sent by then.
    proxy.cut_again_after(500_000, 6, 50_000);
    let job = add::job(20, 22).submit(&cluster).unwrap_or_else(|error| panic!("{error}"));
    assert!(proxy.connections() > 7, "{} connections", proxy.connections());
    assert_eq!(result_of(&job), 42);
}

fn a_cut_of_all_lanes_loses_no_answer(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    let job = print::job("out", "err").submit(&cluster).unwrap();
    result_of(&job);
    for _ in 0..10 {
        // At the same time, so that each needs its own lane.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| job.stdout().unwrap());
            }
        });
        proxy.cut();
        assert_eq!(job.stdout().unwrap(), "out\n");
    }
}

fn a_cut_at_any_point_submits_a_job_once(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    // A submission shows how many bytes it takes, so that the cuts are spread over all of it and a little
    // beyond.
    result_of(&add::job(0, 0).submit(&cluster).unwrap());
    let before = proxy.sent();
    let name = |n: u64| format!("cut-{}-{n}", std::process::id());
    let job = add::job(1, 1).job_name(name(0)).submit(&cluster).unwrap();
    let size = proxy.sent() - before;
    result_of(&job);
    let jobs: Vec<(u64, Job<i64>)> = (1..=12)
        .map(|n| {
            proxy.cut_after(size * n / 11);
            let job = add::job(n as i64, 1).job_name(name(n)).submit(&cluster);
            (n, job.unwrap_or_else(|error| panic!("cut {n} of 11: {error}")))
        })
        .collect();
    for (n, job) in &jobs {
        assert_eq!(result_of(job), *n as i64 + 1);
    }
    assert!(proxy.connections() >= 8, "{} connections", proxy.connections());
    for (n, job) in &jobs {
        until("the accounting knows it", || !jobs_named(&name(*n)).is_empty());
        assert_eq!(jobs_named(&name(*n)), [job.id().to_string()], "exactly one job");
    }
}

fn a_lost_answer_of_sbatch_is_found(site: &Site) {
    let job = submitted_across_a_cut(site, "sbatch");
    assert_eq!(site.submissions().len(), 1);
    assert_whole(job.job_dir());
}

/// Submits a job while the connection is cut after `program` has ended on the host and before its answer
/// arrives. Asserts that the program ran once.
pub(crate) fn submitted_across_a_cut(site: &Site, program: &str) -> Job<i64> {
    let (done, go) = (site.path("program-has-run"), site.path("program-may-answer"));
    let script = format!(
        "\"$real\" \"$@\" || exit 1\necho x >> {0}\nwhile [ ! -e {1} ]; do sleep 0.05; done",
        done.display(),
        go.display()
    );
    let dir = wrapper(site, program, &script);
    let proxy = near();
    let ssh = at_port(proxy.port, site).slurm_bin_dir(dir.to_str().unwrap());
    let cluster = open(ssh, site);
    let job = thread::scope(|scope| {
        let submission = scope.spawn(|| add::job(20, 22).submit(&cluster));
        until("the program has run", || done.exists());
        proxy.cut();
        until("there is another connection", || proxy.connections() > 1);
        std::fs::write(&go, "").unwrap();
        submission.join().unwrap().unwrap()
    });
    assert_eq!(result_of(&job), 42);
    assert_eq!(std::fs::read_to_string(&done).unwrap(), "x\n", "{program} ran once");
    job
}

fn a_wait_reconnects_after_a_cut(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    let go = site.path("go");
    let job = wait_for::job(go.as_path()).submit(&cluster).unwrap();
    until("the job runs", || job.stderr().unwrap().contains("waiting"));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| result_of(&job));
        for _ in 0..3 {
            let before = proxy.connections();
            proxy.cut();
            until("there is another connection", || proxy.connections() > before);
        }
        std::fs::write(&go, "").unwrap();
        assert!(waiting.join().unwrap());
    });
}

fn a_result_arrives_although_its_transfer_is_cut(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    let job = double::job(vec![7; 1_000_000]).mem("400M").submit(&cluster).unwrap();
    assert_eq!(job.wait().map(|state| state.to_string()).unwrap(), "COMPLETED");
    let again = cluster.attach::<double>(job.handle()).unwrap();
    let before = proxy.connections();
    // Within eight million bytes.
    proxy.cut_after_received(4_000_000);
    assert_eq!(result_of(&again), vec![14; 1_000_000]);
    assert!(proxy.connections() > before, "the connection was cut");
}

fn a_network_that_transfers_nothing_is_noticed(site: &Site) {
    let proxy = near();
    let cluster = open(at_port(proxy.port, site).keepalive(Duration::from_secs(1)), site);
    let job = add::job(1, 2).submit(&cluster).unwrap();
    result_of(&job);
    proxy.freeze(true);
    let began = Instant::now();
    let submission = thread::spawn({
        let cluster = cluster.clone();
        move || add::job(20, 22).submit(&cluster)
    });
    until("the submission is on its way", || proxy.swallowed() > 0);
    proxy.freeze(false);
    let job = submission.join().unwrap().unwrap();
    assert_eq!(result_of(&job), 42);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}
