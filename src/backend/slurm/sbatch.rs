//! Submission.

use std::thread;
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_core::words::LEAVE_OPEN;

use super::{Slurm, queue};
use crate::backend::{Backend, Submission};
use crate::error::{Error, HostError, Refusal, SubmitError, limit_in};
use crate::host::{CommandLine, Note, Order, Output, Submitted};
use crate::printable::Printable;
use crate::submit::Prepared;

/// How long a job is looked for whose sbatch left open whether it exists.
const SEARCH: Duration = Duration::from_secs(30);
/// How long a job is looked for whose number is there although sbatch seems to have failed.
const CONFIRMATION: Duration = Duration::from_secs(5);

/// The same where sbatch may still be trying, which it does for about two minutes.
const LONG_SEARCH: Duration = Duration::from_secs(180);

/// Writes the directories and calls sbatch once for each. After an answer that leaves open whether the job
/// exists, it is looked for by its submission's id and adopted if it is there; sbatch is not called again.
pub(super) fn submit(slurm: &Slurm, batch: &[Submission<'_>]) -> Vec<Result<JobId, SubmitError>> {
    let orders: Vec<Order<'_>> = batch
        .iter()
        .map(|submission| Order {
            dir: submission.prepared.dir.path(),
            new: submission.new.as_ref().map(|(dir, files)| (dir, files.as_slice())),
            number: submission.prepared.part,
            command: command(submission.prepared),
            note: submission.noted.then_some(Note { name: "submitted.json", around: NOTE }),
        })
        .collect();
    let answers = slurm.host().submit(&orders);
    let answers = batch.iter().zip(&orders).zip(answers);
    answers
        .map(|((submission, order), answer)| conclude(slurm, submission, order, answer))
        .collect()
}

/// What stands around the id in the note.
const NOTE: (&str, &str) = ("{\"job_id\":", "}");

fn conclude(
    slurm: &Slurm,
    submission: &Submission<'_>,
    order: &Order<'_>,
    answer: Result<Submitted, HostError>,
) -> Result<JobId, SubmitError> {
    let host = slurm.host();
    let (answer, noted) = match answer {
        Ok(Submitted { output, noted }) => (Ok(output), noted),
        // Without a directory there is nothing to clean up.
        Err(error @ (HostError::File { .. } | HostError::Unsafe { .. })) => {
            return Err(error.into());
        }
        Err(error) => (Err(error), None),
    };
    let id = id_of(slurm, submission.prepared, &order.command, answer);
    if id.as_ref().ok().map(ToString::to_string) != noted || noted.is_none() {
        submission.conclude(host, &id);
    }
    id
}

fn id_of(
    slurm: &Slurm,
    prepared: &Prepared,
    command: &CommandLine,
    answer: Result<Output, HostError>,
) -> Result<JobId, SubmitError> {
    let still_tries = matches!(answer, Err(HostError::Lost { .. }));
    let searched = if still_tries { LONG_SEARCH } else { SEARCH };
    let doubt = match answer {
        Ok(output) => match (&*job_ids(&output.stdout), output.status.success()) {
            ([id], true) => return Ok(*id),
            // It, or what a site has put around it, may have failed afterwards; or this is not its own number.
            ([id], false) if search(slurm, prepared, CONFIRMATION) == Some(*id) => return Ok(*id),
            // One of them may be of a banner: only Slurm knows whose it is.
            ([_, _, ..], _) | ([], true) => {
                let Output { stdout, stderr, .. } = output;
                return search(slurm, prepared, SEARCH)
                    .ok_or(SubmitError::NoJobId { output: stdout + &stderr });
            }
            ([] | [_], false) => {
                let message = output.stderr.trim().to_owned();
                let silent = message.is_empty() || output.status.code().is_none();
                if !silent && !leaves_open(&message) {
                    let (refusal, limit) = (Refusal::of(&message), limit_in(&message));
                    let command = command.to_string();
                    return Err(SubmitError::Refused { refusal, limit, message, command });
                }
                format!("sbatch ended with {}: {message}", output.status)
            }
        },
        Err(error) if error.leaves_open() => error.to_string(),
        Err(error) => return Err(error.into()),
    };
    log::warn!("looking for the job, as sbatch left open whether it exists: {}", Printable(&doubt));
    search(slurm, prepared, searched).ok_or_else(|| {
        let pre_id = prepared.pre_id.to_string();
        SubmitError::Unknown { message: doubt, pre_id, searched }
    })
}

/// Looks for the job of a submission until it is there, for as long as `patience`.
fn search(slurm: &Slurm, prepared: &Prepared, patience: Duration) -> Option<JobId> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        let found = found(slurm, prepared);
        if found.is_some() || began.elapsed() >= patience {
            return found;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn command(prepared: &Prepared) -> CommandLine {
    CommandLine::new("sbatch")
        .arg("--parsable")
        .args(prepared.options.to_args())
        .arg(prepared.script().to_string_lossy())
}

fn found(slurm: &Slurm, prepared: &Prepared) -> Option<JobId> {
    let found: Result<_, Error> = queue::find(slurm, &prepared.pre_id, prepared.part);
    found.unwrap_or_else(|error| {
        log::warn!("will look again: {error}");
        None
    })
}

/// Reads what `sbatch --parsable` prints, also through wrappers that say more: what may be the id, each once.
/// That is a line `id` or `id;cluster`, or sbatch's usual sentence.
pub(super) fn job_ids(stdout: &str) -> Vec<JobId> {
    let of_line = |line: &str| {
        let (id, cluster) = line.trim().split_once(';').unwrap_or((line.trim(), ""));
        let is_alone = !cluster.contains(char::is_whitespace);
        id.parse().ok().filter(|_| is_alone)
    };
    let of_sentence = |rest: &str| rest.split_whitespace().next()?.parse().ok();
    let sentences = stdout.split("Submitted batch job ").skip(1);
    let mut ids: Vec<JobId> =
        stdout.lines().filter_map(of_line).chain(sentences.filter_map(of_sentence)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Returns whether sbatch failed in a way after which the job may exist.
fn leaves_open(message: &str) -> bool {
    LEAVE_OPEN.iter().any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_id_is_found_in_whatever_a_site_prints() {
        for (stdout, ids) in [
            ("4242\n", &[4242][..]),
            ("4242;cluster1\n", &[4242]),
            ("Welcome!\n  *** 12 days until maintenance ***\n4242\n", &[4242]),
            ("Submitted batch job 4242 on cluster c1\n", &[4242]),
            ("4242\r\nSubmitted batch job 4242\n", &[4242]),
            ("4242\ndays until maintenance:\n12\n", &[12, 4242]),
            ("Submitted batch job 4242\n12\n", &[12, 4242]),
            ("12; drink water\n4242\n", &[4242]),
            ("", &[]),
            ("no id today\n", &[]),
        ] {
            let found: Vec<u64> = job_ids(stdout).into_iter().map(|id| id.get().into()).collect();
            assert_eq!(found, ids, "{stdout:?}");
        }
    }

    #[test]
    fn only_a_lost_answer_leaves_the_job_open() {
        assert!(leaves_open(
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
        ));
        assert!(!leaves_open(
            "sbatch: error: Batch job submission failed: Invalid partition name specified"
        ));
    }
}
