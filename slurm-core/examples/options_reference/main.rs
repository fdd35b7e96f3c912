//! Prints the reference page of all options, `docs/options.md`.

mod differences;
mod page;

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(page::reference_markdown().as_bytes())
}
