//! The warning signal before the time limit, if it came before the runner could handle it.

use std::env;
use std::time::Duration;

use crate::environment::now_micros;

/// The variable in which the batch script stores the time of the signal, in seconds since the Unix epoch.
pub const WARNED: &str = "SLURM_SDK_WARNED";

/// The variable in which the batch script passes three times in seconds since the Unix epoch: the start of the
/// job, the time at which the signal is due, and the earliest time at which it may be sent.
pub const WARNING: &str = "SLURM_SDK_WARNING";

/// The warning of a job with a short limit may come at any moment from the start on. If it has not come this
/// long after the start, it was lost.
const QUICK_START: u64 = 2;

/// A warning that came, or may have come, before the runner could handle the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// It came this long ago.
    Ago(Duration),
    /// It may have been lost. If no signal comes, it counts after this time.
    In(Duration),
}

/// Returns the warning that came, or may have come, before the runner could handle the signal.
pub(crate) fn missed() -> Option<Missed> {
    let now = now_micros() / 1_000_000;
    let variable = |name| env::var(name).ok();
    missed_at(now, variable(WARNED).as_deref(), variable(WARNING).as_deref())
}

fn missed_at(now: u64, warned: Option<&str>, warning: Option<&str>) -> Option<Missed> {
    let times: Vec<u64> =
        warning.unwrap_or_default().split(' ').filter_map(|time| time.parse().ok()).collect();
    let planned = match times[..] {
        [began, due, earliest] => Some((began, due, earliest)),
        _ => None,
    };
    let due = planned.map(|(_, due, _)| due);
    if warned.is_some() {
        // A shell notes a signal only after its current command, so the planned time is more exact.
        let at = due.or(warned.and_then(|time| time.parse().ok())).unwrap_or(now);
        return Some(Missed::Ago(Duration::from_secs(now.saturating_sub(at))));
    }
    let (began, due, _) = planned.filter(|(_, _, earliest)| now >= *earliest)?;
    // The planned time counts only if the signal may already have been sent. For any other job the limit may be
    // extended, and then Slurm delays the signal too.
    Some(match due.max(began.saturating_add(QUICK_START)).checked_sub(now) {
        None | Some(0) => Missed::Ago(Duration::from_secs(now.saturating_sub(due))),
        Some(left) => Missed::In(Duration::from_secs(left)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_signal_and_one_that_may_be_lost_count() {
        let ago = |seconds| Some(Missed::Ago(Duration::from_secs(seconds)));
        let within = |seconds| Some(Missed::In(Duration::from_secs(seconds)));
        assert_eq!(missed_at(1000, None, None), None);
        assert_eq!(missed_at(1000, Some("990"), None), ago(10));
        assert_eq!(missed_at(1000, Some("990"), Some("900 960 930")), ago(40), "noted late");
        assert_eq!(missed_at(1000, Some("990"), Some("900 1050 1020")), ago(0), "sent early");
        assert_eq!(missed_at(1000, Some(""), None), ago(0), "there was no `date`");
        assert_eq!(missed_at(1000, None, Some("900 960 930")), ago(40));
        assert_eq!(missed_at(1000, None, Some("900 1060 1030")), None, "still to come");
        assert_eq!(missed_at(1000, None, Some("900 1020 990")), within(20), "it may be lost");
        assert_eq!(missed_at(1000, None, Some("999 1029 999")), within(29), "it may be lost");
        assert_eq!(missed_at(1000, None, Some("1000 1000 1000")), within(2), "it may still come");
        assert_eq!(missed_at(1000, None, Some("damaged")), None);
    }
}
