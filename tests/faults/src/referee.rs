//! Runs several rounds at the same time and prints their outcomes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::plan::{Plan, Suite};
use crate::round::{self, Outcome};
use crate::summary::Summary;

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
    /// The seed of the first round; the next rounds have the next numbers [default: the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// How many rounds run at the same time
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// The place for the directories of rounds; those of rounds with violations stay [default: below home]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the directories of all rounds
    #[arg(long)]
    keep: bool,
    /// Print the plan of the first round and run nothing
    #[arg(long)]
    plan: bool,
    /// Print the summary as JSON, and violations to standard error
    #[arg(long)]
    json: bool,
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
            .ok_or_else(|| anyhow::anyhow!("there is no home directory: set --dir"))?
            .join("slurm-faults"),
    };
    fs::create_dir_all(&parent)?;
    let parent = parent.canonicalize()?;
    let began = Instant::now();
    let (next, summary) = (AtomicU64::new(0), Mutex::new(Summary::new(arguments.suite, first)));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= arguments.rounds {
                        return;
                    }
                    let plan = Plan::new(arguments.suite, first + number);
                    one(&plan, &parent, &arguments, &summary);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.took(began.elapsed());
    match arguments.json {
        true => println!("{}", serde_json::to_string(&summary)?),
        false => println!("{summary}"),
    }
    Ok(if summary.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(plan: &Plan, parent: &Path, arguments: &Arguments, summary: &Mutex<Summary>) {
    let dir = parent.join(format!("{}-{}", plan.suite.name(), plan.seed));
    let _ = fs::remove_dir_all(&dir);
    let outcome = round::run(plan, &dir, arguments.keep).unwrap_or_else(|error| Outcome {
        violations: vec![format!("the round cannot be run: {error:#}")],
        hits: Vec::new(),
        calls: 0,
        took: Duration::ZERO,
    });
    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
    summary.add(plan, &outcome);
    if outcome.violations.is_empty() {
        if !arguments.keep {
            let _ = fs::remove_dir_all(&dir);
        }
        return;
    }
    let text = story(plan, &outcome, &dir);
    match arguments.json {
        true => eprint!("{text}"),
        false => print!("{text}"),
    }
}

/// Returns a report about a round with violations.
fn story(plan: &Plan, outcome: &Outcome, dir: &Path) -> String {
    let json = |part: serde_json::Result<String>| part.unwrap_or_default();
    let mut lines =
        vec![format!("VIOLATION in suite {} with seed {}:", plan.suite.name(), plan.seed)];
    lines.extend(outcome.violations.iter().map(|violation| format!("  {violation}")));
    let units = plan.units.iter().map(serde_json::to_string);
    lines.extend(units.map(|unit| format!("  work: {}", json(unit))));
    let faults = plan.faults.iter().map(serde_json::to_string);
    lines.extend(faults.map(|fault| format!("  planned: {}", json(fault))));
    let answers = plan.fixed.answers.iter().map(serde_json::to_string);
    lines.extend(answers.map(|answer| format!("  planned: {}", json(answer))));
    let hits = outcome.hits.iter().map(serde_json::to_string);
    lines.extend(hits.map(|hit| format!("  hit: {}", json(hit))));
    lines.push(format!("  kept: {}", dir.display()));
    let (suite, seed) = (plan.suite.name(), plan.seed);
    lines.push(format!("  again: tests/faults/run --suite {suite} --seed {seed} --rounds 1"));
    lines.join("\n") + "\n"
}
