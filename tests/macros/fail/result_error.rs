struct Opaque;

#[slurm::task]
fn train() -> Result<u64, Opaque> {
    Err(Opaque)
}

fn main() {}
