struct Model;

impl Model {
    #[slurm::task]
    fn train(_models: Vec<Self>) -> Option<Self> {
        None
    }
}

fn main() {
    let _ = Model;
}
