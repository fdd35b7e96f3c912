//! Behaviour of clusters behind an SSH connection alone.

use std::thread;
use std::time::Duration;

use slurm::error::{Refusal, SubmitError};
use slurm::{Cluster, Error, Job, Ssh};

use crate::common::{PATIENCE, Site, error_of, login_node, result_of, until, variable};
use crate::proxy::Proxy;
use crate::slurm::command_answers::{assert_still_hangs, hanging_queue, wrapper};
use crate::sshd::Sshd;
use crate::tasks::*;

trials![
    ssh a_tilde_is_the_home_directory_on_the_host,
    ssh many_calls_are_submitted_at_once,
    ssh a_refused_call_does_not_prevent_others,
    ssh a_large_argument_and_a_large_result_arrive,
    ssh a_small_result_does_not_wait_for_a_large_one,
    ssh a_job_of_another_host_is_refused,
    ssh any_login_shell_is_supported,
    ssh output_of_rc_files_does_no_harm,
    ssh one_session_at_a_time_is_enough,
    ssh a_command_that_hangs_does_not_delay_others_on_a_single_session,
    ssh commands_outside_of_path_can_be_configured,
    ssh a_result_is_found_while_squeue_hangs,
    ssh a_number_in_a_banner_is_not_taken_for_the_id,
    ssh an_error_names_the_host_with_the_log_and_the_directory,
    ssh a_program_for_another_machine_is_refused,
];

pub(crate) fn server() -> std::net::SocketAddr {
    let port = std::env::var("SLURM_SDK_TEST_SSH_PORT").unwrap().parse().unwrap();
    ([127, 0, 0, 1], port).into()
}

/// Returns the cluster of a site through a proxy.
pub(crate) fn through(proxy: &Proxy, site: &Site) -> Cluster {
    open(at_port(proxy.port, site), site)
}

/// Returns settings for the same cluster at another port.
pub(crate) fn at_port(port: u16, site: &Site) -> Ssh {
    login_node().port(port).known_hosts_file(site.path("known_hosts"))
}

pub(crate) fn open(ssh: Ssh, site: &Site) -> Cluster {
    Cluster::builder().ssh(ssh).job_base_dir(site.base.path()).build().unwrap()
}

pub(crate) fn near() -> Proxy {
    Proxy::new(server(), Duration::ZERO)
}

fn a_tilde_is_the_home_directory_on_the_host(_: &Site) {
    let cluster = Cluster::builder().ssh(login_node()).job_base_dir("~/x y").build().unwrap();
    assert!(cluster.job_base_dir().is_absolute());
    assert!(cluster.job_base_dir().ends_with("x y"));
}

fn many_calls_are_submitted_at_once(site: &Site) {
    let jobs = site.cluster.submit_all((0..20).map(|n| add::job(n, 1)));
    let values: Vec<i64> = jobs.into_iter().map(|job| result_of(&job.unwrap())).collect();
    assert_eq!(values, (1..=20).collect::<Vec<_>>());
    for dir in site.submissions() {
        assert!(dir.join("submitted.json").exists(), "{}", dir.display());
    }
}

fn a_refused_call_does_not_prevent_others(site: &Site) {
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

fn a_large_argument_and_a_large_result_arrive(site: &Site) {
    // Far above every window and pipe, in both directions, with bytes that are not text.
    let values: Vec<i64> = (0..1_000_000).map(|n| n * 0x0101_0101_0101).collect();
    let job = double::job(values.clone()).submit(&site.cluster).unwrap();
    let doubled = result_of(&job);
    assert!(doubled.iter().zip(&values).all(|(two, one)| *two == one * 2));
    assert_eq!(doubled.len(), values.len());
}

fn a_small_result_does_not_wait_for_a_large_one(site: &Site) {
    let proxy = near();
    let cluster = through(&proxy, site);
    let large = double::job(vec![7; 1_000_000]).mem("400M").submit(&cluster).unwrap();
    let small = double::job(vec![1]).submit(&cluster).unwrap();
    for job in [&large, &small] {
        assert_eq!(job.wait().map(|state| state.to_string()).unwrap(), "COMPLETED");
    }
    let again = |job: &Job<Vec<i64>>| cluster.attach::<double>(job.handle()).unwrap();
    let (small, large) = (again(&small), again(&large));
    // Within eight million bytes.
    proxy.hold_after_received(4_000_000);
    let mut ends = slurm::as_completed(&[&small, &large]).unwrap();
    assert!(matches!(ends.next(), Some(Ok(0))), "the small result comes first");
    assert_eq!(proxy.connections(), 1, "the connection was not replaced");
    assert_eq!(result_of(&small), [2]);
    proxy.release();
    assert!(matches!(ends.next(), Some(Ok(1))));
    assert_eq!(result_of(&large), vec![14; 1_000_000]);
}

fn a_program_for_another_machine_is_refused(site: &Site) {
    // This program with the header of another processor.
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

/// Runs a job on a server with this line in its configuration.
fn on_server(site: &Site, line: &str) {
    let server = Sshd::start(site.base.path(), &[line]);
    let cluster = open(at_port(server.address.port(), site), site);
    let job = print::job("it's $HOME", "`id`\n\\ ! %s").submit(&cluster).unwrap();
    result_of(&job);
    assert_eq!(job.stdout().unwrap(), "it's $HOME\n");
    assert_eq!(job.stderr().unwrap(), "`id`\n\\ ! %s\n");
}

fn a_job_of_another_host_is_refused(site: &Site) {
    let other = Ssh::to("localhost").known_hosts_file(site.path("known_hosts"));
    let other = other
        .port(server().port())
        .user(variable("SLURM_SDK_TEST_USER"))
        .identity_file(variable("SLURM_SDK_TEST_SSH_KEY"))
        .no_prompts();
    let job = double::job(vec![1]).submit(&open(other, site)).unwrap();
    let error = double::job(&job).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("belongs to another cluster"), "{error}");
    assert_eq!(result_of(&job), [2]);
}

fn any_login_shell_is_supported(site: &Site) {
    for shell in ["dash", "tcsh", "fish", "bash --posix"] {
        let base = tempfile::tempdir_in(site.base.path()).unwrap();
        let site = Site { base, cluster: site.cluster.clone(), kind: site.kind };
        let force = format!("ForceCommand exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"");
        on_server(&site, &force);
    }
}

fn output_of_rc_files_does_no_harm(site: &Site) {
    let chatter = site.path("chatter");
    // More than fits into a window, before the first answer and on both streams.
    std::fs::write(&chatter, "yes Welcome | head -c 3000000\nyes Beware | head -c 3000000 >&2\n")
        .unwrap();
    let line =
        format!("SetEnv BASH_ENV={} SLURM_CONF={}", chatter.display(), variable("SLURM_CONF"));
    on_server(site, &line);
}

fn one_session_at_a_time_is_enough(site: &Site) {
    let server = Sshd::start(site.base.path(), &["MaxSessions 1"]);
    let cluster = open(at_port(server.address.port(), site), site);
    // More requests at once than sessions.
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

fn a_command_that_hangs_does_not_delay_others_on_a_single_session(site: &Site) {
    let server = Sshd::start(site.base.path(), &["MaxSessions 1"]);
    let proxy = Proxy::new(server.address, Duration::ZERO);
    let ssh = at_port(proxy.port, site).command_timeout(PATIENCE * 3);
    let cluster = open(ssh, site);
    let job = add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!(proxy.connections(), 1, "one connection suffices until a command hangs");
    let (began, over) = (site.path("began"), site.path("over"));
    let script = ": > \"$0\"; while [ ! -e \"$1\" ]; do sleep 0.05; done";
    let words = ["sh", "-c", script, began.to_str().unwrap(), over.to_str().unwrap()];
    thread::scope(|scope| {
        let hanging = scope.spawn(|| cluster.command(words));
        until("the command runs", || began.exists());
        let other = add::job(20, 22).submit(&cluster).unwrap();
        assert_eq!((result_of(&job), result_of(&other)), (3, 42));
        assert!(!hanging.is_finished(), "no other request waited for its end");
        assert_eq!(proxy.connections(), 2, "two connections suffice then");
        std::fs::write(&over, "").unwrap();
        hanging.join().unwrap().unwrap();
    });
}

fn commands_outside_of_path_can_be_configured(site: &Site) {
    // Everything except Slurm, as at sites where only the profile adds Slurm to `PATH`.
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

fn a_result_is_found_while_squeue_hangs(site: &Site) {
    let (dir, over) = hanging_queue(site);
    let ssh = login_node().slurm_bin_dir(dir.to_str().unwrap());
    let cluster = open(ssh, site);
    assert_eq!(result_of(&add::job(20, 22).submit(&cluster).unwrap()), 42);
    assert_still_hangs(site);
    std::fs::write(over, "").unwrap();
}

fn a_number_in_a_banner_is_not_taken_for_the_id(site: &Site) {
    // Numbers before and after sbatch's own line, and beside sbatch's usual sentence.
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
        assert!(log.exists(), "{} is the id of another job", job.id());
        let note = std::fs::read_to_string(job.job_dir().join("submitted.json")).unwrap();
        assert!(note.contains(&format!("\"job_id\":{}", job.id())), "{note}");
    }
}

fn an_error_names_the_host_with_the_log_and_the_directory(site: &Site) {
    let job = exit_with::job(3).submit(&site.cluster).unwrap();
    let error = error_of(&job);
    let log = error.job.stderr_file.clone().unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "leaving with 3\n");
    let hint = error.hint().unwrap();
    for place in [&log, &error.job.dir] {
        assert!(hint.contains(&format!("127.0.0.1:{}", place.display())), "{hint}");
    }
    let on = |dir: &str| Cluster::builder().ssh(login_node()).job_base_dir(dir).build().unwrap();
    let error = add::job(1, 2).submit(&on("/proc/none")).unwrap_err();
    assert!(error.to_string().contains(" 127.0.0.1:/proc/none"), "{error}");
    let error = add::job(1, 2).submit(&on("/tmp")).unwrap_err();
    assert!(error.to_string().contains(" 127.0.0.1:/tmp"), "{error}");
    // A directory is not a log file.
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    let error = job.stderr().unwrap_err();
    assert!(error.to_string().contains(&format!(" 127.0.0.1:{}", log.display())), "{error}");
}
