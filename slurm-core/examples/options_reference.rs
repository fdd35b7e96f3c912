//! Prints the reference page of all options, `docs/options.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(slurm_core::options::reference_markdown().as_bytes())
}
