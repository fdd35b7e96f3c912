//! Submission.

use slurm_core::ids::JobId;
use slurm_core::options::OptionValue;
use slurm_host::{CommandLine, Note, Order, Output, Printable, Submitted};

use super::Slurm;
use super::answer::{SbatchEnd, cluster_of, job_ids, lines_of_sbatch};
use super::search::{CONFIRMATION, LONG_SEARCH, SEARCH, Sought, clusters, look_for, search};
use crate::backend::{Backend, Prepared, Submission};
use crate::error::{HostError, Refusal, SubmitError, limit_in};

/// An offset for the numbers of commands in a directory in which a command was refused. It is far above the
/// number of parts.
const AGAIN: u32 = 1_000_000;

/// Writes the directories and calls sbatch once for each. If an answer leaves open whether the job exists, the
/// job is searched by its submission's id and adopted if it is found; sbatch is not called again.
pub(super) fn submit(slurm: &Slurm, batch: &[Submission<'_>]) -> Vec<Result<JobId, SubmitError>> {
    let orders: Vec<Order<'_>> = batch
        .iter()
        .map(|submission| Order {
            dir: submission.prepared.dir.path(),
            new: submission.new.as_ref().map(|(dir, files)| (dir, files.as_slice())),
            number: submission.prepared.part + submission.prepared.refusals * AGAIN,
            command: command(submission.prepared),
            note: submission.noted.then_some(Note { name: "submitted.json", around: NOTE }),
        })
        .collect();
    let answers = slurm.host().submit(&orders);
    let answers = batch.iter().zip(&orders).zip(answers);
    answers
        .map(|((submission, order), answer)| take_answer(slurm, submission, order, answer))
        .collect()
}

/// The text around the id in the note.
const NOTE: (&str, &str) = ("{\"job_id\":", "}");

/// Notes what sbatch answered, and returns the id of the job.
fn take_answer(
    slurm: &Slurm,
    submission: &Submission<'_>,
    order: &Order<'_>,
    answer: Result<Submitted, HostError>,
) -> Result<JobId, SubmitError> {
    let (answer, noted) = match answer {
        Ok(Submitted { output, noted }) => (Ok(output), noted),
        // There is no directory that would have to be removed.
        Err(error @ (HostError::File { .. } | HostError::Unsafe { .. })) => {
            return Err(error.into());
        }
        Err(error) => (Err(error), None),
    };
    let submission_id = &submission.prepared.submission_id;
    let named = answer.as_ref().ok().and_then(|output| cluster_of(&output.stdout));
    // sbatch was told to use only this cluster, so a missing name comes from a site's wrapper.
    let only = clusters(submission.prepared).filter(|names| !names.contains(','));
    if let Some(name) = named.or(only.map(str::to_owned)) {
        slurm.chosen().insert(submission_id.clone(), name);
    }
    let printed =
        answer.as_ref().map_or_else(|_| Vec::new(), |output| lines_of_sbatch(&output.stderr));
    let id = id_of(slurm, submission.prepared, &order.command, answer);
    if id.is_ok() && !printed.is_empty() {
        tell(&printed);
        slurm.said().entry(submission_id.clone()).or_default().extend(printed);
    }
    let is_noted = noted.is_some() && slurm.chosen_for(submission_id).is_none();
    if id.as_ref().ok().map(ToString::to_string) != noted || !is_noted {
        submission.conclude(slurm, &id);
    }
    id
}

/// Logs the lines that sbatch printed beside an id. Only warnings get the level of a warning, because a site
/// may print a greeting with each submission.
fn tell(lines: &[String]) {
    for line in lines {
        let start = line.get(..7).map(str::to_ascii_lowercase);
        let is_warning =
            start.is_some_and(|start| start == "warning" || start.starts_with("error"));
        let level = if is_warning { log::Level::Warn } else { log::Level::Info };
        log::log!(level, "sbatch accepted the job and printed: {}", Printable(line));
    }
}

fn id_of(
    slurm: &Slurm,
    prepared: &Prepared,
    command: &CommandLine,
    answer: Result<Output, HostError>,
) -> Result<JobId, SubmitError> {
    let look = || look_for(slurm, prepared);
    let unknown = |message: String, searched| {
        let submission_id = prepared.submission_id.to_string();
        SubmitError::Unknown { message, submission_id, searched }
    };
    let still_tries = matches!(answer, Err(HostError::Lost { .. }));
    let searched = if still_tries { LONG_SEARCH } else { SEARCH };
    let doubt = match answer {
        Ok(output) => match (SbatchEnd::of(&output), &*job_ids(&output.stdout)) {
            (SbatchEnd::Done, [id]) => return Ok(*id),
            // One of the numbers may come from a banner. Only Slurm knows the job's id.
            (SbatchEnd::Done, _) => {
                let Output { stdout, stderr, .. } = output;
                return match search(look, SEARCH, SEARCH) {
                    Sought::Found(id) => Ok(id),
                    _ => Err(SubmitError::NoJobId { output: stdout + &stderr }),
                };
            }
            (SbatchEnd::Refused(message), []) => return Err(refused(message, command)),
            // A site's wrapper of sbatch may have failed after sbatch had submitted the job.
            (SbatchEnd::Refused(message) | SbatchEnd::Other(message), _) => {
                return match search(look, CONFIRMATION, LONG_SEARCH) {
                    Sought::Found(id) => Ok(id),
                    Sought::Absent => Err(refused(message, command)),
                    Sought::Unanswered(why) => {
                        let message =
                            format!("{message}; the search for the job had no answer: {why}");
                        Err(unknown(message, LONG_SEARCH))
                    }
                };
            }
            (SbatchEnd::Nothing(message), _) => message,
        },
        Err(error) if error.leaves_open() => error.to_string(),
        Err(error) => return Err(error.into()),
    };
    log::warn!("sbatch left open whether the job exists, searching for it: {}", Printable(&doubt));
    match search(look, searched, searched) {
        Sought::Found(id) => Ok(id),
        Sought::Absent | Sought::Unanswered(_) => Err(unknown(doubt, searched)),
    }
}

fn refused(message: String, command: &CommandLine) -> SubmitError {
    let (refusal, limit) = (Refusal::of(&message), limit_in(&message));
    SubmitError::Refused { refusal, limit, message, command: command.to_string() }
}

fn command(prepared: &Prepared) -> CommandLine {
    // The script still names the refused dependencies; `0` clears them.
    let waits_for_none = prepared.options.get("dependency") == Some(&OptionValue::Unset);
    let cleared = (prepared.refusals > 0 && waits_for_none).then_some("--dependency=0");
    CommandLine::new("sbatch")
        .arg("--parsable")
        .args(prepared.options.to_args())
        .args(cleared)
        .arg(prepared.script().to_string_lossy())
}
