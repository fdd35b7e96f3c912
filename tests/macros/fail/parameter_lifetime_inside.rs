#[slurm::task]
fn train(text: std::borrow::Cow<'_, str>) -> usize {
    text.len()
}

fn main() {}
