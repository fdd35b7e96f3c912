struct Model;

impl Model {
    #[slurm::task]
    fn train(seed: u64) -> u64 {
        seed
    }
}

fn main() {
    let _ = Model;
}
