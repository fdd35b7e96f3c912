//! What squeue and sacct say.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, PreId};
use slurm_core::layout::JobDir;
use slurm_core::options::{ArrayRange, ArraySpec};
use slurm_core::state::JobState;

use super::{Slurm, question, refused};
use crate::backend::{Asked, Backend, Exit, Indices, Sighting, Survey, Times};
use crate::error::{Error, HostError};
use crate::host::CommandLine;

/// Asks squeue about all of the user's jobs, and sacct about what squeue does not have.
pub(super) fn survey(slurm: &Slurm, asked: &[Asked]) -> Result<Survey, Error> {
    let wanted: HashMap<JobId, &Asked> = asked.iter().map(|asked| (asked.job, asked)).collect();
    // All of the user's jobs, and not a list of ids: with one id that is gone squeue fails, with more
    // it does not; and a long list makes the controller send every user's jobs.
    let command = question("squeue").args(["--me", "-h", "-t", "all", "-O"]).arg(QUEUE_FIELDS);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    let mut queued = Survey::default();
    let lines = output.stdout.lines().filter_map(queue_line);
    lines.filter(|line| wanted.contains_key(&line.job)).for_each(|line| line.add_to(&mut queued));
    let gone: Vec<JobId> = wanted
        .into_iter()
        .filter(|(_, asked)| asked.is_missing_in(&queued))
        .map(|(job, _)| job)
        .collect();
    let mut survey = Survey::default();
    for ids in gone.chunks(IDS_AT_ONCE) {
        match account(slurm, ids) {
            Ok(lines) => lines.into_iter().for_each(|line| line.add_to(&mut survey)),
            // What squeue said holds all the same.
            Err(error) => survey.doubt = Some(error),
        }
    }
    // squeue is believed before sacct.
    survey.seen.extend(queued.seen);
    for (job, elements) in queued.elements {
        survey.elements.entry(job).or_default().extend(elements);
    }
    Ok(survey)
}

/// So that the command line stays far below what the system takes.
const IDS_AT_ONCE: usize = 2000;

/// Fields without free text, each with a separator; squeue cuts and glues them together without one.
const QUEUE_FIELDS: &str =
    "ArrayJobID:|,ArrayTaskID:|,State:|,Reason:|,NodeList:|,exit_code:|,StartTime:|,TimeLimit:|";

/// What a line of squeue or sacct says of a job, or of elements of an array.
#[derive(Clone, Debug)]
struct Line {
    job: JobId,
    elements: Option<Indices>,
    sighting: Sighting,
}

impl Line {
    fn add_to(self, survey: &mut Survey) {
        match self.elements {
            None => drop(survey.seen.insert(self.job, self.sighting)),
            Some(elements) => {
                survey.elements.entry(self.job).or_default().push((elements, self.sighting));
            }
        }
    }
}

fn queue_line(line: &str) -> Option<Line> {
    let mut fields = line.split('|').map(str::trim);
    let job = fields.next()?.parse().ok()?;
    let elements = match fields.next()? {
        "N/A" | "" => None,
        list => Some(indices(list)?),
    };
    let state = JobState::parse(fields.next()?);
    let reason = fields.next().and_then(meaningful);
    let nodes = fields.next().and_then(meaningful);
    let status: Option<u32> = fields.next().and_then(|status| status.parse().ok());
    let exit = status.filter(|_| state.is_terminal()).map(Exit::from_wait_status);
    let times = Times::read(fields.next(), fields.next());
    Some(Line { job, elements, sighting: Sighting { state, reason, nodes, exit, times } })
}

/// Reads a line as each command may print it; for the fuzz targets.
pub(super) fn read_anything(line: &str) {
    let _ = (queue_line(line), account_line(line), script_path(line));
}

/// Reads indices as Slurm prints them: `4`, `2-5%2`, `[1,3-9:2]`.
fn indices(list: &str) -> Option<Indices> {
    let list = list.strip_prefix('[').map_or(list, |list| list.strip_suffix(']').unwrap_or(list));
    let spec: ArraySpec = list.parse().ok()?;
    let all = |range: &ArrayRange| match range.step {
        1 => vec![(range.first, range.last)],
        step => (range.first..=range.last).step_by(step as usize).map(|n| (n, n)).collect(),
    };
    Some(spec.ranges().iter().flat_map(all).collect())
}

const ACCOUNT_FIELDS: &str = "JobID,State,ExitCode,Reason,NodeList,Start,Timelimit";

fn account(slurm: &Slurm, jobs: &[JobId]) -> Result<Vec<Line>, Error> {
    let list = jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let command = question("sacct").args(["-X", "-P", "-n", "-o", ACCOUNT_FIELDS, "-j"]).arg(list);
    Ok(lines(slurm, &command)?.lines().filter_map(account_line).collect())
}

fn account_line(line: &str) -> Option<Line> {
    let mut fields = line.split('|');
    let name = fields.next()?;
    let (job, elements) = match name.split_once('_') {
        Some((job, list)) => (job.parse().ok()?, Some(indices(list)?)),
        None => (name.parse().ok()?, None),
    };
    let state = JobState::parse(fields.next()?);
    let exit = fields.next().and_then(Exit::from_pair).filter(|_| state.is_terminal());
    let reason = fields.next().and_then(meaningful);
    let nodes = fields.next().and_then(meaningful);
    let times = Times::read(fields.next(), fields.next());
    Some(Line { job, elements, sighting: Sighting { state, reason, nodes, exit, times } })
}

fn meaningful(text: &str) -> Option<String> {
    let empty = ["", "None", "(null)", "None assigned", "Unknown", "N/A"].contains(&text);
    (!empty).then(|| text.to_owned())
}

/// Returns the job of a submission: its id is in the path of the script, and in the comment.
pub(super) fn find(slurm: &Slurm, pre_id: &PreId, part: u32) -> Result<Option<JobId>, Error> {
    let script = JobDir::at(pre_id.as_str()).script_of(part);
    let script = script.to_string_lossy();
    let is_it = |text: &str| {
        // The arrays of a submission that takes several differ in their scripts alone.
        let commented = part == 0 && !text.contains(".sh") && text.contains(pre_id.as_str());
        text.contains(&*script) || commented
    };
    let by_line = |line: &str| {
        let (id, rest) = line.split_once('|')?;
        let id = id.split('_').next()?;
        is_it(rest).then(|| id.trim().parse().ok())?
    };
    let squeue = question("squeue").args(["--me", "-h", "-t", "all", "-o", "%F|%o|%k"]);
    let queued = lines(slurm, &squeue)?;
    if let Some(id) = queued.lines().find_map(by_line) {
        return Ok(Some(id));
    }
    // A day before: the submission's id tells the time in UTC, sacct reads local time.
    let since = "now-2days";
    let sacct =
        question("sacct").args(["-X", "-P", "-n", "-o", "JobID,SubmitLine,Comment", "-S", since]);
    Ok(lines(slurm, &sacct)?.lines().rev().find_map(by_line))
}

/// Returns the path of a job's batch script.
pub(super) fn script_of(slurm: &Slurm, job: JobId) -> Result<Option<PathBuf>, Error> {
    let squeue = question("squeue").args(["--me", "-h", "-t", "all", "-o", "%F|%o"]);
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
    use std::time::Duration;

    use super::*;
    use crate::backend::since_epoch;

    #[test]
    fn a_line_of_squeue_is_read() {
        let line = queue_line("22|N/A|FAILED|NonZeroExitCode|n1|768|").unwrap();
        assert_eq!((line.job.get(), &line.sighting.state), (22, &JobState::Failed));
        assert_eq!(line.sighting.exit, Some(Exit { code: 3, signal: 0 }));
        let seen = queue_line("23|N/A|PENDING|DependencyNeverSatisfied||0|").unwrap().sighting;
        assert_eq!((seen.waits_in_vain(), seen.nodes, seen.exit), (true, None, None));
        assert!(queue_line("CLUSTER: one").is_none());
    }

    #[test]
    fn a_line_tells_when_a_job_started_and_how_long_it_may_run() {
        let times = |line: &str| queue_line(line).unwrap().sighting.times;
        let known = times("22|N/A|RUNNING|None|n1|0|1795865593|1-00:05:00|");
        assert_eq!(known.start, since_epoch(1_795_865_593));
        assert_eq!(known.limit, Some(Duration::from_secs(86_700)));
        for unknown in ["N/A|UNLIMITED|", "2026-11-28T11:33:02|Partition_Limit|", "0|NOT_SET|", ""]
        {
            let line = format!("22|N/A|PENDING|JobHeldUser||0|{unknown}");
            assert_eq!(times(&line), Times::default(), "{unknown}");
        }
        let accounted = account_line("22|RUNNING|0:0|None|n1|1795865593|00:05:00").unwrap();
        assert_eq!(accounted.sighting.times.limit, Some(Duration::from_secs(300)));
    }

    #[test]
    fn a_line_of_squeue_tells_of_elements() {
        let elements = |line| queue_line(line).unwrap().elements;
        assert_eq!(elements("22|3|RUNNING|None|n1|0|"), Some(vec![(3, 3)]));
        assert_eq!(elements("22|2-5,9%2|PENDING|Resources||0|"), Some(vec![(2, 5), (9, 9)]));
        assert_eq!(elements("22|0-4:2|PENDING|Resources||0|"), Some(vec![(0, 0), (2, 2), (4, 4)]));
    }

    #[test]
    fn a_line_of_sacct_is_read() {
        let seen = account_line("22|CANCELLED by 1000|0:15|None|n1").unwrap().sighting;
        assert_eq!(
            (seen.state, seen.exit),
            (JobState::Cancelled, Some(Exit { code: 0, signal: 15 }))
        );
        let seen = account_line("22|RUNNING|0:0|None|n1").unwrap().sighting;
        assert_eq!((seen.is_end(), seen.exit), (false, None));
        let seen = account_line("22|OUT_OF_MEMORY|0:125|None|n[1-2]").unwrap().sighting;
        assert_eq!((seen.state, seen.nodes.as_deref()), (JobState::OutOfMemory, Some("n[1-2]")));
        let line = account_line("22_[5-7%2]|PENDING|0:0|None|None assigned").unwrap();
        assert_eq!((line.job.get(), line.elements), (22, Some(vec![(5, 7)])));
        assert_eq!(account_line("22_4|FAILED|1:0|None|n1").unwrap().elements, Some(vec![(4, 4)]));
    }

    #[test]
    fn only_a_script_of_ours_counts_as_one() {
        assert!(script_path("/home/me/slurm_jobs/train/x/script.sh").is_some());
        assert!(script_path("wrap").is_none());
        assert!(script_path("(null)").is_none());
    }
}
