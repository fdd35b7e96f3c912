#[slurm::task(wrap = "true", kill_on_bad_exit = 1, walltime = "1:00")]
fn train() {}

fn main() {}
