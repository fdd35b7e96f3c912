//! A bounded run of every fuzz target, with any compiler: seeds, their mutations, and noise.
//!
//! The cases are the same in every run. `SLURM_SDK_FUZZ_CASES` sets their number, `SLURM_SDK_FUZZ_SEED` the
//! seed.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/targets.rs"]
mod targets;

use targets::{TARGETS, Target};

const CASES: u64 = 5_000;

/// Words that parsers often handle badly.
const WORDS: &[&[u8]] = &[
    b"|",
    b"||",
    b"\n",
    b"\r\n",
    b"\0",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"\\",
    b"=",
    b",",
    b":",
    b";",
    b"%",
    b"-",
    b"+",
    b"0",
    b"-1",
    b"1e309",
    b"18446744073709551616",
    b"4294967295",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x1b[2J",
    b"\xc3\x28",
    "\u{202e}".as_bytes(),
    "ü".as_bytes(),
    b"JobState=COMPLETED",
    b"null",
    b"#SBATCH ",
    b"[0-999999999]",
    b"\x00\x00\x00\x00",
    b"\x01\x00\x00\x00",
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn mutated(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let any = |random: &mut fastrand::Rng| seeds[random.usize(..seeds.len())].clone();
    if random.u8(..) < 8 {
        let length = random.usize(..200);
        return std::iter::repeat_with(|| random.u8(..)).take(length).collect();
    }
    let mut bytes = any(random);
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..=bytes.len());
        let end = (at + random.usize(..16)).min(bytes.len());
        match random.u8(..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy.repeat(random.usize(1..4)));
            }
            4 => bytes.truncate(at),
            5 => {
                let other = any(random);
                let from = random.usize(..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let word = WORDS[random.usize(..WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

/// Returns the path of the input that is being tried, which remains if the process dies.
fn last_input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"))
}

fn try_one(name: &str, target: Target, input: &[u8]) {
    let file = last_input(name);
    fs::write(&file, input).unwrap();
    let outcome = std::panic::catch_unwind(|| target(input));
    assert!(
        outcome.is_ok(),
        "{name} fails on b\"{}\"\nkept in {}; after the fix, put it into fuzz/seeds/{name}",
        input.escape_ascii(),
        file.display()
    );
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_input_breaks_a_parser() {
    let cases = number("SLURM_SDK_FUZZ_CASES").unwrap_or(CASES);
    let seed = number("SLURM_SDK_FUZZ_SEED").unwrap_or(20_261_123);
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            scope.spawn(move || {
                let seeds = seeds(name);
                seeds.iter().for_each(|input| try_one(name, *target, input));
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..cases {
                    try_one(name, *target, &mutated(&seeds, &mut random));
                }
            });
        }
    });
}

#[test]
fn every_target_has_seeds_and_a_binary_of_cargo_fuzz() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(!seeds(name).is_empty(), "{name} has no seeds");
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "fuzz/Cargo.toml lacks {name}");
        let program = fs::read_to_string(dir.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains("#[path = \"../targets.rs\"]"), "{program}");
    }
}
