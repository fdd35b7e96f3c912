#[slurm::task]
fn train(text: &&str) -> usize {
    text.len()
}

fn main() {}
