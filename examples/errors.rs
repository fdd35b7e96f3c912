//! The ways in which a job can fail, with their error texts.
//!
//! ```sh
//! cargo run --example errors
//! cargo run --example errors -- --backend slurm
//! ```

use std::time::Duration;

use slurm::{Cluster, Error, Job, JobErrorKind};

/// Returns an error that has a cause.
#[slurm::task(time = "00:05:00")]
fn parse(text: &str) -> anyhow::Result<i64> {
    use anyhow::Context;
    text.trim().parse().with_context(|| format!("reading {text:?}"))
}

/// Panics.
#[slurm::task(time = "00:05:00")]
fn divide(numerator: i64, denominator: i64) -> i64 {
    numerator / denominator
}

/// Ends the process without returning.
#[slurm::task(time = "00:05:00")]
fn leave(code: i32) {
    eprintln!("I am off");
    std::process::exit(code)
}

/// Runs for a while.
#[slurm::task(time = "00:05:00")]
fn sleep(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// Takes a type that the encoding does not support; `slurm::Json<serde_json::Value>` works.
#[slurm::task(time = "00:05:00")]
fn count_keys(value: serde_json::Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    // Errors before the submission.
    show("an argument that cannot travel", count_keys::job(serde_json::json!({})).submit(&cluster));
    show("two wrong options", sleep::job(1).time("4 h").mem("1.5G").submit(&cluster));

    // Errors inside the job.
    show("an error", parse::job("forty-two").submit(&cluster)?.result());
    show("a panic", divide::job(1, 0).submit(&cluster)?.result());
    show("an exit", leave::job(3).submit(&cluster)?.result());
    show("an item of an array", divide::map([(6, 3), (1, 0)]).submit(&cluster)?.results());

    // Errors outside the job.
    let job = sleep::job(600).submit(&cluster)?;
    show("a wait that is too short", job.result_timeout(Duration::from_millis(50)));
    job.cancel()?;
    show("a cancelled job", job.result());
    let doomed = divide::job(1, 0).submit(&cluster)?;
    let waiting: Job<i64> = divide::job(&doomed, 1).submit(&cluster)?;
    show("a job whose input failed", waiting.result());

    // A program can handle each kind of error.
    match parse::job("x").submit(&cluster)?.result() {
        Err(Error::Job(error)) => match &error.kind {
            JobErrorKind::Failed(failure) => println!("the task said: {}", failure.message),
            JobErrorKind::TimedOut | JobErrorKind::OutOfMemory => println!("it needs more"),
            _ => println!("it is worth another try"),
        },
        other => println!("{other:?}"),
    }
    Ok(())
}

fn show<T>(what: &str, result: slurm::Result<T>) {
    match result {
        Ok(_) => println!("--- {what}: no error"),
        Err(error) => {
            println!("--- {what}\n{error}");
            if let Some(hint) = error.hint() {
                println!("hint: {hint}");
            }
        }
    }
    println!();
}
