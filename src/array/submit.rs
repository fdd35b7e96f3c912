//! From what was prepared to Slurm arrays.

use std::borrow::Cow;

use slurm_core::ids::JobId;
use slurm_core::options::{OptionValue, Source};

use super::prepare::Parts;
use super::spool::Spooled;
use crate::backend::{Prepared, Submission, give_up, note};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::host::{Content, NewFile};
use crate::model::ArrayHandle;
use crate::progress::interrupt::Submitting;
use crate::submit::{self, Files};

/// Writes the directory of an array and hands its parts to the backend.
pub(crate) fn submit(
    cluster: &Cluster,
    parts: &Parts,
    spooled: Option<&Spooled>,
) -> Result<ArrayHandle> {
    let mut submitting = Submitting::begin();
    let first = &parts.submissions[0];
    let written = Files::of(cluster, &parts.submissions)?;
    submit::tell_warnings(first);
    let mut files = Vec::new();
    let dir = |name| NewFile { name, content: Content::Dir, mode: None, synced: false };
    files.extend([dir("results"), dir("stdout"), dir("stderr")]);
    files.extend(parts.several.then(|| dir("values")));
    files.extend(spooled.and_then(|spooled| spooled.file.as_deref()).map(|path| NewFile {
        name: "items",
        content: Content::Spooled(path),
        mode: written.arguments_mode(),
        synced: true,
    }));
    let ids = hand_over(cluster, parts, &[], Some((&written, &files)))?;
    let chosen = cluster.backend().chosen_for(&first.submission_id);
    let handle = ArrayHandle { cluster: chosen, ..parts.handle(&ids) };
    submitting.submitted(|| handle.about(cluster));
    Ok(handle)
}

/// Hands the parts to the backend that are not `known` to it, and notes the ids of all. Their directory is
/// there already.
pub(crate) fn enqueue(
    cluster: &Cluster,
    parts: &Parts,
    known: &[Option<JobId>],
) -> Result<Vec<JobId>> {
    hand_over(cluster, parts, known, None)
}

/// Returns a part for the Slurm cluster that has taken the parts before it: a submission has one cluster, whatever
/// sbatch would choose for the rest.
fn on_one_cluster(part: &Prepared, chosen: Option<String>) -> Result<Cow<'_, Prepared>> {
    let names = part.options.get("clusters").and_then(OptionValue::as_str);
    match chosen.filter(|_| names.is_some_and(|names| names.contains(','))) {
        Some(name) => {
            let mut part = part.clone();
            part.options.put("clusters", name, Source::CallSite)?;
            Ok(Cow::Owned(part))
        }
        None => Ok(Cow::Borrowed(part)),
    }
}

fn hand_over(
    cluster: &Cluster,
    parts: &Parts,
    known: &[Option<JobId>],
    new: Option<(&Files<'_>, &[NewFile<'_>])>,
) -> Result<Vec<JobId>> {
    let backend = cluster.backend();
    let first = &parts.submissions[0];
    let alone = parts.submissions.len() == 1;
    let mut ids: Vec<JobId> = Vec::new();
    for (number, part) in parts.submissions.iter().enumerate() {
        if let Some(id) = known.get(number).copied().flatten() {
            ids.push(id);
            continue;
        }
        let part = &on_one_cluster(part, backend.chosen_for(&first.submission_id))?;
        let submission = match new.filter(|_| number == 0) {
            Some((written, others)) => written.submission(part, others, alone),
            None => Submission { prepared: part, new: None, noted: false },
        };
        let noted = submission.noted;
        let answer = backend.submit(&[submission]).pop();
        let answer = answer.unwrap_or_else(|| Err(submit::unanswered()));
        match submit::accepted(cluster, part, answer, noted) {
            Ok(id) => ids.push(id),
            Err(error) => {
                let chosen = backend.chosen_for(&first.submission_id);
                let there = cluster.at(chosen.as_deref());
                let mut goes_on = false;
                for id in ids {
                    if let Err(left) = there.backend().cancel(id, None, None) {
                        log::warn!("array {id} of a refused submission goes on: {left}");
                        goes_on = true;
                    }
                }
                // What goes on needs its files.
                if let (Error::Submit(error), false) = (&error, goes_on) {
                    give_up(backend.host(), first.dir.path(), error);
                }
                return Err(error);
            }
        }
    }
    if !alone || new.is_none() {
        note(backend.host(), &first.dir, &ids, backend.chosen_for(&first.submission_id));
    }
    for (part, id) in parts.submissions.iter().zip(&ids) {
        cluster.callbacks().on_submitted(&part.handle(*id), &part.explanation);
    }
    Ok(ids)
}
