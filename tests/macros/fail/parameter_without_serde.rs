#[derive(Clone)]
struct Config;

#[slurm::task]
fn train(seed: u64, config: &Config, all: Vec<Config>) -> u64 {
    let _ = (config, all);
    seed
}

fn main() {
    let _ = train::job(7, Config, vec![Config]);
}
