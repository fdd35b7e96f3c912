#![forbid(unsafe_code)]
#![deny(warnings)]

/// Ends well.
#[slurm::main]
#[allow(clippy::needless_return)]
fn main() {
    return;
}
