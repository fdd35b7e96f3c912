//! What squeue and sacct say.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, PreId};
use slurm_core::state::JobState;

use super::{Slurm, question, refused};
use crate::backend::{Backend, Exit, Sighting, Survey};
use crate::error::{Error, HostError};
use crate::host::CommandLine;

/// Asks squeue about all of the user's jobs, and sacct about those that squeue does not have.
pub(super) fn survey(slurm: &Slurm, jobs: &[JobId]) -> Result<Survey, Error> {
    let wanted: HashSet<JobId> = jobs.iter().copied().collect();
    // All of the user's jobs, and not a list of ids: with one id that is gone squeue fails, with more
    // it does not; and a long list makes the controller send every user's jobs.
    let command = question("squeue").args(["--me", "-h", "-t", "all", "-O"]).arg(QUEUE_FIELDS);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    let lines = output.stdout.lines().filter_map(queue_line);
    let mut survey =
        Survey { seen: lines.filter(|(id, _)| wanted.contains(id)).collect(), ..Survey::default() };
    let gone: Vec<JobId> = wanted.into_iter().filter(|id| !survey.seen.contains_key(id)).collect();
    for ids in gone.chunks(IDS_AT_ONCE) {
        match account(slurm, ids) {
            Ok(seen) => survey.seen.extend(seen),
            // What squeue said holds all the same.
            Err(error) => survey.doubt = Some(error),
        }
    }
    Ok(survey)
}

/// So that the command line stays far below what the system takes.
const IDS_AT_ONCE: usize = 2000;

/// Fields without free text, each with a separator; squeue cuts and glues them together without one.
const QUEUE_FIELDS: &str = "JobID:|,State:|,Reason:|,NodeList:|,exit_code:|";

fn queue_line(line: &str) -> Option<(JobId, Sighting)> {
    let mut fields = line.split('|').map(str::trim);
    let id = fields.next()?.parse().ok()?;
    let state = JobState::parse(fields.next()?);
    let reason = fields.next().and_then(meaningful);
    let nodes = fields.next().and_then(meaningful);
    let status: Option<u32> = fields.next().and_then(|status| status.parse().ok());
    let exit = status.filter(|_| state.is_terminal()).map(Exit::from_wait_status);
    Some((id, Sighting { state, reason, nodes, exit }))
}

/// Reads a line as each command may print it; for the fuzz targets.
pub(super) fn read_anything(line: &str) {
    let _ = (queue_line(line), account_line(line), script_path(line));
}

fn account(slurm: &Slurm, jobs: &[JobId]) -> Result<HashMap<JobId, Sighting>, Error> {
    let list = jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let command = question("sacct")
        .args(["-X", "-P", "-n", "-o", "JobIDRaw,State,ExitCode,Reason,NodeList", "-j"])
        .arg(list);
    Ok(lines(slurm, &command)?.lines().filter_map(account_line).collect())
}

fn account_line(line: &str) -> Option<(JobId, Sighting)> {
    let mut fields = line.split('|');
    let id = fields.next()?.parse().ok()?;
    let state = JobState::parse(fields.next()?);
    let exit = fields.next().and_then(Exit::from_pair).filter(|_| state.is_terminal());
    let reason = fields.next().and_then(meaningful);
    let nodes = fields.next().and_then(meaningful);
    Some((id, Sighting { state, reason, nodes, exit }))
}

fn meaningful(text: &str) -> Option<String> {
    let empty = ["", "None", "(null)", "None assigned", "Unknown", "N/A"].contains(&text);
    (!empty).then(|| text.to_owned())
}

/// Returns the job of a submission: its id is in the path of the script, and in the comment.
pub(super) fn find(slurm: &Slurm, pre_id: &PreId) -> Result<Option<JobId>, Error> {
    let by_line = |line: &str| {
        let (id, rest) = line.split_once('|')?;
        rest.contains(pre_id.as_str()).then(|| id.trim().parse().ok())?
    };
    let squeue = question("squeue").args(["--me", "-h", "-t", "all", "-o", "%A|%o|%k"]);
    let queued = lines(slurm, &squeue)?;
    if let Some(id) = queued.lines().find_map(by_line) {
        return Ok(Some(id));
    }
    // A day before: the submission's id tells the time in UTC, sacct reads local time.
    let since = "now-2days";
    let sacct = question("sacct").args([
        "-X",
        "-P",
        "-n",
        "-o",
        "JobIDRaw,SubmitLine,Comment",
        "-S",
        since,
    ]);
    Ok(lines(slurm, &sacct)?.lines().rev().find_map(by_line))
}

/// Returns the path of a job's batch script.
pub(super) fn script_of(slurm: &Slurm, job: JobId) -> Result<Option<PathBuf>, Error> {
    let squeue = question("squeue").args(["--me", "-h", "-t", "all", "-o", "%A|%o"]);
    let queued = lines(slurm, &squeue)?;
    let listed = queued.lines().filter_map(|line| line.split_once('|'));
    let mut commands =
        listed.filter(|(id, _)| id.trim().parse() == Ok(job)).map(|(_, command)| command);
    if let Some(script) = commands.next().and_then(script_path) {
        return Ok(Some(script));
    }
    let sacct =
        question("sacct").args(["-X", "-P", "-n", "-o", "SubmitLine", "-j"]).arg(job.to_string());
    // The script is the last argument, whatever blanks there are in its path.
    let base = slurm.job_base_dir().to_string_lossy().into_owned();
    let script = |line: &str| script_path(&line[line.rfind(&base)?..]);
    Ok(lines(slurm, &sacct)?.lines().find_map(script))
}

fn script_path(text: &str) -> Option<PathBuf> {
    let path = Path::new(text.trim());
    (path.is_absolute() && path.ends_with("script.sh")).then(|| path.to_owned())
}

/// The output of a command; nothing if it is sacct and there is no accounting here.
fn lines(slurm: &Slurm, command: &CommandLine) -> Result<String, Error> {
    let output = match slurm.query(command) {
        Err(Error::Host(HostError::CommandMissing { program, .. })) if program == "sacct" => {
            return Ok(String::new());
        }
        other => other?,
    };
    if output.status.success() {
        Ok(output.stdout)
    } else if output.stderr.contains("accounting storage is disabled") {
        Ok(String::new())
    } else {
        Err(refused(command, &output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_squeue_is_read() {
        let (id, seen) = queue_line("22|FAILED|NonZeroExitCode|n1|768|").unwrap();
        assert_eq!((id.get(), &seen.state), (22, &JobState::Failed));
        assert_eq!(seen.exit, Some(Exit { code: 3, signal: 0 }));
        let (_, seen) = queue_line("23|PENDING|DependencyNeverSatisfied||0|").unwrap();
        assert_eq!((seen.waits_in_vain(), seen.nodes, seen.exit), (true, None, None));
        assert!(queue_line("CLUSTER: one").is_none());
    }

    #[test]
    fn a_line_of_sacct_is_read() {
        let (_, seen) = account_line("22|CANCELLED by 1000|0:15|None|n1").unwrap();
        assert_eq!(
            (seen.state, seen.exit),
            (JobState::Cancelled, Some(Exit { code: 0, signal: 15 }))
        );
        let (_, seen) = account_line("22|RUNNING|0:0|None|n1").unwrap();
        assert_eq!((seen.is_end(), seen.exit), (false, None));
        let (_, seen) = account_line("22|OUT_OF_MEMORY|0:125|None|n[1-2]").unwrap();
        assert_eq!((seen.state, seen.nodes.as_deref()), (JobState::OutOfMemory, Some("n[1-2]")));
    }

    #[test]
    fn only_a_script_of_ours_counts_as_one() {
        assert!(script_path("/home/me/slurm_jobs/train/x/script.sh").is_some());
        assert!(script_path("wrap").is_none());
        assert!(script_path("(null)").is_none());
    }
}
