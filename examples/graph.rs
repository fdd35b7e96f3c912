//! The graph of a workflow: before it runs, and afterwards with the states of its jobs.
//!
//! ```sh
//! cargo run --example graph                      # prints Mermaid
//! cargo run --example graph -- --write pictures  # writes plan.dot, run.dot and run.json
//! dot -Tsvg pictures/run.dot -o run.svg
//! ```

use std::path::PathBuf;

use clap::Parser;
use slurm::Workflow;

#[slurm::task(time = "00:10:00", mem = "100M")]
fn download(year: u32) -> Vec<f64> {
    (0..12).map(|month| f64::from(year % 100) + f64::from(month)).collect()
}

#[slurm::task(time = "00:30:00", mem = "100M", cpus_per_task = 1)]
fn clean(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().filter(|value| *value < 30.0).collect()
}

#[slurm::task(time = "01:00:00", mem = "100M")]
fn compare(before: &[f64], after: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    mean(after) - mean(before)
}

#[slurm::workflow(time = "02:00:00", mem = "100M")]
fn warming(flow: &Workflow, from: u32, to: u32) -> slurm::Result<f64> {
    let cleaned = |year: u32| {
        let values = download::job(year).submit(flow)?;
        clean::job(&values).submit(flow)
    };
    let (before, after) = (cleaned(from)?, cleaned(to)?);
    compare::job(&before, &after).submit(flow)?.result()
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    cluster: slurm::ClusterArgs,
    /// Write the pictures into this directory
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

#[slurm::main]
fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let cluster = cli.cluster.open()?;

    let plan = warming::job(2001_u32, 2020_u32).plan(&cluster)?;
    println!("{plan}\n");

    let job = warming::job(2001_u32, 2020_u32).submit(&cluster)?;
    println!("it became warmer by {:.2} degrees\n", job.result()?);

    let graph = job.graph()?;
    match cli.write {
        None => print!("{}", graph.to_mermaid()),
        Some(dir) => {
            std::fs::create_dir_all(&dir)?;
            std::fs::write(dir.join("plan.dot"), plan.to_dot())?;
            std::fs::write(dir.join("run.dot"), graph.to_dot())?;
            std::fs::write(dir.join("run.json"), graph.to_json())?;
            println!("wrote {}", dir.display());
        }
    }
    Ok(())
}
