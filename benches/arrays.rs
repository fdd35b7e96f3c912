//! The time that arrays take, compared with bare Slurm arrays of the same shape, and their cost.
//!
//! `benches/run` starts the test cluster and runs this benchmark on it. `cargo bench --bench arrays` alone
//! measures the embedded backend. The measurements of a ratio alternate within one run, because machines are
//! noisy.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use slurm::{BackendKind, Cluster};

/// Returns its argument, which is the least work of a task.
#[slurm::task(time = "00:05:00", mem = "50M")]
fn identity(n: u64) -> u64 {
    n
}

/// Takes items of some size.
#[slurm::task(time = "00:05:00", mem = "50M")]
fn length(bytes: &[u8]) -> usize {
    bytes.len()
}

const ROUNDS: usize = 3;
const MILLION: u64 = 1_000_000;

fn main() {
    slurm::init().expect("the tasks of this program are valid");
    let home = std::env::home_dir().expect("a home directory");
    let base =
        tempfile::Builder::new().prefix("slurm-sdk-bench-").tempdir_in(home).expect("a directory");
    let cluster = |kind: BackendKind| {
        let base = base.path().join(kind.as_str());
        Cluster::builder().backend(kind).job_base_dir(base).build().expect("a cluster")
    };
    let embedded = cluster(BackendKind::Local);
    println!("embedded backend");
    let (time, _) = a_million(&embedded);
    line("a million calls, chunk_auto, submit to last result", time);
    if std::env::var_os("SLURM_SDK_TEST_CLUSTER").is_some() {
        println!("\nSlurm");
        on_slurm(&cluster(BackendKind::Slurm), base.path());
    } else {
        println!("no cluster is up: benches/run starts one and measures on it too");
    }
}

fn on_slurm(cluster: &Cluster, base: &Path) {
    // This call stages the program.
    identity::job(1).submit(cluster).and_then(|job| job.result()).expect("a result");

    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    let mut rpcs = BTreeMap::new();
    for round in 0..ROUNDS {
        floor.push(bare_array(base, round, 1000));
        let before = rpc_counts();
        let began = Instant::now();
        let array = identity::map(0..1000).submit(cluster).expect("an array");
        assert_eq!(array.results().expect("values").len(), 1000);
        ours.push(began.elapsed());
        rpcs = rpc_counts();
        rpcs.iter_mut().for_each(|(name, count)| *count -= before.get(name).unwrap_or(&0));
    }
    let (floor, ours) = (median(&mut floor), median(&mut ours));
    line("floor: bare array of 1,000 `touch FILE` until all files exist, median", floor);
    line("1,000 calls, one per element, submit to last result, median", ours);
    println!("  ratio {:.2} (aim: at most 1.15)", ours.as_secs_f64() / floor.as_secs_f64());
    println!("  messages to the controller meanwhile, of all users:");
    rpcs.iter().filter(|(_, count)| **count > 0).for_each(|(name, count)| {
        println!("    {count:5} {name}");
    });

    let (mut floor, mut ours, mut elements) = (Vec::new(), Vec::new(), 0);
    for round in ROUNDS..2 * ROUNDS {
        let began = Instant::now();
        let array = identity::map(0..10_000).chunk_auto().submit(cluster).expect("an array");
        assert_eq!(array.results().expect("values").len(), 10_000);
        ours.push(began.elapsed());
        let shape = array.explain().expect("a description").array.clone().expect("an array");
        elements = shape.elements;
        floor.push(bare_array(base, round, elements));
    }
    let (floor, ours) = (median(&mut floor), median(&mut ours));
    line(&format!("floor: bare array of {elements} `touch FILE`, median"), floor);
    line("10,000 calls, chunk_auto, submit to last result, median", ours);
    let over = ours.as_secs_f64() - floor.as_secs_f64();
    println!("  {over:.2} s over the floor (aim: at most 1.5 s)");

    let (time, runner) = a_million(cluster);
    line("a million calls, chunk_auto, submit to last result (aim: at most 15 s)", time);
    println!("  peak memory of a runner: {} MiB (aim: at most 200 MiB)", runner / 1024);

    forget_peak_memory();
    let before = peak_memory_kib();
    let began = Instant::now();
    let items = (0..MILLION).map(|n| vec![n as u8; 1024]);
    let array = length::map(items).chunk_auto().hold(true).submit(cluster).expect("an array");
    line("a million items of 1 KiB, submitted", began.elapsed());
    println!("  memory that took: {} KiB", peak_memory_kib() - before);
    array.cancel().expect("cancelled");
}

/// Returns the time of a million calls, and the peak memory of the largest runner in KiB.
fn a_million(cluster: &Cluster) -> (Duration, u64) {
    forget_peak_memory();
    let began = Instant::now();
    let array = identity::map(0..MILLION).chunk_auto().submit(cluster).expect("an array");
    let values = array.results().expect("values");
    let time = began.elapsed();
    let peak = peak_memory_kib() / 1024;
    println!("  peak memory of the client: {peak} MiB (aim: at most 200 MiB)");
    assert!(values.iter().zip(0..).all(|(value, n)| *value == n) && values.len() == 1_000_000);
    drop(values);
    let runners = (0..array.len()).step_by(1000).filter_map(|index| array.report(index));
    let runner = runners.map(|run| run.peak_memory_kib).max().unwrap_or(0);

    let again = cluster.attach_array::<identity>(array.handle()).expect("the array");
    let began = Instant::now();
    assert_eq!(again.results().expect("values").len(), 1_000_000);
    let rate = MILLION as f64 / began.elapsed().as_secs_f64();
    println!("  results from disk: {:.1} million a second (aim: 1)", rate / 1e6);
    (time, runner)
}

/// Returns the time of a bare Slurm array from sbatch until the last of its files exists.
fn bare_array(base: &Path, round: usize, elements: u64) -> Duration {
    let dir = base.join(format!("touched-{round}"));
    std::fs::create_dir(&dir).expect("a directory");
    let script = dir.with_extension("sh");
    let text = format!("#!/bin/sh\ntouch {}/$SLURM_ARRAY_TASK_ID\n", dir.display());
    std::fs::write(&script, text).expect("a script");
    let began = Instant::now();
    let output = Command::new("sbatch")
        .args(["--parsable", "--mem=50M", "--time=5", "--output=/dev/null"])
        .arg(format!("--array=0-{}", elements - 1))
        .arg(&script)
        .output()
        .expect("sbatch");
    assert!(output.status.success(), "{output:?}");
    while std::fs::read_dir(&dir).expect("a directory").count() < elements as usize {
        std::thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}

/// Returns the number of messages of each type that the controller has received.
fn rpc_counts() -> BTreeMap<String, u64> {
    let output = Command::new("sdiag").output().expect("sdiag");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let by_type = text.split("message type").nth(1).unwrap_or_default();
    let by_type = by_type.split("Remote Procedure Call").next().unwrap_or_default();
    let count = |line: &str| {
        let (name, rest) = line.trim().split_once('(')?;
        let count = rest.split("count:").nth(1)?.split_whitespace().next()?.parse().ok()?;
        Some((name.trim().to_owned(), count))
    };
    by_type.lines().filter_map(count).collect()
}

/// Resets the peak memory of this process; see proc_pid_clear_refs(5).
fn forget_peak_memory() {
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}

fn line(what: &str, time: Duration) {
    println!("  {what}: {:.2} s", time.as_secs_f64());
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
