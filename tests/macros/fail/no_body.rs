trait Trains {
    #[slurm::task]
    fn train(seed: u64) -> u64;
}

fn main() {}
