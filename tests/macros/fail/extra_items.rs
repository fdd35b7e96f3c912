#[slurm::task(extra = ["--flag", 7, "--a\nb"])]
fn train() {}

fn main() {}
