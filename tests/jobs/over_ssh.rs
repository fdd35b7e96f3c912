//! What only a cluster behind an SSH connection does.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use slurm::error::{Refusal, SubmitError};
use slurm::{BackendKind, Cluster, Error, Job, Ssh};

use crate::attempts::assert_whole;
use crate::common::{
    PATIENCE, Site, cluster_is_missing, login_node, on, result_of, until, variable,
};
use crate::logger;
use crate::proxy::Proxy;
use crate::roles;
use crate::sshd::Sshd;
use crate::tasks::*;

pub(crate) fn trials() -> Vec<Trial> {
    let ssh = |name, body| on(BackendKind::Ssh, name, body);
    vec![
        ssh("home_is_the_one_over_there", home_is_over_there),
        ssh("many_calls_are_submitted_at_once", many_calls_at_once),
        ssh("a_refused_call_keeps_no_other_from_its_job", a_refused_call_among_others),
        ssh("a_large_argument_and_a_large_result_arrive", large_values),
        ssh("a_connection_that_is_cut_while_a_program_is_staged", cut_while_staging),
        ssh("a_submission_that_is_cut_anywhere_makes_one_job", cut_while_submitting),
        ssh("a_lost_answer_of_sbatch_is_found", cut_while_sbatch_runs),
        ssh("a_connection_that_is_cut_while_waiting_is_made_again", cut_while_waiting),
        ssh("a_result_arrives_though_its_transfer_is_cut", cut_while_a_result_comes),
        ssh("a_network_that_falls_silent_is_noticed", a_silent_network),
        ssh("a_job_of_another_host_is_refused", a_job_of_another_host),
        ssh("any_login_shell_will_do", any_login_shell),
        ssh("the_words_of_rc_files_do_no_harm", words_of_rc_files),
        ssh("one_session_at_a_time_is_enough", one_session_at_a_time),
        ssh("commands_that_are_not_in_the_path_can_be_found", commands_out_of_the_path),
        ssh("a_queue_that_hangs_hides_no_result", a_hanging_queue),
        ssh("a_number_in_a_banner_is_no_id", a_number_in_a_banner),
        ssh("a_program_for_another_machine_is_refused", a_foreign_program),
    ]
}

/// Tests that count requests, each in a process of its own, where nothing else makes any.
pub(crate) fn counting_trials() -> Vec<Trial> {
    let trial = |(name, _): &(&'static str, fn())| {
        let name = *name;
        let trial = Trial::test(format!("ssh::requests::{name}"), move || {
            roles::run_alone("requests", name);
            Ok::<(), Failed>(())
        });
        if cluster_is_missing() {
            trial.with_kind("no cluster: run tests/cluster/up").with_ignored_flag(true)
        } else {
            trial
        }
    };
    COUNTING.iter().map(trial).collect()
}

const COUNTING: &[(&str, fn())] = &[
    ("a_submission_is_one", a_submission_is_one_request),
    ("a_hundred_submissions_are_few", a_hundred_submissions_are_few_requests),
    ("a_thousand_jobs_are_polled_like_one", a_thousand_jobs_are_polled_like_one),
    ("a_result_is_one_and_a_cancellation_two", a_result_and_a_cancellation),
];

/// The role of the process that counts.
pub(crate) fn count(name: &str) {
    let (_, body) = COUNTING.iter().find(|(known, _)| *known == name).expect("a name of the table");
    body();
}

pub(crate) fn server() -> std::net::SocketAddr {
    let port = std::env::var("SLURM_SDK_TEST_SSH_PORT").unwrap().parse().unwrap();
    ([127, 0, 0, 1], port).into()
}

/// The cluster of a site, through a proxy.
fn through(proxy: &Proxy, site: &Site) -> Cluster {
    open(at_port(proxy.port, site), site)
}

/// The settings for another way to the same cluster.
pub(crate) fn at_port(port: u16, site: &Site) -> Ssh {
    login_node().port(port).known_hosts_file(site.path("known_hosts"))
}

pub(crate) fn open(ssh: Ssh, site: &Site) -> Cluster {
    Cluster::builder().ssh(ssh).job_base_dir(site.base.path()).build().unwrap()
}

pub(crate) fn near() -> Proxy {
    Proxy::new(server(), Duration::ZERO)
}

/// The user's jobs with this name, whatever became of them.
pub(crate) fn jobs_named(name: &str) -> Vec<String> {
    let listed = std::process::Command::new("sacct")
        .args(["-X", "-P", "-n", "-S", "now-1hours", "-o", "JobIDRaw", "--name", name])
        .output()
        .unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn home_is_over_there(_: &Site) {
    let cluster = Cluster::builder().ssh(login_node()).job_base_dir("~/x y").build().unwrap();
    assert!(cluster.job_base_dir().is_absolute());
    assert!(cluster.job_base_dir().ends_with("x y"));
}

fn many_calls_at_once(site: &Site) {
    let jobs = site.cluster.submit_all((0..20).map(|n| add::job(n, 1)));
    let values: Vec<i64> = jobs.into_iter().map(|job| result_of(&job.unwrap())).collect();
    assert_eq!(values, (1..=20).collect::<Vec<_>>());
    for dir in site.submissions() {
        assert!(dir.join("submitted.json").exists(), "{}", dir.display());
    }
}

fn a_refused_call_among_others(site: &Site) {
    let calls = [
        add::job(1, 1),
        add::job(1, 2).partition("nosuch"),
        add::job(1, 3).time("4 h"),
        add::job(1, 4),
    ];
    let jobs = site.cluster.submit_all(calls);
    assert!(matches!(
        jobs[1],
        Err(Error::Submit(SubmitError::Refused { refusal: Refusal::Partition, .. }))
    ));
    assert!(matches!(jobs[2], Err(Error::Options { .. })));
    assert_eq!(result_of(jobs[0].as_ref().unwrap()), 2);
    assert_eq!(result_of(jobs[3].as_ref().unwrap()), 5);
    assert_eq!(site.submissions().len(), 2, "no directory of a refused call is left");
}

fn large_values(site: &Site) {
    // Far above every window and pipe, both ways; the bytes are none that a shell could read.
    let values: Vec<i64> = (0..1_000_000).map(|n| n * 0x0101_0101_0101).collect();
    let job = double::job(values.clone()).submit(&site.cluster).unwrap();
    let doubled = result_of(&job);
    assert!(doubled.iter().zip(&values).all(|(two, one)| *two == one * 2));
    assert_eq!(doubled.len(), values.len());
}

fn cut_while_staging(site: &Site) {
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

fn cut_while_submitting(site: &Site) {
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

/// Puts a program of the same name before the real one.
pub(crate) fn wrapper(site: &Site, program: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let dir = site.path("wrappers");
    std::fs::create_dir_all(&dir).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let real = std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.exists())
        .unwrap();
    let text = format!("#!/bin/sh\nreal={}\n{script}\n", real.display());
    std::fs::write(dir.join(program), text).unwrap();
    std::fs::set_permissions(dir.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn cut_while_sbatch_runs(site: &Site) {
    let (began, go) = (site.path("sbatch-runs"), site.path("sbatch-may-end"));
    // The job exists; then the answer waits for the cut.
    let script = format!(
        "\"$real\" \"$@\" || exit 1\necho x >> {0}\nwhile [ ! -e {1} ]; do sleep 0.05; done",
        began.display(),
        go.display()
    );
    let dir = wrapper(site, "sbatch", &script);
    let proxy = near();
    let ssh = at_port(proxy.port, site).slurm_bin_dir(dir.to_str().unwrap());
    let cluster = open(ssh, site);
    let job = thread::scope(|scope| {
        let submission = scope.spawn(|| add::job(20, 22).submit(&cluster));
        until("sbatch has been called", || began.exists());
        proxy.cut();
        std::fs::write(&go, "").unwrap();
        submission.join().unwrap().unwrap()
    });
    assert_eq!(result_of(&job), 42);
    assert_eq!(std::fs::read_to_string(&began).unwrap(), "x\n", "sbatch was called once");
    assert_eq!(site.submissions().len(), 1);
    assert_whole(job.job_dir());
}

fn cut_while_waiting(site: &Site) {
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

fn cut_while_a_result_comes(site: &Site) {
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

fn a_silent_network(site: &Site) {
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

fn a_foreign_program(site: &Site) {
    // This program, but as if it were for another processor.
    let mut program = std::fs::read("/proc/self/exe").unwrap();
    program[18] = 183;
    let path = site.path("for-arm");
    std::fs::write(&path, &program).unwrap();
    let cluster =
        site.builder().job_base_dir(site.base.path()).runner_binary(&path).build().unwrap();
    let error = add::job(1, 2).submit(&cluster).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("aarch64") && text.contains("x86_64"), "{text}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("--target x86_64-unknown-linux-gnu"), "{hint}");
    assert!(site.submissions().is_empty());
}

/// A whole job on a server with these peculiarities.
fn on_server(site: &Site, line: &str) {
    let server = Sshd::start(site.base.path(), &[line]);
    let cluster = open(at_port(server.address.port(), site), site);
    let job = print::job("it's $HOME", "`id`\n\\ ! %s").submit(&cluster).unwrap();
    result_of(&job);
    assert_eq!(job.stdout().unwrap(), "it's $HOME\n");
    assert_eq!(job.stderr().unwrap(), "`id`\n\\ ! %s\n");
}

fn a_job_of_another_host(site: &Site) {
    let other = Ssh::to("localhost").known_hosts_file(site.path("known_hosts"));
    let other = other
        .port(server().port())
        .user(variable("SLURM_SDK_TEST_USER"))
        .identity_file(variable("SLURM_SDK_TEST_SSH_KEY"))
        .no_prompts();
    let job = double::job(vec![1]).submit(&open(other, site)).unwrap();
    let error = double::job(&job).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("is not one of this cluster"), "{error}");
    assert_eq!(result_of(&job), [2]);
}

fn any_login_shell(site: &Site) {
    for shell in ["dash", "tcsh", "fish", "bash --posix"] {
        let base = tempfile::tempdir_in(site.base.path()).unwrap();
        let site = Site { base, cluster: site.cluster.clone(), kind: site.kind };
        let force = format!("ForceCommand exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"");
        on_server(&site, &force);
    }
}

fn words_of_rc_files(site: &Site) {
    let chatter = site.path("chatter");
    // More than fits into a window, before the first answer and on both streams.
    std::fs::write(&chatter, "yes Welcome | head -c 3000000\nyes Beware | head -c 3000000 >&2\n")
        .unwrap();
    let line =
        format!("SetEnv BASH_ENV={} SLURM_CONF={}", chatter.display(), variable("SLURM_CONF"));
    on_server(site, &line);
}

fn one_session_at_a_time(site: &Site) {
    let server = Sshd::start(site.base.path(), &["MaxSessions 1"]);
    let cluster = open(at_port(server.address.port(), site), site);
    // More at once than there are sessions.
    let sums: Vec<i64> = thread::scope(|scope| {
        let sums: Vec<_> = (0..6)
            .map(|n| {
                scope.spawn({
                    let cluster = &cluster;
                    move || result_of(&add::job(n, 1).submit(cluster).unwrap())
                })
            })
            .collect();
        sums.into_iter().map(|sum| sum.join().unwrap()).collect()
    });
    assert_eq!(sums, [1, 2, 3, 4, 5, 6]);
}

fn commands_out_of_the_path(site: &Site) {
    // Everything but Slurm, as at sites where only the profile says where that is.
    let few = site.path(".few");
    std::fs::create_dir(&few).unwrap();
    let slurm = ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo", "srun"];
    for entry in std::fs::read_dir("/usr/bin").unwrap().flatten() {
        if !slurm.contains(&entry.file_name().to_str().unwrap()) {
            std::os::unix::fs::symlink(entry.path(), few.join(entry.file_name())).unwrap();
        }
    }
    let line = format!("SetEnv PATH={} SLURM_CONF={}", few.display(), variable("SLURM_CONF"));
    let server = Sshd::start(site.base.path(), &[&line]);
    let ssh = at_port(server.address.port(), site);
    let error = add::job(1, 2).submit(&open(ssh.clone(), site)).unwrap_err();
    assert!(error.to_string().contains("sbatch was not found"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("slurm_bin_dir") && hint.contains("login_shell"), "{hint}");
    assert!(site.submissions().is_empty());
    for ssh in [ssh.clone().slurm_bin_dir("/usr/bin"), ssh.login_shell(true)] {
        assert_eq!(result_of(&add::job(1, 2).submit(&open(ssh, site)).unwrap()), 3);
    }
}

fn a_hanging_queue(site: &Site) {
    let dir = wrapper(site, "squeue", "exec sleep 50");
    let ssh = login_node().slurm_bin_dir(dir.to_str().unwrap());
    let cluster = open(ssh, site);
    let began = Instant::now();
    assert_eq!(result_of(&add::job(20, 22).submit(&cluster).unwrap()), 42);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

fn a_number_in_a_banner(site: &Site) {
    // Before sbatch's own line and after it, and with it as a sentence.
    let scripts = [
        "echo 7; \"$real\" \"$@\" || exit; echo 'days left:'; echo 12",
        "id=$(\"$real\" \"$@\") || exit; echo \"Submitted batch job ${id%;*}\"; echo 12",
    ];
    for script in scripts {
        let dir = wrapper(site, "sbatch", script);
        let cluster = open(login_node().slurm_bin_dir(dir.to_str().unwrap()), site);
        let job = add::job(20, 22).submit(&cluster).unwrap();
        assert_eq!(result_of(&job), 42);
        let log = job.job_dir().join(format!("slurm-{}.out", job.id()));
        assert!(log.exists(), "{} is the id of another", job.id());
        let note = std::fs::read_to_string(job.job_dir().join("submitted.json")).unwrap();
        assert!(note.contains(&format!("\"job_id\":{}", job.id())), "{note}");
    }
}

fn a_submission_is_one_request() {
    let site = Site::new(BackendKind::Ssh);
    add::job(1, 2).submit(&site.cluster).unwrap();
    logger::requests();
    add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(logger::requests(), ["submit"]);
    let cluster = open(login_node(), &site);
    logger::requests();
    add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!(logger::requests(), ["check the binary", "submit"], "in a new process");
}

fn a_hundred_submissions_are_few_requests() {
    let site = Site::new(BackendKind::Ssh);
    add::job(1, 2).submit(&site.cluster).unwrap();
    logger::requests();
    let jobs = site.cluster.submit_all((0..100).map(|n| add::job(n, 1)));
    let requests = logger::requests();
    assert!(requests.len() <= 3, "{requests:?}");
    jobs.into_iter().for_each(|job| job.unwrap().cancel().unwrap());
}

fn a_thousand_jobs_are_polled_like_one() {
    let site = Site::new(BackendKind::Ssh);
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    until("the job runs", || job.stderr().unwrap().contains("waiting"));
    // A thousand submissions that no queue knows would be lost; a thousand waits for the same
    // one, under different names, are what the poller sees of a thousand jobs.
    let handles: Vec<slurm::JobHandle> = (0..1000)
        .map(|n| {
            let mut handle = job.handle().clone();
            handle.pre_id = format!("20260101_000000_{n:08x}").parse().unwrap();
            handle
        })
        .collect();
    let jobs: Vec<Job<bool>> =
        handles.iter().map(|handle| site.cluster.attach::<wait_for>(handle).unwrap()).collect();
    let polled = |jobs: &[Job<bool>]| {
        logger::requests();
        let limit = Duration::from_secs(3);
        thread::scope(|scope| {
            for job in jobs {
                scope.spawn(move || job.result_within(limit).unwrap_err());
            }
        });
        logger::requests()
    };
    let one = polled(&jobs[..1]).len();
    let thousand = polled(&jobs);
    job.cancel().unwrap();
    assert!(one >= 3, "one job was polled {one} times");
    assert!(
        thousand.len() <= one + one / 2,
        "{} requests for 1000 jobs, {one} for one",
        thousand.len()
    );
    assert!(thousand.iter().all(|what| what == "look" || what == "squeue"), "{thousand:?}");
}

fn a_result_and_a_cancellation() {
    let site = Site::new(BackendKind::Ssh);
    let done = add::job(20, 22).submit(&site.cluster).unwrap();
    result_of(&done);
    let job = site.cluster.attach::<add>(done.handle()).unwrap();
    logger::requests();
    assert_eq!(result_of(&job), 42);
    assert_eq!(logger::requests(), ["look"]);
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    logger::requests();
    job.cancel().unwrap();
    assert_eq!(logger::requests(), ["scancel"]);
}
