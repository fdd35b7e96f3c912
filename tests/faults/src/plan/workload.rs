//! Random jobs, arrays, chains and workflows.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::Suite;

/// The behaviour of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// Returns its value.
    Return,
    /// Returns an error.
    Fail,
    /// Panics.
    Panic,
    /// Ends its process.
    Exit(u8),
    /// Aborts its process.
    Abort,
    /// Asks for another run this many times, then returns.
    Requeue(u32),
    /// Works for this many steps of 100 ms, in as many runs as its time limit requires.
    Checkpoint(u32),
    /// Works for this many steps of 100 ms, and asks for another run after half of them.
    HalfWay(u32),
    /// Works past its time limit.
    Overrun,
    /// The first process returns at once; the second one exits with this code.
    LateRank(u8),
    /// Starts a process that outlives the call unless the backend ends it, and returns.
    Background,
}

/// A call of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Unique in the round; also the name of its ledger.
    pub(crate) name: String,
    pub(crate) deed: Deed,
    /// The time that the call works before its deed.
    pub(crate) ms: u64,
    /// The number that the call adds to its input.
    pub(crate) value: i64,
    pub(crate) ranks: u32,
    /// The minimum number of nodes for its processes.
    pub(crate) nodes: u32,
}

/// Calls that are submitted together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    Job(Call),
    /// Each call takes the value of the call before it.
    Chain(Vec<Call>),
    /// An array, and maybe a job that takes all of its values.
    Array {
        calls: Vec<Call>,
        chunk: u64,
        threads: u32,
        total: Option<Call>,
    },
    /// A workflow that adds up the values of its children: single jobs and an array.
    Flow {
        call: Call,
        jobs: Vec<Call>,
        array: Vec<Call>,
    },
}

/// Some work, with the conditions of its submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) client: usize,
    pub(crate) after_ms: u64,
    pub(crate) work: Work,
    /// Whether failed calls are retried once: `retry_failed` for an array, `resume` for a workflow.
    pub(crate) again: bool,
    /// Whether the standard error of its jobs goes to a full disk.
    pub(crate) full_log: bool,
    /// The time between its submission and its cancellation by the client.
    pub(crate) cancel_ms: Option<u64>,
}

impl Work {
    /// Returns all calls, including workflows and their children.
    pub(crate) fn calls(&self) -> Vec<&Call> {
        match self {
            Self::Job(call) => vec![call],
            Self::Chain(calls) => calls.iter().collect(),
            Self::Array { calls, total, .. } => calls.iter().chain(total).collect(),
            Self::Flow { call, jobs, array } => {
                std::iter::once(call).chain(jobs).chain(array).collect()
            }
        }
    }

    /// Returns the calls whose results clients wait for, grouped by the parts of the submission.
    pub(crate) fn parts(&self) -> Vec<Vec<&Call>> {
        match self {
            Self::Job(call) | Self::Flow { call, .. } => vec![vec![call]],
            Self::Chain(calls) => calls.iter().map(|call| vec![call]).collect(),
            Self::Array { calls, total, .. } => {
                let first = calls.iter().collect();
                std::iter::once(first).chain(total.iter().map(|call| vec![call])).collect()
            }
        }
    }

    /// Returns the calls whose values `name` takes.
    pub(crate) fn inputs(&self, name: &str) -> Vec<&Call> {
        match self {
            Self::Job(_) => Vec::new(),
            Self::Chain(calls) => {
                let place = calls.iter().position(|call| call.name == name).unwrap_or(0);
                calls[..place].last().into_iter().collect()
            }
            Self::Array { calls, total, .. } => match total {
                Some(call) if call.name == name => calls.iter().collect(),
                _ => Vec::new(),
            },
            Self::Flow { call, jobs, array } => match call.name == name {
                true => jobs.iter().chain(array).collect(),
                false => Vec::new(),
            },
        }
    }

    /// Returns the value that the call returns if it succeeds.
    pub(crate) fn value(&self, call: &Call) -> i64 {
        let inputs = self.inputs(&call.name);
        call.value + inputs.into_iter().map(|input| self.value(input)).sum::<i64>()
    }
}

pub(super) fn units(suite: Suite, clients: usize, rng: &mut Rng) -> Vec<Unit> {
    let count = rng.usize(2..=4);
    (0..count).map(|index| unit(suite, index, clients, rng)).collect()
}

fn unit(suite: Suite, index: usize, clients: usize, rng: &mut Rng) -> Unit {
    let name = format!("u{index}");
    let work = match rng.u8(0..10) {
        0..=2 => {
            let call = single(suite, format!("{name}.job"), rng);
            // On several nodes, the processes see each other's files as other hosts do.
            let nodes = if suite == Suite::SharedFs { call.ranks } else { 1 };
            Work::Job(Call { nodes, ..call })
        }
        3..=4 => {
            let length = rng.usize(2..=3);
            let link = |n| simple(format!("{name}.{n}"), 12, rng);
            Work::Chain((0..length).map(link).collect())
        }
        5..=7 => {
            let items = rng.usize(3..=10);
            let calls = (0..items).map(|n| simple(format!("{name}.{n}"), 10, rng)).collect();
            let total = rng.bool().then(|| plain(format!("{name}.total"), rng));
            let chunk = rng.u64(1..=3);
            Work::Array { calls, chunk, threads: if chunk == 3 { 2 } else { 1 }, total }
        }
        _ => {
            let call = plain(format!("{name}.flow"), rng);
            let jobs = (0..rng.usize(1..=3)).map(|n| simple(format!("{name}.j{n}"), 25, rng));
            let jobs = jobs.collect();
            let array = (0..rng.usize(0..=4)).map(|n| simple(format!("{name}.a{n}"), 25, rng));
            Work::Flow { call, jobs, array: array.collect() }
        }
    };
    let plain_job = matches!(&work, Work::Job(call) if call.ranks == 1);
    let many = matches!(work, Work::Array { .. } | Work::Flow { .. });
    Unit {
        name,
        client: index % clients,
        after_ms: rng.u64(0..300),
        again: many && rng.bool(),
        full_log: !matches!(work, Work::Flow { .. }) && rng.u8(0..8) == 0,
        cancel_ms: ((plain_job || many) && rng.u8(0..12) == 0).then(|| rng.u64(0..1500)),
        work,
    }
}

fn plain(name: String, rng: &mut Rng) -> Call {
    Call {
        name,
        deed: Deed::Return,
        ms: rng.u64(0..400),
        value: rng.i64(1..1000),
        ranks: 1,
        nodes: 1,
    }
}

/// Returns a call with a deed that all kinds of submissions allow. The call fails once in `often` times.
fn simple(name: String, often: u8, rng: &mut Rng) -> Call {
    let deed = match rng.u8(0..often * 3) {
        0 => Deed::Fail,
        1 => Deed::Panic,
        2 if rng.u8(0..4) == 0 => Deed::Exit(0),
        2 => Deed::Exit(rng.u8(1..100)),
        3 if rng.bool() => Deed::Abort,
        3 => Deed::Requeue(1),
        _ => Deed::Return,
    };
    Call { deed, ..plain(name, rng) }
}

/// Returns a call with a deed that only single jobs allow.
fn single(suite: Suite, name: String, rng: &mut Rng) -> Call {
    let call = simple(name, 8, rng);
    match rng.u8(0..10) {
        0..=1 => Call { ranks: 2, ..call },
        2 => Call { ranks: 2, deed: Deed::LateRank(rng.u8(1..100)), ..call },
        3 if rng.bool() => Call { ranks: rng.u32(1..=2), deed: Deed::Requeue(1), ..call },
        3 => Call { deed: Deed::HalfWay(rng.u32(4..16)), ..call },
        // The process tracking of Slurm in the tests does not find processes that leave their session.
        4 if !suite.is_slurm() => Call { deed: Deed::Background, ..call },
        // Time limits of Slurm are whole minutes.
        5..=6 if !suite.is_slurm() => Call { deed: Deed::Checkpoint(rng.u32(10..50)), ..call },
        7 if !suite.is_slurm() => Call { deed: Deed::Overrun, ..call },
        _ => call,
    }
}
