//! A loop that runs as a job. It trains models until one is left, each time for longer, in jobs that continue
//! after their time limit.
//!
//! ```sh
//! cargo run --example workflow
//! cargo run --example workflow -- --backend slurm
//! ```

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use slurm::{Cluster, Job, JobContext, Requeue, Workflow};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Model {
    rate: f64,
    weight: f64,
    epochs: u32,
}

impl Model {
    fn loss(self) -> f64 {
        (self.weight - 0.7).powi(2)
    }
}

/// Trains a model for some epochs and writes a checkpoint after each.
///
/// A run trains at most `epochs_per_run` epochs. It then asks for another run, as it would near its time limit.
#[slurm::task(time = "00:10:00", mem = "100M", on_timeout = "requeue", max_requeues = 20)]
fn train(
    ctx: &JobContext,
    start: Model,
    epochs: u32,
    epochs_per_run: u32,
) -> anyhow::Result<Model> {
    let checkpoint = ctx.checkpoint_dir()?.join("model.json");
    let mut model = if checkpoint.exists() { read(&checkpoint)? } else { start };
    let mut in_this_run = 0;
    while model.epochs < start.epochs + epochs {
        if ctx.stop_requested() || in_this_run == epochs_per_run {
            println!("run {} stops after epoch {}", ctx.restart_count(), model.epochs);
            return Err(Requeue::because(format!("{} epochs are done", model.epochs)).into());
        }
        model.weight -= model.rate * 2.0 * (model.weight - 0.7);
        model.epochs += 1;
        in_this_run += 1;
        // The file gets its name when it is complete, because the run may end at any moment.
        let new = checkpoint.with_extension("new");
        fs::write(&new, serde_json::to_vec(&model)?)?;
        fs::rename(&new, &checkpoint)?;
    }
    Ok(model)
}

fn read(path: &Path) -> anyhow::Result<Model> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Trains models with several rates, drops the worst, and continues with the others for twice as long.
#[slurm::workflow(time = "1-00:00:00", mem = "100M")]
fn search(flow: &Workflow, rates: &[f64], epochs_per_run: u32) -> slurm::Result<Model> {
    let start = |rate: &f64| Model { rate: *rate, weight: 0.0, epochs: 0 };
    let mut models: Vec<Model> = rates.iter().map(start).collect();
    let mut epochs = 2;
    while models.len() > 1 {
        let jobs = models
            .iter()
            .map(|model| train::job(*model, epochs, epochs_per_run).submit(flow))
            .collect::<slurm::Result<Vec<Job<Model>>>>()?;
        models = jobs.iter().map(Job::result).collect::<slurm::Result<_>>()?;
        models.sort_by(|a, b| a.loss().total_cmp(&b.loss()));
        models.pop();
        epochs *= 2;
        println!(
            "{} models are left, the best has a loss of {:.4}",
            models.len(),
            models[0].loss()
        );
    }
    Ok(models[0])
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    let job = search::job([0.01, 0.1, 0.3], 3_u32).submit(&cluster)?;
    println!("job {} searches; this program could end now", job.id());
    let best = job.result()?;
    println!("rate {} reached a loss of {:.6} in {} epochs", best.rate, best.loss(), best.epochs);
    print!("{}", job.stdout()?);
    Ok(())
}
