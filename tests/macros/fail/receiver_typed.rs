struct Model;

impl Model {
    #[slurm::task]
    fn train(self: Box<Self>) {}
}

fn main() {}
