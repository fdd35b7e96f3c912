//! Checks options of sbatch with the code of the attribute.
//!
//! Reads lines `option<TAB>value` and prints `accept` or `reject<TAB>reason` for each:
//!
//! ```sh
//! printf 'time\t4 h\ngpus\ta100:2\n' | cargo run --example check_options
//! ```

use std::io::{self, BufRead, Write};

use slurm::options;

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (option, value) = line.split_once('\t').unwrap_or((&line, ""));
        match check(option, value) {
            Ok(()) => writeln!(out, "accept")?,
            Err(reason) => writeln!(out, "reject\t{}", reason.replace(['\t', '\n'], " "))?,
        }
    }
    out.flush()
}

fn check(option: &str, value: &str) -> Result<(), String> {
    let spec = options::lookup(option).map_err(|error| error.to_string())?;
    spec.parse(value).map_err(|error| error.to_string())?;
    Ok(())
}
