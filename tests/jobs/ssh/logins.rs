//! Jobs over every kind of login: through a jump host, with a password, with answers to questions.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use slurm::ssh::Prompt;
use slurm::{Cluster, Error, HostKeyPolicy, Ssh};

use crate::common::{Site, error_of, result_of, variable};
use crate::proxy::Proxy;
use crate::slurm::command_answers::wrapper;
use crate::ssh::cut_connections::small_program;
use crate::sshd::Sshd;
use crate::tasks::*;

trials![
    ssh_servers jobs_run_through_a_jump_host,
    ssh_servers jobs_run_with_a_password_alone,
    ssh_servers jobs_run_with_answers_to_questions,
    ssh_servers a_lost_connection_is_replaced_after_new_questions,
    ssh_servers a_refused_login_ends_the_wait,
    ssh_servers a_question_without_an_answer_fails_after_its_timeout,
    ssh_servers jobs_run_over_the_connection_of_an_openssh_master,
    ssh_servers a_dead_master_is_replaced_or_reported,
    ssh_servers a_master_with_few_sessions_is_enough,
];

/// Returns the port of a server of `tests/sshd`, by its number in `lib.sh`.
fn port(place: u16) -> u16 {
    variable("SLURM_SDK_TEST_SSHD_PORT_BASE").parse::<u16>().unwrap() + place
}

const PASSWORD: u16 = 1;
const KEYBOARD: u16 = 2;
const ONE_SESSION: u16 = 3;
const JUMP: u16 = 4;
const TWO_FACTORS: u16 = 9;

/// Returns Slurm's commands for these servers, which have no Slurm configuration.
fn commands(site: &Site) -> PathBuf {
    let script = format!("export SLURM_CONF={}\nexec \"$real\" \"$@\"", variable("SLURM_CONF"));
    let all = ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo"];
    all.map(|program| wrapper(site, program, &script))[0].clone()
}

/// Returns settings that ignore this machine's SSH configuration.
fn to(site: &Site, host: &str, configuration: &str) -> Ssh {
    let config = site.path("config");
    let nothing_else = "Host *\n IdentityAgent none\n GlobalKnownHostsFile none\n";
    std::fs::write(&config, format!("{configuration}\n{nothing_else}")).unwrap();
    Ssh::to(host)
        .user(variable("SLURM_SDK_TEST_USER"))
        .config_file(config)
        .known_hosts_file(site.path("known_hosts"))
        .host_key_policy(HostKeyPolicy::Auto)
        .slurm_bin_dir(commands(site).to_str().unwrap())
}

fn open(site: &Site, ssh: Ssh) -> Cluster {
    let builder = Cluster::builder().ssh(ssh).job_base_dir(site.base.path());
    builder.runner_binary(small_program(site)).build().unwrap_or_else(|error| panic!("{error}"))
}

fn whole_jobs(cluster: &Cluster) {
    let job = print::job("out", "err").submit(cluster).unwrap_or_else(|error| panic!("{error}"));
    result_of(&job);
    assert_eq!(
        (job.stdout().unwrap().as_str(), job.stderr().unwrap().as_str()),
        ("out\n", "err\n")
    );
    let failed = parse::job("x").submit(cluster).unwrap();
    assert!(error_of(&failed).to_string().contains("the number is invalid"));
    let array = square::map(0..4).submit(cluster).unwrap();
    let sum = sum::job(&array).submit(cluster).unwrap();
    assert_eq!(array.results().unwrap(), [0, 1, 4, 9]);
    assert_eq!(result_of(&sum), 14);
    let waiting = wait_for::job(Path::new("/nonexistent")).submit(cluster).unwrap();
    waiting.cancel().unwrap();
    assert!(error_of(&waiting).to_string().contains("was cancelled"));
}

fn jobs_run_through_a_jump_host(site: &Site) {
    let gate = variable("SLURM_SDK_TEST_SSHD_JUMP_HOST");
    // Returns the address of this machine for the jump host.
    let here = if gate == "127.0.0.1" { "127.0.0.1" } else { "10.199.27.1" };
    let line = if gate == here { String::new() } else { format!("ListenAddress {here}") };
    let server = Sshd::start(site.base.path(), &[&line]);
    let configuration = format!(
        "Host login\n HostName {here}\n Port {}\n IdentityFile {}\n ProxyJump gate\n\
         Host gate\n HostName {gate}\n Port {}\n IdentityFile {}/keys/id_ed25519\n\
         Host *\n User {}\n UserKnownHostsFile {}\n StrictHostKeyChecking accept-new\n",
        server.address.port(),
        variable("SLURM_SDK_TEST_SSH_KEY"),
        port(JUMP),
        variable("SLURM_SDK_TEST_SSHD"),
        variable("SLURM_SDK_TEST_USER"),
        site.path("known_hosts").display(),
    );
    let cluster = open(site, to(site, "login", &configuration).no_prompts());
    let connection = cluster.command(["printenv", "SSH_CONNECTION"]).unwrap().stdout;
    assert!(connection.starts_with(&format!("{gate} ")), "the jump host connects: {connection}");
    whole_jobs(&cluster);
}

fn jobs_run_with_a_password_alone(site: &Site) {
    let ssh = to(site, "127.0.0.1", "").port(port(PASSWORD)).no_prompts();
    let cluster = open(site, ssh.password(variable("SLURM_SDK_TEST_SSHD_PASSWORD")));
    whole_jobs(&cluster);
}

/// Returns settings with answers to the questions of `keyboard`, and the number of questions so far.
fn answering(ssh: Ssh) -> (Ssh, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move |prompt: &Prompt<'_>| {
        count.fetch_add(1, Ordering::SeqCst);
        let of_code = prompt.text.contains("code");
        Some(variable(if of_code {
            "SLURM_SDK_TEST_SSHD_CODE"
        } else {
            "SLURM_SDK_TEST_SSHD_PASSWORD"
        }))
    };
    (ssh.prompter(answer), asked)
}

fn jobs_run_with_answers_to_questions(site: &Site) {
    let (ssh, asked) = answering(to(site, "127.0.0.1", "").port(port(KEYBOARD)));
    let cluster = open(site, ssh);
    whole_jobs(&cluster);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        2,
        "one login serves all requests, and asks two questions"
    );
}

fn a_lost_connection_is_replaced_after_new_questions(site: &Site) {
    let proxy = Proxy::new(([127, 0, 0, 1], port(KEYBOARD)).into(), std::time::Duration::ZERO);
    let (ssh, asked) = answering(to(site, "127.0.0.1", "").port(proxy.port));
    let cluster = open(site, ssh);
    let job = add::job(20, 22).submit(&cluster).unwrap();
    proxy.cut();
    assert_eq!(result_of(&job), 42);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

fn a_refused_login_ends_the_wait(site: &Site) {
    let go = site.path("go");
    let proxy = Proxy::new(([127, 0, 0, 1], port(PASSWORD)).into(), std::time::Duration::ZERO);
    let ssh = to(site, "127.0.0.1", "").port(proxy.port).no_prompts();
    // The password is deleted after the first login.
    let cluster = open(site, ssh.password(variable("SLURM_SDK_TEST_SSHD_PASSWORD")));
    let job = wait_for::job(go.as_path()).submit(&cluster).unwrap();
    let array = wait_for::map([go.as_path()]).submit(&cluster).unwrap();
    proxy.cut();
    for error in [job.result().unwrap_err(), array.results().unwrap_err()] {
        assert!(matches!(error, Error::Ssh(_)), "{error:?}");
        assert!(error.to_string().contains("the login as "), "{error}");
    }
    let tried = proxy.connections();
    assert!(tried < 10, "{tried} logins would lock the account");
    std::fs::write(&go, "").unwrap();
    let other = open(
        site,
        to(site, "127.0.0.1", "")
            .port(port(PASSWORD))
            .no_prompts()
            .password(variable("SLURM_SDK_TEST_SSHD_PASSWORD")),
    );
    assert!(
        result_of(&other.attach::<wait_for>(job.handle()).unwrap()),
        "the job has kept running"
    );
}

fn a_question_without_an_answer_fails_after_its_timeout(site: &Site) {
    let proxy = Proxy::new(([127, 0, 0, 1], port(KEYBOARD)).into(), Duration::ZERO);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // Answers only for the first login.
    let answer = move |prompt: &Prompt<'_>| {
        if count.fetch_add(1, Ordering::SeqCst) >= 2 {
            std::thread::sleep(Duration::from_secs(600));
        }
        let code = prompt.text.contains("code");
        let name = if code { "SLURM_SDK_TEST_SSHD_CODE" } else { "SLURM_SDK_TEST_SSHD_PASSWORD" };
        Some(variable(name))
    };
    let ssh = to(site, "127.0.0.1", "").port(proxy.port).prompter(answer);
    let cluster = open(site, ssh.prompt_timeout(Duration::from_secs(2)));
    let job = add::job(20, 22).submit(&cluster).unwrap();
    proxy.cut();
    let before = Instant::now();
    for _ in 0..20 {
        let error = job.state().unwrap_err();
        assert!(error.to_string().contains("the question was not answered within 2 s"), "{error}");
    }
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    assert_eq!(asked.load(Ordering::SeqCst), 3, "no further question is asked");
    // The job itself is not affected.
    let (ssh, _) = answering(to(site, "127.0.0.1", "").port(port(KEYBOARD)));
    let other = open(site, ssh);
    assert_eq!(result_of(&other.attach::<add>(job.handle()).unwrap()), 42);
}

/// A connection that `ssh` keeps open, after a login with both factors.
struct Master {
    socket: PathBuf,
}

impl Master {
    fn start(site: &Site, port: u16) -> Self {
        let socket = site.path("cm");
        let answers = site.path("answers");
        let text = format!(
            "#!/bin/sh\ncase $1 in *code*) echo {};; *) echo '{}';; esac\n",
            variable("SLURM_SDK_TEST_SSHD_CODE"),
            variable("SLURM_SDK_TEST_SSHD_PASSWORD")
        );
        std::fs::write(&answers, text).unwrap();
        std::fs::set_permissions(&answers, std::fs::Permissions::from_mode(0o700)).unwrap();
        let status = Command::new("ssh")
            .args(["-M", "-N", "-f", "-F", "none", "-S"])
            .arg(&socket)
            .args(["-l", &variable("SLURM_SDK_TEST_USER"), "-p", &port.to_string(), "-i"])
            .arg(format!("{}/keys/id_ed25519", variable("SLURM_SDK_TEST_SSHD")))
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .arg("127.0.0.1")
            .env("SSH_ASKPASS", answers)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        Self { socket }
    }

    fn settings(&self, site: &Site, port: u16) -> Ssh {
        to(site, "127.0.0.1", &format!("ControlPath {}", self.socket.display())).port(port)
    }

    fn end(&self) {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-O", "exit", "-S"]).arg(&self.socket).arg("master");
        let _ = command.stderr(Stdio::null()).status();
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.end();
    }
}

fn jobs_run_over_the_connection_of_an_openssh_master(site: &Site) {
    let master = Master::start(site, port(TWO_FACTORS));
    let cluster = open(site, master.settings(site, port(TWO_FACTORS)).no_prompts());
    whole_jobs(&cluster);
    // Much data in both directions, and many requests at once.
    let values: Vec<i64> = (0..1_000_000).map(|n| n * 0x0101_0101_0101).collect();
    let doubled = result_of(&double::job(values.clone()).submit(&cluster).unwrap());
    assert_eq!(doubled.len(), values.len());
    assert!(doubled.iter().zip(&values).all(|(two, one)| *two == one * 2));
    let jobs = cluster.submit_all((0..20).map(|n| add::job(n, n)));
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(result_of(&job.unwrap()), 2 * n);
    }
}

fn a_dead_master_is_replaced_or_reported(site: &Site) {
    let master = Master::start(site, port(TWO_FACTORS));
    let key = site.path("key");
    std::fs::copy(format!("{}/keys/id_ed25519", variable("SLURM_SDK_TEST_SSHD")), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = || master.settings(site, port(TWO_FACTORS)).identity_file(&key);
    // No prompt is possible, and the error says so.
    let silent = open(site, settings().no_prompts());
    let (ssh, asked) = answering(settings());
    let cluster = open(site, ssh);
    let job = add::job(20, 22).submit(&cluster).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    master.end();
    assert_eq!(result_of(&job), 42);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the library's own connection needed both factors");
    let error = silent.attach::<add>(job.handle()).unwrap().result().unwrap_err();
    assert!(error.to_string().contains("the login as "), "{error}");
    assert!(error.hint().unwrap().contains("ControlMaster"), "{:?}", error.hint());
}

fn a_master_with_few_sessions_is_enough(site: &Site) {
    let master = Master::start(site, port(ONE_SESSION));
    let cluster = open(site, master.settings(site, port(ONE_SESSION)).no_prompts());
    whole_jobs(&cluster);
}
