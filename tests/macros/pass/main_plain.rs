#![forbid(unsafe_code)]
#![deny(warnings)]

/// Succeeds.
#[slurm::main]
#[allow(clippy::needless_return)]
fn main() {
    return;
}
