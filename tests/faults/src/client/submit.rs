//! Submits the units of the plan.

use std::time::Duration;

use slurm::{Job, JobArray, JobBuilder, Task};

use super::{Client, Handle, Note, Verdict};
use crate::plan::{Call, Deed, Unit, Work};
use crate::tasks::{Order, flow, total, work};

/// A submitted job or array.
pub(super) enum Submission {
    Job(Job<i64>),
    Array(JobArray<i64>),
}

/// Submits the parts of a unit. Stops after the first part that is refused.
pub(super) fn submit(client: &Client, unit: &Unit) -> Vec<Submission> {
    let mut made: Vec<Submission> = Vec::new();
    for part in 0..unit.work.parts().len() {
        let name = unit.name.clone();
        client.note(&Note::Submitting { unit: name.clone(), part });
        match submit_part(client, unit, part, &made) {
            Ok(submission) => {
                let handle = match &submission {
                    Submission::Job(job) => Handle::Job(job.handle().clone()),
                    Submission::Array(array) => Handle::Array(array.handle().clone()),
                };
                client.note(&Note::Submitted { unit: name, part, handle });
                made.push(submission);
            }
            Err(error) => {
                let verdict = Verdict::of(&Err(error));
                client.note(&Note::NotSubmitted { unit: name, part, verdict });
                break;
            }
        }
    }
    made
}

fn submit_part(
    client: &Client,
    unit: &Unit,
    part: usize,
    made: &[Submission],
) -> slurm::Result<Submission> {
    let order = |call: &Call| Order { round: client.round.clone(), call: call.clone() };
    let cluster = &client.cluster;
    let job = match (&unit.work, made.last()) {
        (Work::Job(call), _) => prepare(work::job(order(call), 0), unit, call).submit(cluster)?,
        (Work::Chain(calls), Some(Submission::Job(before))) => {
            prepare(work::job(order(&calls[part]), before), unit, &calls[part]).submit(cluster)?
        }
        (Work::Chain(calls), _) => {
            prepare(work::job(order(&calls[0]), 0), unit, &calls[0]).submit(cluster)?
        }
        (Work::Array { total: Some(call), .. }, Some(Submission::Array(array))) => {
            prepare(total::job(order(call), array), unit, call).submit(cluster)?
        }
        (Work::Array { calls, chunk, threads, .. }, _) => {
            let items = calls.iter().map(|call| (order(call), 0));
            let array = work::map(items).job_name(format!("{}.array", unit.name));
            let array = array.chunk(*chunk).threads(*threads);
            let array = if unit.full_log { array.error("/dev/full") } else { array };
            return array.submit(cluster).map(Submission::Array);
        }
        (Work::Flow { call, jobs, array }, _) => {
            let job = flow::job(order(call), jobs.clone(), array.clone());
            prepare(job, unit, call).submit(cluster)?
        }
    };
    Ok(Submission::Job(job))
}

/// Resumes a workflow that has no value.
pub(super) fn resume(client: &Client, unit: &Unit, job: &Job<i64>) -> slurm::Result<Job<i64>> {
    let Work::Flow { call, jobs, array } = &unit.work else {
        unreachable!("only workflows are resumed")
    };
    let order = Order { round: client.round.clone(), call: call.clone() };
    let again = flow::job(order, jobs.clone(), array.clone()).resume(job)?;
    prepare(again, unit, call).submit(&client.cluster)
}

/// Sets the options that the call needs.
fn prepare<T: Task>(job: JobBuilder<T>, unit: &Unit, call: &Call) -> JobBuilder<T> {
    let mut job = job.job_name(call.name.clone());
    if call.ranks > 1 {
        job = job.ntasks(call.ranks);
    }
    if call.nodes > 1 {
        job = job.nodes(call.nodes);
    }
    if unit.full_log {
        job = job.error("/dev/full");
    }
    match call.deed {
        Deed::Checkpoint(_) => {
            job.time(Duration::from_secs(4)).on_timeout(slurm::OnTimeout::Requeue)
        }
        Deed::Overrun => job.time(Duration::from_secs(2)),
        _ => job,
    }
}
