//! The tasks of the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use slurm::{Cluster, JobContext, Json};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) rates: Vec<f64>,
}

#[slurm::task(time = "5:00", mem = "256M")]
pub(crate) fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[slurm::task(time = "5:00")]
pub(crate) fn describe(config: &Config, label: &str, numbers: &[u32], path: &Path) -> String {
    format!("{label} {} {:?} {numbers:?} {}", config.name, config.rates, path.display())
}

#[slurm::task(time = "5:00")]
pub(crate) fn double(values: Vec<i64>) -> Vec<i64> {
    values.into_iter().map(|value| value * 2).collect()
}

#[derive(Debug)]
pub(crate) struct Outer(std::num::ParseIntError);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the number is invalid")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[slurm::task(time = "5:00")]
pub(crate) fn parse(text: &str) -> Result<i64, Outer> {
    text.parse().map_err(Outer)
}

#[slurm::task(time = "5:00")]
pub(crate) fn parse_anyhow(text: &str) -> anyhow::Result<i64> {
    use anyhow::Context;
    text.parse().with_context(|| format!("parsing {text:?}"))
}

#[slurm::task(time = "5:00")]
pub(crate) fn panic_with(message: String) -> u8 {
    panic!("{message}")
}

#[slurm::task(time = "5:00")]
pub(crate) fn exit_with(code: i32) {
    eprintln!("leaving with {code}");
    std::process::exit(code)
}

#[slurm::task(time = "5:00")]
pub(crate) fn abort() {
    std::process::abort()
}

#[slurm::task(time = "5:00")]
pub(crate) fn print(out: &str, err: &str) {
    println!("{out}");
    eprintln!("{err}");
}

#[slurm::task(time = "5:00")]
pub(crate) fn unencodable() -> serde_json::Value {
    serde_json::json!({ "a": 1 })
}

/// Omits a field from some values, so that they cannot be read back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Leaving {
    #[serde(skip_serializing_if = "is_seven")]
    n: u32,
    precious: Vec<f64>,
}

fn is_seven(n: &u32) -> bool {
    *n == 7
}

#[slurm::task(time = "5:00")]
pub(crate) fn return_seven() -> Leaving {
    Leaving { n: 7, precious: vec![1.5, 2.5] }
}

#[slurm::task(time = "5:00")]
pub(crate) fn as_json(value: Json<serde_json::Value>) -> Json<BTreeMap<String, u64>> {
    Json(serde_json::from_value(value.into_inner()).unwrap_or_default())
}

#[slurm::task(time = "5:00")]
pub(crate) fn takes_unencodable(value: serde_json::Value) -> bool {
    value.is_null()
}

/// Waits until a file appears, or for five minutes.
#[slurm::task(time = "5:00")]
pub(crate) fn wait_for(file: PathBuf) -> bool {
    eprintln!("waiting for {}", file.display());
    let deadline = Instant::now() + Duration::from_secs(300);
    while !file.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    file.exists()
}

/// Waits until it is asked to stop, or for a minute, and returns which of both happened.
#[slurm::task(time = "5:00")]
pub(crate) fn wait_for_stop(ctx: &JobContext, ready: &Path) -> String {
    std::fs::write(ready, "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if ctx.stop_requested() {
            return "asked to stop".to_owned();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    "not asked to stop".to_owned()
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) job_id: Option<u32>,
    pub(crate) world_size: usize,
    pub(crate) nodes: Vec<String>,
    pub(crate) cpus: usize,
    pub(crate) memory_mib: Option<u64>,
    pub(crate) seconds_left: Option<u64>,
    pub(crate) dir: PathBuf,
    pub(crate) master: String,
}

#[slurm::task(time = "5:00", mem = "512M")]
pub(crate) fn look_around(ctx: &JobContext) -> Seen {
    std::fs::write(ctx.output_dir().unwrap().join("note"), "mine").unwrap();
    Seen {
        job_id: ctx.job_id().map(slurm::JobId::get),
        world_size: ctx.world_size(),
        nodes: ctx.nodes().to_vec(),
        cpus: ctx.cpus(),
        memory_mib: ctx.memory_mib(),
        seconds_left: ctx.time_left().map(|left| left.as_secs()),
        dir: ctx.job_dir().to_owned(),
        master: ctx.torch_distributed_env()["MASTER_ADDR"].clone(),
    }
}

/// Each process writes its rank. The first one waits for all and lists them.
#[slurm::task(time = "5:00")]
pub(crate) fn ranks(ctx: &JobContext, folder: &Path) -> Vec<usize> {
    std::fs::write(folder.join(ctx.rank().to_string()), "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut seen: Vec<usize> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        seen.sort_unstable();
        if ctx.rank() != 0 || seen.len() == ctx.world_size() || Instant::now() > deadline {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[slurm::task(time = "5:00")]
pub(crate) fn fail_in(ctx: &JobContext, rank: usize) -> Result<(), String> {
    if ctx.rank() == rank {
        return Err(format!("process {rank} gives up"));
    }
    loop {
        std::thread::park();
    }
}

/// The first process succeeds at once, the others fail when the file exists.
#[slurm::task(time = "5:00")]
pub(crate) fn fail_late(ctx: &JobContext, file: &Path) -> Result<(), String> {
    while ctx.rank() != 0 && !file.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    if ctx.rank() == 0 { Ok(()) } else { Err("too late".to_owned()) }
}

#[slurm::task(time = "5:00")]
pub(crate) fn submit_another() -> String {
    let cluster = Cluster::from_env().unwrap();
    match add::job(1, 2).submit(&cluster) {
        Ok(job) => format!("submitted {}", job.id()),
        Err(error) => format!("{error:?}"),
    }
}

/// Allocates memory and writes to it.
#[slurm::task(time = "5:00")]
pub(crate) fn take_memory(mib: usize, seconds: u64) -> usize {
    let block = vec![1_u8; mib << 20];
    std::thread::sleep(Duration::from_secs(seconds));
    block.iter().map(|byte| usize::from(*byte)).sum()
}

#[slurm::task(time = "5:00")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Prints when it is asked to stop, and keeps running until a file exists, or for a minute.
#[slurm::task(time = "5:00")]
pub(crate) fn ignore_stop(ctx: &JobContext, file: PathBuf) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut asked = ctx.stop_requested();
    eprintln!("watching");
    while !file.exists() && Instant::now() < deadline {
        if !asked && ctx.stop_requested() {
            asked = true;
            eprintln!("asked");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[slurm::task(time = "5:00")]
pub(crate) fn square(n: i64) -> i64 {
    n * n
}

#[slurm::task(time = "5:00")]
pub(crate) fn sum(values: &[i64]) -> i64 {
    values.iter().sum()
}

/// Fails for negative numbers.
#[slurm::task(time = "5:00")]
pub(crate) fn root(n: i64) -> Result<f64, String> {
    if n < 0 { Err(format!("{n} has no root")) } else { Ok((n as f64).sqrt()) }
}

#[slurm::task(time = "5:00")]
pub(crate) fn root_of(value: f64) -> f64 {
    value.sqrt()
}

/// Records the call in a file, and waits until another file exists.
#[slurm::task(time = "5:00")]
pub(crate) fn note_and_wait(ctx: &JobContext, notes: PathBuf, gate: PathBuf) -> (u64, u32) {
    note(&notes, &format!("{} ", ctx.item().unwrap_or(99)));
    let deadline = Instant::now() + crate::common::PATIENCE;
    while !gate.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    (ctx.item().unwrap_or(99), std::process::id())
}

/// Appends to a file in one write.
pub(crate) fn note(path: &Path, text: &str) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// Fails and creates the file if it does not exist.
#[slurm::task(time = "5:00")]
pub(crate) fn second_time(marker: PathBuf) -> Result<String, String> {
    if marker.exists() {
        return Ok("this time".to_owned());
    }
    std::fs::write(&marker, "").unwrap();
    Err("not the first time".to_owned())
}

/// Ends the process if `n` is `end`, otherwise returns `n`.
#[slurm::task(time = "5:00")]
pub(crate) fn exit_at(n: i64, end: i64) -> i64 {
    if n == end {
        std::process::exit(7);
    }
    n
}

/// Fails for negative numbers, otherwise waits for the file.
#[slurm::task(time = "5:00")]
pub(crate) fn fail_or_wait(n: i64, gate: PathBuf) -> Result<i64, String> {
    if n < 0 {
        return Err(format!("{n} is no good"));
    }
    let deadline = Instant::now() + 2 * crate::common::PATIENCE;
    while n > 0 && !gate.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(n)
}

#[slurm::task(time = "5:00")]
pub(crate) fn nap(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}
