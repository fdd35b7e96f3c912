//! Points in time and spans of time against each other.
//!
//! Slurm's source: `_opt_verify` in `src/sbatch/opt.c`, `_valid_job_part` in
//! `src/slurmctld/job_mgr.c`.

use super::view::View;
use super::{Conflict, mismatch};
use crate::options::types::{DateTime, Walltime};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Conflict>) {
    if let (Some(begin), Some(deadline)) =
        (view.typed::<DateTime>("begin"), view.typed::<DateTime>("deadline"))
        && deadline.is_before(begin)
    {
        let message = format!("the deadline {deadline} comes before the begin {begin}");
        mismatch(found, ("begin", "deadline"), message, "move one of them");
    }
    let limit = view.typed::<Walltime>("time").and_then(Walltime::as_limit);
    let least = view.typed::<Walltime>("time_min");
    if let (Some(limit), Some(least)) = (limit, least)
        && least.as_limit().is_none_or(|least| least > limit)
    {
        let message =
            format!("`time_min` ({least}) is longer than `time` ({})", Walltime::from(limit));
        mismatch(found, ("time", "time_min"), message, "lower `time_min`");
    }
}
