//! Submission with sbatch.

use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::ids::JobId;
use slurm_core::options::OptionValue;
use slurm_core::words::LEAVE_OPEN;
use slurm_host::{CommandLine, Note, Order, Output, Printable, Submitted};

use super::{Slurm, queue};
use crate::backend::{Backend, Prepared, Submission, traces};
use crate::error::{Error, HostError, Refusal, SubmitError, limit_in};

/// How long to search for a job if sbatch left open whether it exists.
const SEARCH: Duration = Duration::from_secs(30);
/// How long all sources must deny the job before an error of sbatch is accepted.
const CONFIRMATION: Duration = Duration::from_secs(5);
/// How long to search if sbatch may still be retrying, which it does for about two minutes, or if no source
/// answers, for example while a controller is replaced.
const LONG_SEARCH: Duration = Duration::from_secs(180);

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
        .map(|((submission, order), answer)| conclude(slurm, submission, order, answer))
        .collect()
}

/// The text around the id in the note.
const NOTE: (&str, &str) = ("{\"job_id\":", "}");

fn conclude(
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

/// Returns sbatch's own lines, without its name. Plugins of a site print lines with its name too.
fn lines_of_sbatch(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().filter_map(|line| line.trim().strip_prefix("sbatch: "));
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
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
    let look = || look(slurm, prepared);
    let unknown = |message: String, searched| {
        let submission_id = prepared.submission_id.to_string();
        SubmitError::Unknown { message, submission_id, searched }
    };
    let still_tries = matches!(answer, Err(HostError::Lost { .. }));
    let searched = if still_tries { LONG_SEARCH } else { SEARCH };
    let doubt = match answer {
        Ok(output) => match (Said::by(&output), &*job_ids(&output.stdout)) {
            (Said::Done, [id]) => return Ok(*id),
            // One of the numbers may come from a banner. Only Slurm knows the job's id.
            (Said::Done, _) => {
                let Output { stdout, stderr, .. } = output;
                return match search(look, SEARCH, SEARCH) {
                    Sought::Found(id) => Ok(id),
                    _ => Err(SubmitError::NoJobId { output: stdout + &stderr }),
                };
            }
            (Said::Refused(message), []) => return Err(refused(message, command)),
            // A site's wrapper of sbatch may have failed after sbatch had submitted the job.
            (Said::Refused(message) | Said::Other(message), _) => {
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
            (Said::Nothing(message), _) => message,
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

/// The end of sbatch, apart from the numbers that it printed.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// It succeeded.
    Done,
    /// It failed, and prints the reason itself.
    Refused(String),
    /// It failed with a message that is not sbatch's own, so the cause may be something else.
    Other(String),
    /// It failed without information about the job.
    Nothing(String),
}

impl Said {
    fn by(output: &Output) -> Self {
        if output.status.success() {
            return Self::Done;
        }
        let message = output.stderr.trim().to_owned();
        let silent = message.is_empty() || output.status.code().is_none();
        if silent || leaves_open(&message) {
            return Self::Nothing(format!("sbatch ended with {}: {message}", output.status));
        }
        if message.lines().any(is_refusal) { Self::Refused(message) } else { Self::Other(message) }
    }
}

/// Returns whether sbatch refuses a job with this line. For a job that it submits, it also prints warnings and
/// the lines of a site's plugins.
fn is_refusal(line: &str) -> bool {
    // The last ones come from getopt(3).
    const BEGINNINGS: [&str; 5] =
        ["error: ", "fatal: ", "unrecognized option", "invalid option", "option "];
    let words = line.trim_start().strip_prefix("sbatch: ");
    // sbatch also prints this about an answer that it cannot verify, and then the job exists.
    let is_of_answer = line.contains("Protocol authentication error");
    let begins = |words: &str| BEGINNINGS.iter().any(|beginning| words.starts_with(beginning));
    words.is_some_and(begins) && !is_of_answer
}

fn refused(message: String, command: &CommandLine) -> SubmitError {
    let (refusal, limit) = (Refusal::of(&message), limit_in(&message));
    SubmitError::Refused { refusal, limit, message, command: command.to_string() }
}

/// The result of a search for a job.
#[derive(Debug, PartialEq, Eq)]
enum Sought {
    Found(JobId),
    /// All sources have answered, and none knows it.
    Absent,
    /// Some source did not answer; its error.
    Unanswered(String),
}

/// Searches for the job of a submission for `patience`. If no source has answered by then, the search continues
/// until one does, for at most `longest`. A missing answer never counts as a denial.
fn search(look: impl Fn() -> Sought, patience: Duration, longest: Duration) -> Sought {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
    loop {
        let sought = look();
        let enough = match &sought {
            Sought::Found(_) => return sought,
            Sought::Absent => patience,
            Sought::Unanswered(why) => {
                log::warn!(
                    "the search for the job had no answer, trying again: {}",
                    Printable(why)
                );
                longest
            }
        };
        if backoff.elapsed() >= enough {
            return sought;
        }
        backoff.pause();
    }
}

/// Asks the queue, the accounting and the submission's directory for the job.
fn look(slurm: &Slurm, prepared: &Prepared) -> Sought {
    let known = find(slurm, prepared);
    if let Ok(Some(id)) = known {
        return Sought::Found(id);
    }
    // The queue may have forgotten a short job, and the accounting may lag behind or not have it.
    let traces = traces::id_in(slurm.host(), &prepared.dir, prepared.part);
    match (known, traces) {
        (_, Ok(Some(id))) => Sought::Found(id),
        (Ok(_), Ok(None)) => Sought::Absent,
        (Err(error), _) => Sought::Unanswered(error.to_string()),
        (_, Err(error)) => Sought::Unanswered(error.with_source()),
    }
}

/// Looks for the job on each cluster that it may be on.
fn find(slurm: &Slurm, prepared: &Prepared) -> Result<Option<JobId>, Error> {
    let (submission_id, part) = (&prepared.submission_id, prepared.part);
    let Some(names) = clusters(prepared) else { return queue::find(slurm, submission_id, part) };
    for name in names.split(',') {
        if let Some(id) = queue::find(&slurm.of(name), submission_id, part)? {
            slurm.chosen().insert(submission_id.clone(), name.to_owned());
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Returns the clusters that the options name.
fn clusters(prepared: &Prepared) -> Option<&str> {
    match prepared.options.get("clusters") {
        Some(OptionValue::Value(names)) => Some(names),
        _ => None,
    }
}

/// Returns the cluster that sbatch prints after the id: `4242;cluster`.
fn cluster_of(stdout: &str) -> Option<String> {
    let named = |line: &str| {
        let (id, name) = line.trim().split_once(';')?;
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        (is_name && id.parse::<JobId>().is_ok()).then(|| name.to_owned())
    };
    stdout.lines().find_map(named)
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

/// Returns the candidates for the id in the output of `sbatch --parsable`, each once. A site's wrapper may
/// print more. A candidate is a line `id` or `id;cluster`, or the id in sbatch's usual sentence.
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

/// Returns whether sbatch failed in such a way that the job may exist.
fn leaves_open(message: &str) -> bool {
    LEAVE_OPEN.iter().any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn the_cluster_that_took_the_job_is_read() {
        assert_eq!(cluster_of("Welcome; today is Monday\n4242;c2\n").as_deref(), Some("c2"));
        assert_eq!(cluster_of("4242\n"), None);
        assert_eq!(cluster_of("12; drink water\n4242\n"), None);
    }

    #[test]
    fn lines_of_sbatch_about_an_accepted_job_are_kept_without_others() {
        let stderr = "Welcome\nsbatch: Warning: can't run 2 processes on 3 nodes\nsbatch: \nsbatch: charged to x\n";
        let lines = ["Warning: can't run 2 processes on 3 nodes", "charged to x"];
        assert_eq!(lines_of_sbatch(stderr), lines);
    }

    #[test]
    fn only_a_message_of_sbatch_itself_is_a_refusal() {
        let said = |code: i32, stderr: &str| {
            let status = ExitStatus::from_raw(code << 8);
            Said::by(&Output { status, stdout: String::new(), stderr: stderr.to_owned() })
        };
        assert_eq!(said(0, "sbatch: warning: something"), Said::Done);
        let own = "sbatch: error: Batch job submission failed: Invalid partition name specified";
        assert_eq!(said(1, own), Said::Refused(own.to_owned()));
        let option =
            "sbatch: unrecognized option '--nonsense'\nTry \"sbatch --help\" for more information";
        assert_eq!(said(1, option), Said::Refused(option.to_owned()));
        for word in [
            "sbatch: error: Batch job submission failed: Protocol authentication error",
            "audit: cannot write the log",
            "sbatch: warning: can't honor --ntasks-per-node\naudit: cannot write the log",
            "sbatch: your project has 12 hours left",
        ] {
            assert_eq!(said(1, word), Said::Other(word.to_owned()));
        }
        assert!(matches!(said(1, " "), Said::Nothing(_)));
        let lost =
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";
        assert!(matches!(said(1, lost), Said::Nothing(_)));
        let killed = Output {
            status: ExitStatus::from_raw(9),
            stdout: String::new(),
            stderr: own.to_owned(),
        };
        assert!(matches!(Said::by(&killed), Said::Nothing(_)));
    }

    #[test]
    fn a_missing_answer_is_not_a_denial() {
        let (short, long) = (Duration::from_millis(1), Duration::from_millis(600));
        let asked = Cell::new(0);
        let after = |times: u32, then: fn() -> Sought| {
            asked.set(0);
            let asked = &asked;
            move || {
                asked.set(asked.get() + 1);
                if asked.get() > times { then() } else { Sought::Unanswered("busy".to_owned()) }
            }
        };
        let id = || Sought::Found(JobId::new(7).unwrap());
        assert_eq!(search(after(1, id), short, long), id());
        assert_eq!(search(after(1, || Sought::Absent), short, long), Sought::Absent);
        let never = search(after(99, id), short, long);
        assert_eq!(never, Sought::Unanswered("busy".to_owned()));
        assert!(asked.get() > 1, "it was asked again: {}", asked.get());
    }

    #[test]
    fn candidates_for_the_id_are_found_in_the_output_of_a_site() {
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
