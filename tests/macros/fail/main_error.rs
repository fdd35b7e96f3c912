struct Opaque;

#[slurm::main]
fn main() -> Result<(), Opaque> {
    Err(Opaque)
}
