use slurm::{Job, JobArray};

#[slurm::task]
fn total(values: &[u64]) -> u64 {
    values.iter().sum()
}

#[slurm::task]
fn square(n: u64) -> u64 {
    n * n
}

fn edges(array: &JobArray<f64>, job: &Job<String>) {
    let _ = total::job(array);
    let _ = square::job(job);
    let _ = square::job(array.item(0));
    let _ = square::map(array);
}

fn main() {}
