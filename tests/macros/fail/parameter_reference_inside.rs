#[slurm::task]
fn train(text: Option<&str>, all: &[&str], either: (u8, &u8)) -> usize {
    text.map_or(0, str::len) + all.len() + usize::from(either.0)
}

fn main() {}
