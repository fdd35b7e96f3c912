mod other {
    pub struct Result;
}

#[slurm::task]
fn train() -> other::Result {
    other::Result
}

fn main() {}
