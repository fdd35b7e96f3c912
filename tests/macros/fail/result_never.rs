#[slurm::task]
fn train() -> ! {
    loop {}
}

fn main() {}
