#[slurm::task(tiem = "10:00", mem = "4 G")]
/// Trains.
pub fn train(seed: u64, text: &str) -> Result<u64, String> {
    Ok(seed + text.len() as u64)
}

fn main() {
    let _ = train::job(7, "x");
    let _ = train(7, "x");
}
