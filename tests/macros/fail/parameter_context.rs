#[slurm::task]
fn train(context: slurm::JobContext) {
    let _ = context;
}

fn main() {}
