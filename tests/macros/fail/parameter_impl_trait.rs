#[slurm::task]
fn train(text: impl ToString, other: &impl ToString) -> String {
    text.to_string() + &other.to_string()
}

fn main() {}
