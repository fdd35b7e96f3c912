//! Submits the Slurm arrays of a prepared array.

use std::borrow::Cow;

use slurm_core::ids::JobId;
use slurm_core::options::{OptionValue, Source};
use slurm_host::{Content, NewFile};

use super::prepare::Parts;
use super::spool::Spooled;
use crate::backend::{Prepared, Submission, give_up, note};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
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

/// Submits the parts that are not in `known`, and notes the ids of all. The submission's directory exists
/// already.
pub(crate) fn enqueue(
    cluster: &Cluster,
    parts: &Parts,
    known: &[Option<JobId>],
) -> Result<Vec<JobId>> {
    hand_over(cluster, parts, known, None)
}

/// Returns a part for the Slurm cluster that has accepted the parts before it. All parts of a submission run on
/// one cluster, whichever cluster sbatch would choose for the rest.
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
                let mut keeps_running = false;
                for id in ids {
                    if let Err(left) = there.backend().cancel(id, None, None) {
                        log::warn!(
                            "array {id} of a refused submission could not be cancelled and keeps running: {left}"
                        );
                        keeps_running = true;
                    }
                }
                // An array that keeps running needs its files.
                if let (Error::Submit(error), false) = (&error, keeps_running) {
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
