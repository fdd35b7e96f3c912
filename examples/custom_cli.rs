//! A program with its own command line, which also chooses the cluster.
//!
//! ```sh
//! cargo run --example custom_cli -- --help
//! cargo run --example custom_cli -- --words 3 --dry-run
//! cargo run --example custom_cli -- --words 3 --backend slurm --partition debug
//! ```

use clap::Parser;

/// Counts letters on a cluster.
#[derive(Parser)]
struct Cli {
    /// How many words to create
    #[arg(long, default_value_t = 5)]
    words: usize,

    /// The partition to run in
    #[arg(long)]
    partition: Option<String>,

    #[command(flatten)]
    cluster: slurm::ClusterArgs,
}

/// Counts the letters of each word.
#[slurm::task(time = "00:05:00", mem = "100M")]
fn count_letters(words: &[String]) -> Vec<usize> {
    words.iter().map(|word| word.chars().count()).collect()
}

#[slurm::main]
fn main() -> slurm::Result<()> {
    let cli = Cli::parse();
    let cluster = cli.cluster.open()?;
    let words: Vec<String> = (1..=cli.words).map(|n| "x".repeat(n)).collect();
    let mut call = count_letters::job(&words);
    if let Some(partition) = &cli.partition {
        call = call.partition(partition);
    }
    println!("{:?}", call.submit(&cluster)?.result()?);
    Ok(())
}
