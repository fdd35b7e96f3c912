//! Questions to squeue, and their answers together with those of sacct.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_host::CommandLine;

use super::lines::{QUEUE_FIELDS, account_line, queue_line};
use super::{Slurm, accounting, question, refused};
use crate::backend::{Asked, Backend, Survey};
use crate::error::Error;

/// Asks squeue about all of the user's jobs, and sacct about those that squeue does not list.
pub(super) fn survey(slurm: &Slurm, asked: &[Asked]) -> Result<Survey, Error> {
    let wanted: HashMap<JobId, &Asked> = asked.iter().map(|asked| (asked.job, asked)).collect();
    // The command asks for all of the user's jobs instead of a list of ids. squeue fails for one unknown id but
    // not for several, and for a long list the controller sends the jobs of all users.
    let command = in_queue("-O", QUEUE_FIELDS);
    let listed = output(slurm, &command)?;
    let mut queued = Survey::default();
    let lines = listed.lines().filter_map(queue_line);
    lines.filter(|line| wanted.contains_key(&line.job)).for_each(|line| line.add_to(&mut queued));
    let gone: Vec<JobId> = wanted
        .into_iter()
        .filter(|(_, asked)| asked.is_missing_in(&queued))
        .map(|(job, _)| job)
        .collect();
    let mut survey = accounting::survey(slurm, &gone);
    survey.queued = queued.seen.keys().chain(queued.elements.keys()).copied().collect();
    // The queue takes precedence over the accounting.
    survey.seen.extend(queued.seen);
    for (job, elements) in queued.elements {
        survey.elements.entry(job).or_default().extend(elements);
    }
    Ok(survey)
}

/// Returns the squeue command for all of the user's jobs, including ended jobs and jobs in hidden partitions.
fn in_queue(format: &str, fields: &str) -> CommandLine {
    question("squeue").args(["--me", "-a", "-h", "-t", "all", format, fields])
}

/// Parses a line as output of each command; for the fuzz targets.
pub(super) fn read_anything(line: &str) {
    let _ = (queue_line(line), account_line(line), script_path(line));
}

/// Returns the job of a submission. The submission's id is in the path of the script and in the comment.
pub(super) fn find(
    slurm: &Slurm,
    submission_id: &SubmissionId,
    part: u32,
) -> Result<Option<JobId>, Error> {
    let script = JobDir::at(submission_id.as_str()).script_of(part);
    let script = script.to_string_lossy();
    let is_it = |text: &str| {
        // The Slurm arrays of a submission differ only in their scripts.
        let commented = part == 0 && !text.contains(".sh") && text.contains(submission_id.as_str());
        text.contains(&*script) || commented
    };
    let by_line = |line: &str| {
        let (id, rest) = line.split_once('|')?;
        let id = id.split('_').next()?;
        is_it(rest).then(|| id.trim().parse().ok())?
    };
    let squeue = in_queue("-o", "%F|%o|%k");
    let queued = output(slurm, &squeue)?;
    if let Some(id) = queued.lines().find_map(by_line) {
        return Ok(Some(id));
    }
    // Two days back, because the submission's id has the time in UTC and sacct reads local time.
    let since = "now-2days";
    // `SubmitLine` came with 21.08.
    let fields = ["JobID,SubmitLine,Comment", "JobID,Comment"];
    let accounted = accounting::ask(slurm, fields, &["-S", since])?.unwrap_or_default();
    Ok(accounted.lines().rev().find_map(by_line))
}

/// Returns the path of a job's batch script.
pub(super) fn script_of(slurm: &Slurm, job: JobId) -> Result<Option<PathBuf>, Error> {
    let squeue = in_queue("-o", "%F|%o");
    let queued = output(slurm, &squeue)?;
    let listed = queued.lines().filter_map(|line| line.split_once('|'));
    let mut commands =
        listed.filter(|(id, _)| id.trim().parse() == Ok(job)).map(|(_, command)| command);
    if let Some(script) = commands.next().and_then(script_path) {
        return Ok(Some(script));
    }
    // The script is the last argument, and its path may contain blanks.
    let base = slurm.job_base_dir().to_string_lossy().into_owned();
    let script = |line: &str| script_path(&line[line.rfind(&base)?..]);
    // Without `SubmitLine`, which came with 21.08, no field has the path.
    let fields = ["SubmitLine", "JobID"];
    let accounted = accounting::ask(slurm, fields, &["-j", &job.to_string()])?.unwrap_or_default();
    Ok(accounted.lines().find_map(script))
}

fn script_path(text: &str) -> Option<PathBuf> {
    let path = Path::new(text.trim());
    let name = path.file_name().and_then(|name| name.to_str())?;
    // Further Slurm arrays of a submission have scripts of their own.
    let part = name.strip_prefix("script").and_then(|rest| rest.strip_suffix(".sh"))?;
    let number = part.strip_prefix('-').map(|number| number.parse::<u32>().is_ok());
    (path.is_absolute() && number.unwrap_or(part.is_empty())).then(|| path.to_owned())
}

fn output(slurm: &Slurm, command: &CommandLine) -> Result<String, Error> {
    let output = slurm.query(command)?;
    if output.status.success() { Ok(output.stdout) } else { Err(refused(command, &output)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_of_this_library_are_recognised() {
        assert!(script_path("/home/me/slurm_jobs/train/x/script.sh").is_some());
        assert!(script_path("/home/me/slurm_jobs/train/x/script-2.sh").is_some());
        assert!(script_path("/home/me/scripts.sh").is_none());
        assert!(script_path("wrap").is_none());
        assert!(script_path("(null)").is_none());
    }
}
