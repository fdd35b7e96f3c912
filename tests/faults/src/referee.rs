//! Runs rounds side by side and tells what they came to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::inject::{Hit, Target};
use crate::plan::{Plan, Suite};
use crate::round::{self, Outcome};

/// Runs random workloads under random faults.
#[derive(Debug, Parser)]
#[command(name = "tests/faults/run")]
struct Arguments {
    /// How many rounds to run
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// The kind of rounds
    #[arg(long, value_enum, default_value = "local")]
    suite: Suite,
    /// The seed of the first round; the ones after it have the numbers that follow [default: the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// How many rounds run at the same time
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// Where the directories of rounds lie; those of rounds with violations stay [default: below home]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the directories of all rounds
    #[arg(long)]
    keep: bool,
    /// Print the plan of the first round and run nothing
    #[arg(long)]
    plan: bool,
}

/// The results of all rounds.
#[derive(Default)]
struct Total {
    rounds: u64,
    calls: usize,
    bad: u64,
    /// How often each kind of fault has hit something.
    hits: BTreeMap<String, u64>,
    longest: Duration,
}

pub(crate) fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let first = arguments.seed.unwrap_or_else(|| crate::ledger::now() % 100_000_000);
    if arguments.plan {
        println!("{}", serde_json::to_string_pretty(&Plan::new(arguments.suite, first))?);
        return Ok(ExitCode::SUCCESS);
    }
    let parent = match &arguments.dir {
        Some(dir) => dir.clone(),
        None => std::env::home_dir()
            .ok_or_else(|| anyhow::anyhow!("there is no home directory: say --dir"))?
            .join("slurm-faults"),
    };
    fs::create_dir_all(&parent)?;
    let parent = parent.canonicalize()?;
    let began = Instant::now();
    let (next, total) = (AtomicU64::new(0), Mutex::new(Total::default()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= arguments.rounds {
                        return;
                    }
                    let plan = Plan::new(arguments.suite, first + number);
                    one(&plan, &parent, &arguments, &total);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_default();
    println!(
        "{}: {} rounds from seed {first} with {} calls in {:.0} s (longest {:.0} s); hit: {}; rounds with violations: {}",
        arguments.suite.name(),
        total.rounds,
        total.calls,
        began.elapsed().as_secs_f64(),
        total.longest.as_secs_f64(),
        total
            .hits
            .iter()
            .map(|(what, times)| format!("{what} {times}"))
            .collect::<Vec<_>>()
            .join(", "),
        total.bad,
    );
    Ok(if total.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(plan: &Plan, parent: &Path, arguments: &Arguments, total: &Mutex<Total>) {
    let dir = parent.join(format!("{}-{}", plan.suite.name(), plan.seed));
    let _ = fs::remove_dir_all(&dir);
    let outcome = round::run(plan, &dir, arguments.keep).unwrap_or_else(|error| Outcome {
        violations: vec![format!("the round cannot be run: {error:#}")],
        hits: Vec::new(),
        calls: 0,
        took: Duration::ZERO,
    });
    let mut total = total.lock().unwrap();
    total.rounds += 1;
    total.calls += outcome.calls;
    total.longest = total.longest.max(outcome.took);
    for hit in &outcome.hits {
        *total.hits.entry(name(hit)).or_default() += 1;
    }
    if outcome.violations.is_empty() {
        if !arguments.keep {
            let _ = fs::remove_dir_all(&dir);
        }
        return;
    }
    total.bad += 1;
    println!("VIOLATION in suite {} with seed {}:", plan.suite.name(), plan.seed);
    for violation in &outcome.violations {
        println!("  {violation}");
    }
    for unit in &plan.units {
        println!("  work: {}", serde_json::to_string(unit).unwrap_or_default());
    }
    for timed in &plan.faults {
        println!("  planned: {}", serde_json::to_string(timed).unwrap_or_default());
    }
    for hit in &outcome.hits {
        println!("  hit: {}", serde_json::to_string(hit).unwrap_or_default());
    }
    println!("  kept: {}", dir.display());
    println!(
        "  again: tests/faults/run --suite {} --seed {} --rounds 1",
        plan.suite.name(),
        plan.seed
    );
}

fn name(hit: &Hit) -> String {
    match &hit.what {
        Target::Client(_) => "client".to_owned(),
        Target::Supervisor => "supervisor".to_owned(),
        Target::Runner { .. } => "runner".to_owned(),
        Target::Journal => "journal".to_owned(),
        Target::File { what, .. } => format!("{what:?}").to_lowercase(),
        Target::Disk { .. } => "disk".to_owned(),
        Target::Answered { command, .. } => command.clone(),
        Target::Connection => "connection".to_owned(),
        Target::Shell { .. } => "shell".to_owned(),
        Target::FileServer { .. } => "file server".to_owned(),
        Target::Daemon { name, .. } => name.clone(),
        Target::Nothing(_) => "nothing".to_owned(),
    }
}
