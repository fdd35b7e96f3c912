#[slurm::task]
fn train() -> &'static str {
    ""
}

fn main() {}
