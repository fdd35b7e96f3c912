//! Connections that are cut, or fall silent, while something is under way.

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
    ssh a_connection_that_is_cut_while_a_program_is_staged,
    ssh a_program_runs_though_its_first_upload_never_ends,
    ssh whenever_staging_is_cut_the_program_is_whole,
    ssh a_program_comes_up_though_it_is_cut_again_and_again,
    ssh a_cut_of_all_lanes_costs_no_question_its_answer,
    ssh a_submission_that_is_cut_anywhere_makes_one_job,
    ssh a_lost_answer_of_sbatch_is_found,
    ssh a_connection_that_is_cut_while_waiting_is_made_again,
    ssh a_result_arrives_though_its_transfer_is_cut,
    ssh a_network_that_falls_silent_is_noticed,
];

/// The user's jobs with this name, whatever became of them.
pub(crate) fn jobs_named(name: &str) -> Vec<String> {
    let listed = std::process::Command::new("sacct")
        .args(["-X", "-P", "-n", "-S", "now-1hours", "-o", "JobIDRaw", "--name", name])
        .output()
        .unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn a_connection_that_is_cut_while_a_program_is_staged(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    // Somewhere in the midst of the upload, which is much longer.
    proxy.cut_after(3_000_000);
    let job = add::job(20, 22).submit(&cluster).unwrap();
    assert_eq!(result_of(&job), 42);
    assert!(proxy.connections() >= 2);
    let names: Vec<_> = std::fs::read_dir(site.path(".bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1, "the binary, and nothing half-finished: {names:?}");
}

fn a_program_runs_though_its_first_upload_never_ends(site: &Site) {
    let proxy = near();
    let cluster = open(at_port(proxy.port, site).keepalive(Duration::from_secs(1)), site);
    // The shell there goes on waiting for the rest of a piece, with the file open for writing.
    proxy.freeze_after(3_000_000);
    let job = thread::scope(|scope| {
        let submission = scope.spawn(|| add::job(20, 22).submit(&cluster).unwrap());
        until("a part of it is there", || proxy.is_frozen());
        proxy.freeze(false);
        submission.join().unwrap()
    });
    assert_eq!(result_of(&job), 42);
    assert!(proxy.connections() >= 2);
}

/// This program without what only debuggers read: a few pieces instead of dozens.
pub(crate) fn small_program(site: &Site) -> PathBuf {
    let path = site.path("small");
    let stripped =
        Command::new("strip").arg("-o").args([&path, &std::env::current_exe().unwrap()]).status();
    assert!(stripped.unwrap().success());
    path
}

/// Submits a job that has to stage its program first, with a cut once so many bytes have been sent; returns how many
/// the staging has sent, and whether it was cut.
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
    assert_eq!(folders.len(), 1, "{cut:?}: the binary, and nothing half-finished: {folders:?}");
    let there = std::fs::read(folders[0].path().join("small")).unwrap();
    assert!(there == std::fs::read(program).unwrap(), "{cut:?}: it is whole");
    (staged.saturating_sub(alone), was_cut)
}

fn whenever_staging_is_cut_the_program_is_whole(site: &Site) {
    let proxy = near();
    let program = small_program(site);
    // One upload may open a lane more than another, which takes some kilobytes.
    let measured = [(); 2].map(|()| stage_with_cut(site, &proxy, &program, None));
    assert!(measured.iter().all(|(_, was_cut)| !was_cut), "{measured:?}");
    let upload = measured[0].0.min(measured[1].0);
    assert!(upload > 1 << 20, "{upload} bytes");
    // While it is looked whether the program is there, when the upload begins, and in several pieces.
    for cut in [1, 600, 1500, 3000, upload / 4, upload / 2, upload / 4 * 3] {
        assert!(
            stage_with_cut(site, &proxy, &program, Some(cut)).1,
            "it was cut after {cut} bytes"
        );
    }
    // When the host is told to check what has come. An upload that is shorter than the measured ones is over by then.
    let late = [3000, 1500, 900, 500].map(|before| upload - before);
    let cuts = late.map(|cut| stage_with_cut(site, &proxy, &program, Some(cut)).1);
    assert!(cuts.contains(&true), "none of {late:?} was reached");
}

fn a_program_comes_up_though_it_is_cut_again_and_again(site: &Site) {
    let proxy = near();
    let program = small_program(site);
    let builder = Cluster::builder().ssh(at_port(proxy.port, site));
    let builder = builder.job_base_dir(site.base.path()).runner_binary(&program);
    let cluster = builder.build().unwrap();
    // Of the later ones, most is what a login sends; several pieces are on their way then.
    proxy.cut_again_after(500_000, 6, 50_000);
    let job = add::job(20, 22).submit(&cluster).unwrap_or_else(|error| panic!("{error}"));
    assert!(proxy.connections() > 7, "{} connections", proxy.connections());
    assert_eq!(result_of(&job), 42);
}

fn a_cut_of_all_lanes_costs_no_question_its_answer(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    let job = print::job("out", "err").submit(&cluster).unwrap();
    result_of(&job);
    for _ in 0..10 {
        // At the same time, so that each needs a lane of its own.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| job.stdout().unwrap());
            }
        });
        proxy.cut();
        assert_eq!(job.stdout().unwrap(), "out\n");
    }
}

fn a_submission_that_is_cut_anywhere_makes_one_job(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    // How much a submission sends, so that cuts can be spread over all of it and a little beyond.
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

/// Submits a job while the connection is cut between the end of `program` on the host and its answer, and asserts that
/// the program ran once.
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

fn a_connection_that_is_cut_while_waiting_is_made_again(site: &Site) {
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

fn a_result_arrives_though_its_transfer_is_cut(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    let job = double::job(vec![7; 1_000_000]).mem("400M").submit(&cluster).unwrap();
    assert_eq!(job.wait().map(|state| state.to_string()).unwrap(), "COMPLETED");
    let again = cluster.attach::<double>(job.handle()).unwrap();
    let before = proxy.connections();
    // In the midst of eight million.
    proxy.cut_after_received(4_000_000);
    assert_eq!(result_of(&again), vec![14; 1_000_000]);
    assert!(proxy.connections() > before, "it was cut");
}

fn a_network_that_falls_silent_is_noticed(site: &Site) {
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
