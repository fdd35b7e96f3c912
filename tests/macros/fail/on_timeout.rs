#[slurm::task(on_timeout = "retry", max_requeues = "often")]
fn train() {}

#[slurm::task(on_timeout, max_requeues = -1, max_requeues = 3)]
fn evaluate() {}

fn main() {}
