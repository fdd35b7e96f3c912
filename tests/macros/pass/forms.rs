//! The forms of tasks.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use slurm::JobContext;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    rate: f64,
}

/// A type without `Clone` can be borrowed too.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unique(u8);

const SIZE: usize = 2;

#[slurm::task]
fn nothing() {}

#[slurm::task()]
pub fn owned(config: Config, mut seed: u64, names: Vec<String>, pair: (u8, [u8; 4])) -> Config {
    seed += names.len() as u64 + u64::from(pair.0);
    Config { rate: config.rate + seed as f64 }
}

#[slurm::task]
pub(crate) fn lent(
    text: &str,
    numbers: &[f64],
    path: &Path,
    config: &Config,
    unique: &Unique,
    vec: &Vec<u8>,
    pair: &(u8, u8),
    array: &[u8; 2],
    os: &std::ffi::OsStr,
) -> (String, PathBuf) {
    let sum: f64 = numbers.iter().sum();
    let rest = (config, unique.0, vec.len(), pair, array, os.len());
    (format!("{text} {sum} {rest:?}"), path.to_owned())
}

#[slurm::task(on_timeout = "requeue", max_requeues = 3)]
fn long(ctx: &JobContext) -> Result<(), slurm::Requeue> {
    if ctx.stop_requested() { Err(slurm::Requeue::new()) } else { Ok(()) }
}

#[slurm::task]
const fn constant(x: u8) -> u8 {
    x + 1
}

#[slurm::task(time = "10:00", mem = "4G", cpus_per_task = 8, exclusive, nice = -5,)]
fn with_context(ctx: &JobContext, x: u64) -> u64 {
    x + ctx.world_size() as u64
}

#[slurm::task]
fn with_only_a_context(_ctx: &slurm::JobContext) -> usize {
    0
}

#[slurm::task]
fn with_many(
    #[allow(unused_variables)] a: u8,
    _b: Option<Vec<(String, Option<u8>)>>,
    c: ::std::borrow::Cow<'static, str>,
    d: [u8; {
        let n = SIZE;
        n + 1
    }],
    e: <Vec<u8> as IntoIterator>::Item,
    f: &str,
) -> ::std::result::Result<usize, String> {
    Ok(c.len() + d.len() + usize::from(e) + f.len())
}

#[slurm::task(name = "renamed::task", extra = ["--switches=1", "--foo"])]
fn original() -> i32 {
    1
}

fn main() {
    let _ = nothing::job();
    let _ = long::job();
    let _ = owned::job(Config::default(), 7, vec!["a".to_owned()], (1, [0; 4]));
    let _ = owned::job(&Config::default(), 7, vec![], (1, [0; 4]));
    let _ = lent::job(
        "text",
        &[1.0, 2.0],
        "path",
        &Config::default(),
        Unique(3),
        vec![1],
        (1, 2),
        [1, 2],
        "os",
    );
    let _ = constant::job(1);
    let _ = with_context::job(1);
    let _ = with_only_a_context::job();
    let _ = with_many::job(1, None, std::borrow::Cow::from("x"), [0; 3], 4, "f");
    let _ = original::job();
    const TWO: u8 = constant(1);
    assert_eq!(TWO, 2);
}
