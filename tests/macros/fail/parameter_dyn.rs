#[slurm::task]
fn train(text: Box<dyn ToString>, other: &dyn ToString) -> String {
    text.to_string() + &other.to_string()
}

fn main() {}
