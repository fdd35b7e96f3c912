//! No script makes the lexer of `#SBATCH` lines panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slurm_core::options::directives;

fuzz_target!(|script: &str| {
    let _ = directives::lex(script);
});
