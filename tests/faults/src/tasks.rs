//! The tasks of all workloads. Each call does its deed and notes its begin and its end.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use slurm::{JobContext, Requeue, Workflow};

use crate::ledger::{self, Line, What};
use crate::plan::{Call, Deed};

/// A call, and the round in which it writes its notes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) round: PathBuf,
    pub(crate) call: Call,
}

impl Order {
    fn note(&self, ctx: &JobContext, what: What) {
        let line = Line {
            at: ledger::now(),
            pid: std::process::id(),
            rank: ctx.rank(),
            job: ctx.job_id().map_or(0, slurm::JobId::get),
            restart: ctx.restart_count(),
            what,
        };
        ledger::append(&self.round, &self.round.join("ledger").join(&self.call.name), &line);
    }

    /// Writes to the log of the job, which may be on a full disk.
    fn print(&self, what: &str) {
        let _ = writeln!(std::io::stdout(), "{} {what}", self.call.name);
    }

    fn rest(&self) {
        std::thread::sleep(Duration::from_millis(self.call.ms));
    }

    /// Runs the call as planned, and returns its value.
    fn run(&self, ctx: &JobContext, input: i64) -> anyhow::Result<i64> {
        self.note(ctx, What::Began);
        self.print("begins");
        let result = self.act(ctx, input);
        if result.is_ok() {
            self.print("returns");
        }
        self.note(
            ctx,
            match &result {
                Ok(_) => What::Returned,
                Err(error) if error.is::<Requeue>() => What::Requeued,
                Err(_) => What::Failed,
            },
        );
        result
    }

    fn act(&self, ctx: &JobContext, input: i64) -> anyhow::Result<i64> {
        let late = matches!(self.call.deed, Deed::LateRank(_)) && ctx.rank() == 0;
        if !late {
            self.rest();
        }
        match self.call.deed {
            Deed::Fail => anyhow::bail!("{} fails as planned", self.call.name),
            Deed::Panic => {
                self.note(ctx, What::Failed);
                panic!("{} panics as planned", self.call.name)
            }
            Deed::Exit(code) => {
                self.note(ctx, What::Failed);
                std::process::exit(i32::from(code));
            }
            Deed::Abort => {
                self.note(ctx, What::Failed);
                std::process::abort();
            }
            Deed::LateRank(code) if ctx.rank() != 0 => {
                std::thread::sleep(Duration::from_millis(500));
                self.note(ctx, What::Failed);
                std::process::exit(i32::from(code));
            }
            Deed::Requeue(times) if ctx.restart_count() < times => {
                return Err(Requeue::because("it is planned").into());
            }
            Deed::Return | Deed::LateRank(_) | Deed::Requeue(_) => {}
            Deed::Checkpoint(steps) => go_on(ctx, steps, u32::MAX)?,
            Deed::HalfWay(steps) => go_on(ctx, steps, steps / 2)?,
            Deed::Overrun => {
                let end = Instant::now() + Duration::from_secs(30);
                while Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            Deed::Background => {
                let sleep = Command::new("sleep").arg("300").stdin(Stdio::null()).spawn();
                sleep?;
            }
        }
        Ok(input + self.call.value)
    }
}

/// Continues at the step that the run before has reached. The first run stops after `most` steps.
fn go_on(ctx: &JobContext, steps: u32, most: u32) -> anyhow::Result<()> {
    let file = ctx.checkpoint_dir()?.join("step");
    let done = std::fs::read_to_string(&file).map_or(Ok(0), |text| text.parse::<u32>())?;
    for step in done..steps {
        if ctx.stop_requested() || (step >= most && ctx.restart_count() == 0) {
            return Err(Requeue::because(format!("{step} of {steps} steps are done")).into());
        }
        std::thread::sleep(Duration::from_millis(100));
        std::fs::write(file.with_extension("new"), (step + 1).to_string())?;
        std::fs::rename(file.with_extension("new"), &file)?;
    }
    Ok(())
}

/// A single call. With `RUST_BACKTRACE=1` a panic reads the program to name the functions on its stack, and Slurm counts
/// that as memory of the job: with 64 MiB it killed the calls after the panic.
#[slurm::task(time = "5:00", mem = "256M")]
pub(crate) fn work(ctx: &JobContext, order: Order, input: i64) -> anyhow::Result<i64> {
    order.run(ctx, input)
}

/// A call that takes all values of an array.
#[slurm::task(time = "5:00", mem = "256M")]
pub(crate) fn total(ctx: &JobContext, order: Order, inputs: Vec<i64>) -> anyhow::Result<i64> {
    order.run(ctx, inputs.iter().sum())
}

/// A call that submits other calls.
#[slurm::workflow(time = "5:00", mem = "256M")]
pub(crate) fn flow(
    flow: &Workflow,
    order: Order,
    jobs: Vec<Call>,
    array: Vec<Call>,
) -> anyhow::Result<i64> {
    order.note(flow.context(), What::Began);
    let result = add_up(flow, &order, jobs, array);
    order.note(flow.context(), if result.is_ok() { What::Returned } else { What::Failed });
    result
}

fn add_up(
    flow: &Workflow,
    order: &Order,
    jobs: Vec<Call>,
    array: Vec<Call>,
) -> anyhow::Result<i64> {
    let child = |call: Call| Order { round: order.round.clone(), call };
    let mut submitted = Vec::new();
    for call in jobs {
        let name = call.name.clone();
        submitted.push(work::job(child(call), 0).job_name(name).submit(flow)?);
    }
    let items = array.into_iter().map(|call| (child(call), 0));
    let items = work::map(items).job_name(format!("{}.array", order.call.name)).submit(flow)?;
    order.rest();
    let mut sum = order.call.value;
    for job in &submitted {
        sum += job.result()?;
    }
    Ok(sum + items.results()?.iter().sum::<i64>())
}
