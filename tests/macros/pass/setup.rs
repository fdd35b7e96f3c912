//! Shell lines and variables of a task.

use slurm::Task;

#[slurm::task(
    setup = ["module load cuda/12.4", "source venv/bin/activate || true"],
    env = { OMP_NUM_THREADS = 8, MODE = "fast" },
)]
fn train() {}

#[slurm::task(setup = [], env = {})]
fn plain() {}

fn main() {
    let entry = train::entry();
    assert_eq!(entry.setup, ["module load cuda/12.4", "source venv/bin/activate || true"]);
    assert_eq!(entry.env, [("OMP_NUM_THREADS", "8"), ("MODE", "fast")]);
    assert!(plain::entry().setup.is_empty() && plain::entry().env.is_empty());
}
