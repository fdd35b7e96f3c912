//! The search for a job of which sbatch left open whether it exists.

use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::ids::JobId;
use slurm_core::options::OptionValue;
use slurm_host::Printable;

use super::{Slurm, queue};
use crate::backend::{Backend, Prepared, traces};
use crate::error::Error;

/// How long to search for a job if sbatch left open whether it exists.
pub(super) const SEARCH: Duration = Duration::from_secs(30);
/// How long all sources must deny the job before an error of sbatch is accepted.
pub(super) const CONFIRMATION: Duration = Duration::from_secs(5);
/// How long to search if sbatch may still be retrying, which it does for about two minutes, or if no source
/// answers, for example while a controller is replaced.
pub(super) const LONG_SEARCH: Duration = Duration::from_secs(180);

/// The result of a search for a job.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sought {
    Found(JobId),
    /// All sources have answered, and none knows it.
    Absent,
    /// Some source did not answer; its error.
    Unanswered(String),
}

/// Searches for the job of a submission for `patience`. If no source has answered by then, the search continues
/// until one does, for at most `longest`. A missing answer never counts as a denial.
pub(super) fn search(look: impl Fn() -> Sought, patience: Duration, longest: Duration) -> Sought {
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
pub(super) fn look_for(slurm: &Slurm, prepared: &Prepared) -> Sought {
    let known = find_on_clusters(slurm, prepared);
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
fn find_on_clusters(slurm: &Slurm, prepared: &Prepared) -> Result<Option<JobId>, Error> {
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
pub(super) fn clusters(prepared: &Prepared) -> Option<&str> {
    match prepared.options.get("clusters") {
        Some(OptionValue::Value(names)) => Some(names),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

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
}
