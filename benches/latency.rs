//! The time that a call takes from submission to result, compared with the same in bare Slurm.
//!
//! `benches/run` starts the test cluster and runs this benchmark on it. `cargo bench --bench latency` alone
//! measures the embedded backend. Ratios are of medians within one run, whose measurements alternate, because
//! machines are noisy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use slurm::{BackendKind, Cluster};

/// Does nothing, which is the least work of a task.
#[slurm::task(time = "00:05:00", mem = "50M")]
fn nothing() {}

fn main() {
    slurm::init().expect("the tasks of this program are valid");
    let rounds = std::env::var("SLURM_SDK_BENCH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20);
    let home = std::env::home_dir().expect("a home directory");
    let base =
        tempfile::Builder::new().prefix("slurm-sdk-bench-").tempdir_in(home).expect("a directory");
    embedded(base.path(), rounds);
    if std::env::var_os("SLURM_SDK_TEST_CLUSTER").is_some() {
        on_slurm(base.path(), rounds);
    } else {
        println!("no cluster is up: benches/run starts one and measures on it too");
    }
}

fn embedded(base: &Path, rounds: usize) {
    let base = base.join("local");
    let cluster = Cluster::builder().job_base_dir(base).build().expect("the embedded backend");
    let began = Instant::now();
    nothing::job().submit(&cluster).and_then(|job| job.result()).expect("a result");
    let first = began.elapsed();
    let (mut whole, mut runner) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let job = nothing::job().submit(&cluster).expect("a job");
        job.result().expect("a result");
        whole.push(began.elapsed());
        let report = job.report().expect("a report");
        runner.push(Duration::from_micros(report.entered_at - report.started_at));
    }
    println!("embedded backend, {rounds} calls");
    line("submit to result, first (stages the program, starts the supervisor)", first);
    line("submit to result, median", median(&mut whole));
    line("runner, start to function, median", median(&mut runner));
}

fn on_slurm(base: &Path, rounds: usize) {
    let cluster = Cluster::builder()
        .backend(BackendKind::Slurm)
        .job_base_dir(base.join("slurm"))
        .build()
        .expect("the Slurm of this host");
    // This call stages the program.
    nothing::job().submit(&cluster).and_then(|job| job.result()).expect("a result");
    let (mut floor, mut bare, mut ours, mut submit) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let file = base.join(format!("touched-{round}"));
        let began = Instant::now();
        sbatch_touch(&file);
        bare.push(began.elapsed());
        while !file.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        floor.push(began.elapsed());

        let began = Instant::now();
        let job = nothing::job().submit(&cluster).expect("a job");
        submit.push(began.elapsed());
        job.result().expect("a result");
        ours.push(began.elapsed());
    }
    println!("\nSlurm, {rounds} calls in turns with bare sbatch");
    let (floor, ours) = (median(&mut floor), median(&mut ours));
    line("floor: bare sbatch of `touch FILE` until FILE exists, median", floor);
    line("submit to result, median", ours);
    println!("  ratio {:.2} (aim: at most 1.3)", ours.as_secs_f64() / floor.as_secs_f64());
    let (bare, submit) = (median(&mut bare), median(&mut submit));
    line("bare sbatch alone, median", bare);
    line("submit alone, median", submit);
    println!("  ratio {:.2} (aim: at most 2)", submit.as_secs_f64() / bare.as_secs_f64());
}

fn sbatch_touch(file: &Path) {
    let script: PathBuf = file.with_extension("sh");
    std::fs::write(&script, format!("#!/bin/sh\ntouch {}\n", file.display())).expect("a script");
    let status = Command::new("sbatch")
        .args(["--parsable", "--mem=50M", "--time=5", "--output=/dev/null"])
        .arg(&script)
        .output()
        .expect("sbatch");
    assert!(status.status.success(), "{status:?}");
}

fn line(what: &str, time: Duration) {
    println!("  {what}: {:.1} ms", time.as_secs_f64() * 1e3);
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
