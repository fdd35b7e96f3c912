//! The cost of a cluster behind a link with a round trip of 40 ms, compared with `scp` over the same link.
//!
//! `benches/run` starts the test cluster and runs this benchmark on it. The link is a proxy that delays every
//! byte by 20 ms in each direction and does not limit the rate. Like the library, `scp` uses a connection that
//! is already open (a control master).

#[path = "../tests/jobs/support/proxy.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod proxy;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};
use proxy::Proxy;
use slurm::{Cluster, Ssh};

const ROUND_TRIP: Duration = Duration::from_millis(40);

/// Does nothing, which is the least work of a task.
#[slurm::task(time = "00:05:00", mem = "50M")]
fn nothing() {}

/// Returns bytes that cannot be compressed.
#[slurm::task(time = "00:05:00", mem = "800M")]
fn noise(mib: usize) -> Vec<u8> {
    bytes(mib << 20)
}

/// Counts the requests of the library to the host.
struct Counter;

static REQUESTS: AtomicUsize = AtomicUsize::new(0);

impl Log for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == "slurm::ssh" {
            REQUESTS.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

fn main() {
    slurm::init().expect("the tasks of this program are valid");
    if std::env::var_os("SLURM_SDK_TEST_CLUSTER").is_none() {
        println!("no cluster is up: benches/run starts one and measures on it");
        return;
    }
    log::set_logger(&Counter).expect("no other logger");
    log::set_max_level(LevelFilter::Debug);
    let home = std::env::home_dir().expect("a home directory");
    let base =
        tempfile::Builder::new().prefix("slurm-sdk-bench-").tempdir_in(home).expect("a directory");
    let server = ([127, 0, 0, 1], variable("SLURM_SDK_TEST_SSH_PORT").parse().expect("a port"));
    let proxy = Proxy::new(server.into(), ROUND_TRIP / 2);
    println!("SSH, round trip {} ms", ROUND_TRIP.as_millis());
    let cluster = Cluster::builder()
        .ssh(login(&proxy, base.path()))
        .job_base_dir(base.path().join("jobs"))
        .build()
        .expect("the cluster over SSH");
    submissions(&cluster);
    let scp = Scp::open(&proxy, base.path());
    staging(&proxy, &scp, base.path());
    result(&cluster, &scp, base.path());
}

fn variable(name: &str) -> String {
    std::env::var(name).expect(name)
}

fn user() -> String {
    format!("{}@127.0.0.1", variable("SLURM_SDK_TEST_USER"))
}

fn login(proxy: &Proxy, dir: &Path) -> Ssh {
    Ssh::to("127.0.0.1")
        .port(proxy.port)
        .user(variable("SLURM_SDK_TEST_USER"))
        .identity_file(variable("SLURM_SDK_TEST_SSH_KEY"))
        .known_hosts_file(dir.join("known_hosts"))
        .no_prompts()
}

/// Returns a call that does not run. The nodes are this machine, so a running call would slow down the measured
/// requests.
fn held() -> slurm::JobBuilder<nothing> {
    nothing::job().hold(true)
}

fn submissions(cluster: &Cluster) {
    nothing::job().submit(cluster).and_then(|job| job.result()).expect("a result");
    let (mut one, mut hundred) = (Vec::new(), Vec::new());
    let (mut of_one, mut of_hundred) = (0, 0);
    for _ in 0..5 {
        for _ in 0..3 {
            REQUESTS.store(0, Ordering::SeqCst);
            let began = Instant::now();
            let job = held().submit(cluster).expect("a job");
            one.push(began.elapsed());
            of_one = REQUESTS.load(Ordering::SeqCst);
            job.cancel().expect("no job");
        }
        REQUESTS.store(0, Ordering::SeqCst);
        let began = Instant::now();
        let jobs = cluster.submit_all((0..100).map(|_| held()));
        hundred.push(began.elapsed());
        of_hundred = REQUESTS.load(Ordering::SeqCst);
        let ids: Vec<String> =
            jobs.into_iter().map(|job| job.expect("a job").id().to_string()).collect();
        Command::new("scancel").args(ids).status().expect("scancel");
    }
    let (one, hundred) = (median(&mut one), median(&mut hundred));
    line(&format!("submit with a warm session ({of_one} round trip), median"), one);
    line(&format!("submit 100 at once ({of_hundred} round trips), median"), hundred);
    println!("  ratio {:.1} (aim: at most 20)", hundred.as_secs_f64() / one.as_secs_f64());
}

/// `scp` over an open connection.
struct Scp<'a> {
    proxy: &'a Proxy,
    dir: &'a Path,
}

impl<'a> Scp<'a> {
    fn open(proxy: &'a Proxy, dir: &'a Path) -> Self {
        let scp = Self { proxy, dir };
        let mut command = Command::new("ssh");
        scp.options(&mut command, "-p");
        command.args(["-M", "-N", "-f", &user()]);
        assert!(command.status().expect("ssh").success());
        scp
    }

    fn options(&self, command: &mut Command, port: &str) {
        command
            .args([port, &self.proxy.port.to_string(), "-F", "/dev/null", "-q"])
            .args(["-i", &variable("SLURM_SDK_TEST_SSH_KEY")])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", &format!("ControlPath={}", self.dir.join("control").display())]);
    }

    fn copy(&self, from: &str, to: &str) -> Duration {
        let mut command = Command::new("scp");
        self.options(&mut command, "-P");
        let began = Instant::now();
        assert!(command.args([from, to]).status().expect("scp").success());
        began.elapsed()
    }
}

impl Drop for Scp<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("ssh");
        self.options(&mut command, "-p");
        let _ = command.args(["-O", "exit", &user()]).output();
    }
}

fn staging(proxy: &Proxy, scp: &Scp<'_>, base: &Path) {
    let program = std::fs::read("/proc/self/exe").expect("this program");
    // These bytes behind the program cannot be compressed.
    let mut padded = program.clone();
    padded.extend(bytes(64 << 20));
    for (what, content) in [("this program", program), ("64 MiB that cannot be compressed", padded)]
    {
        let file = base.join("program");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..5 {
            // Each round changes the content, because the library does not copy a program that the host has.
            let mut content = content.clone();
            content.extend(format!("{what} {round}").into_bytes());
            std::fs::write(&file, &content).expect("a file");
            let from = file.display().to_string();
            theirs.push(scp.copy(&from, &format!("{}:{from}.copy", user())));
            let cluster = Cluster::builder()
                .ssh(login(proxy, base))
                .job_base_dir(base.join("jobs"))
                .runner_binary(&file)
                .build()
                .expect("the cluster over SSH");
            let began = Instant::now();
            let job = nothing::job().submit(&cluster).expect("a job");
            ours.push(began.elapsed());
            job.cancel().expect("no job");
        }
        compare(
            &format!("stage {what} ({} MiB) and submit", content_mib(&file)),
            &mut ours,
            &mut theirs,
        );
    }
}

fn result(cluster: &Cluster, scp: &Scp<'_>, base: &Path) {
    let job = noise::job(100_usize).submit(cluster).expect("a job");
    job.wait().expect("an end");
    job.report().unwrap_or_else(|error| panic!("{error}"));
    let file = job.job_dir().join("result");
    let copy = base.join("copy").display().to_string();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        theirs.push(scp.copy(&format!("{}:{}", user(), file.display()), &copy));
        let again = cluster.attach::<noise>(job.handle()).expect("the job");
        let began = Instant::now();
        assert_eq!(again.result().expect("a result").len(), 100 << 20);
        ours.push(began.elapsed());
    }
    compare("result of 100 MiB", &mut ours, &mut theirs);
}

fn compare(what: &str, ours: &mut [Duration], theirs: &mut [Duration]) {
    let (ours, theirs) = (median(ours), median(theirs));
    line(&format!("{what}, median"), ours);
    line("scp of the same file, median", theirs);
    println!(
        "  that is {:.0} % of scp's rate (aim: at least 70 %)",
        theirs.as_secs_f64() / ours.as_secs_f64() * 100.0
    );
}

fn content_mib(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len() >> 20)
}

/// Returns bytes in which a compressor finds no pattern.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

fn line(what: &str, time: Duration) {
    println!("  {what}: {:.1} ms", time.as_secs_f64() * 1e3);
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
