struct Model;

#[slurm::task]
fn train() -> Model {
    Model
}

#[slurm::task]
fn try_train() -> Result<Model, String> {
    Ok(Model)
}

fn main() {}
