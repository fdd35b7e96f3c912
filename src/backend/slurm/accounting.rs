//! The answers of sacct.
//!
//! sacct can fail because of a part of the question: a list of ids, one of the ids, or a field that the release
//! does not have. In these cases it is asked again in a form that works.

use slurm_core::ids::JobId;
use slurm_host::CommandLine;

use super::lines::{ACCOUNT_FIELDS, FEWEST_ACCOUNT_FIELDS, Line, account_line};
use super::{Slurm, question, refused};
use crate::backend::{Said, Survey, Testimony};
use crate::error::{Error, HostError};

/// Keeps the command line far below the system's limit.
const IDS_AT_ONCE: usize = 2000;

/// The number of ids that are asked about one by one after the command for a list has failed.
const ALONE_AT_ONCE: usize = 20;

/// The output of sacct, or the reason why this cluster has no accounting.
pub(super) type Answer = Result<String, String>;

/// Asks about jobs that squeue has not listed in its answer.
pub(super) fn survey(slurm: &Slurm, gone: &[JobId]) -> Survey {
    let queue = Testimony::default().with("squeue", Said::NotListed);
    let mut survey = Survey { testimony: queue.clone(), ..Survey::default() };
    let mut said = Said::NotListed;
    for ids in gone.chunks(IDS_AT_ONCE) {
        match records(slurm, ids) {
            Ok(Ok(lines)) => lines.into_iter().for_each(|line| line.add_to(&mut survey)),
            Ok(Err(why)) => said = Said::NotThere(why),
            // The answer of squeue still holds.
            Err(error) => {
                if !alone(slurm, ids, &mut survey) {
                    said = Said::Failed(error.to_string());
                }
            }
        }
    }
    if !gone.is_empty() {
        survey.testimony = queue.with("sacct", said);
    }
    survey
}

/// Asks about ids one by one after the command for the whole list failed. Returns whether all were answered.
fn alone(slurm: &Slurm, ids: &[JobId], survey: &mut Survey) -> bool {
    if ids.len() < 2 {
        return false;
    }
    let mut failures = 0;
    for id in ids.iter().take(ALONE_AT_ONCE) {
        match records(slurm, &[*id]) {
            Ok(lines) => {
                lines.into_iter().flatten().for_each(|line| line.add_to(survey));
            }
            Err(error) => {
                log::debug!("sacct does not answer about job {id}: {error}");
                failures += 1;
            }
        }
        // Two failures mean an outage, and more commands would only add to the load.
        if failures > 1 {
            return false;
        }
    }
    failures == 0 && ids.len() <= ALONE_AT_ONCE
}

/// Returns the records of some jobs, or the reason why there is no accounting.
fn records(slurm: &Slurm, jobs: &[JobId]) -> Result<Result<Vec<Line>, String>, Error> {
    let list = jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let answer = ask(slurm, [ACCOUNT_FIELDS, FEWEST_ACCOUNT_FIELDS], &["-j", &list])?;
    Ok(answer.map(|text| text.lines().filter_map(account_line).collect()))
}

/// Asks sacct for fields of allocations, without their steps. If the release lacks one of the first fields,
/// asks for the second ones.
pub(super) fn ask(slurm: &Slurm, fields: [&str; 2], arguments: &[&str]) -> Result<Answer, Error> {
    let command = |fields: &str| {
        let command = question("sacct").args(["-X", "-P", "-n", "-o", fields]);
        command.args(arguments.iter().copied())
    };
    let [all, fewest] = fields;
    match answer(slurm, &command(all)) {
        Err(Error::Command { message, .. }) if message.contains("Invalid field") => {
            answer(slurm, &command(fewest))
        }
        other => other,
    }
}

fn answer(slurm: &Slurm, command: &CommandLine) -> Result<Answer, Error> {
    let output = match slurm.query(command) {
        Err(Error::Host(HostError::CommandMissing { program, .. })) if program == "sacct" => {
            return Ok(Err("the command is not installed".to_owned()));
        }
        other => other?,
    };
    if output.status.success() {
        Ok(Ok(output.stdout))
    } else if output.stderr.contains("accounting storage is disabled") {
        Ok(Err("this cluster keeps no accounting".to_owned()))
    } else {
        Err(refused(command, &output))
    }
}
