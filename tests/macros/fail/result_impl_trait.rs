#[slurm::task]
fn train() -> impl ToString {
    7
}

fn main() {}
