struct Config {
    rate: f64,
}

#[slurm::task]
fn train(self::Config { rate: r }: Config) -> f64 {
    r
}

fn main() {}
