//! A program whose `main` is an asynchronous runtime, and whose tasks create runtimes of their own.
//!
//! It has its own `main`, like every program that runs its own tasks.

use std::process::ExitCode;
use std::time::Duration;

use slurm::{Cluster, ProgressMode};

#[slurm::task]
fn sum(numbers: &[u64]) -> std::io::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async {
        let mut sum = 0;
        for number in numbers {
            tokio::task::yield_now().await;
            sum += number;
        }
        sum
    }))
}

/// Uses a few KiB of stack for each level.
fn deep(levels: usize) -> usize {
    let block = std::hint::black_box([1_u8; 1024]);
    if levels == 0 { 0 } else { usize::from(block[levels % 1024]) + deep(levels - 1) }
}

#[slurm::task]
fn descend(levels: usize) -> usize {
    deep(levels)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    slurm::init().unwrap();
    // The usual harness would list nothing in this program.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let base = tempfile::tempdir().unwrap();
    let builder =
        || Cluster::builder().backend(slurm::BackendKind::Local).job_base_dir(base.path());
    let cluster = builder().progress(ProgressMode::Off).build().unwrap();
    let limit = Duration::from_secs(90);
    let job = sum::job([1, 2, 3]).submit(&cluster).unwrap();
    assert_eq!(job.result_timeout(limit).unwrap(), 6, "a single call");
    let array = sum::map([vec![1, 2], vec![3]]).chunk(2).threads(2).submit(&cluster).unwrap();
    assert_eq!(array.results().unwrap(), [3, 3], "calls on threads of an element");

    // A few MiB fit on the default stack, a hundred MiB on the requested one.
    let job = descend::job(2 << 10_usize).submit(&cluster).unwrap();
    assert_eq!(job.result_timeout(limit).unwrap(), 2 << 10);
    let large = builder().env("RUST_MIN_STACK", "268435456").progress(ProgressMode::Off).build();
    let large = large.unwrap();
    let job = descend::job(30 << 10_usize).submit(&large).unwrap();
    assert_eq!(job.result_timeout(limit).unwrap(), 30 << 10);
    let array = descend::map([30 << 10_usize; 2]).chunk(2).threads(2).submit(&large).unwrap();
    assert_eq!(array.results().unwrap(), [30 << 10; 2]);
    println!("test asynchronous ... ok");
    ExitCode::SUCCESS
}
