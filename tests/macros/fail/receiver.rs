struct Model;

impl Model {
    #[slurm::task]
    fn train(&mut self, seed: u64) -> u64 {
        seed
    }
}

fn main() {
    let _ = Model.train(7);
}
