//! The warning signal before the time limit, if it came before the runner could handle it.

use std::env;
use std::time::Duration;

use crate::environment::now_micros;

/// The variable in which the batch script notes when it got the signal, in seconds since the Unix epoch.
pub const WARNED: &str = "SLURM_SDK_WARNED";

/// The variable in which the batch script tells the runner three times in seconds since the Unix epoch: when the job
/// began, when the signal is due, and when it may be sent at the earliest.
pub const WARNING: &str = "SLURM_SDK_WARNING";

/// The warning of a job whose limit is short comes at any moment from the start on. This long after the start, a signal
/// that has not come was lost.
const QUICK_START: u64 = 2;

/// A warning that came, or may have come, before the runner could handle the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// It came this long ago.
    Ago(Duration),
    /// It may have been lost. Unless the signal comes meanwhile, it counts as come after this time.
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
        // A shell notes a signal once the line that it runs has ended, so the time that is planned is better.
        let at = due.or(warned.and_then(|time| time.parse().ok())).unwrap_or(now);
        return Some(Missed::Ago(Duration::from_secs(now.saturating_sub(at))));
    }
    let (began, due, _) = planned.filter(|(_, _, earliest)| now >= *earliest)?;
    // Only a job that may have been warned already goes by the time: if the limit of another one is put off, so is its
    // warning.
    Some(match due.max(began.saturating_add(QUICK_START)).checked_sub(now) {
        None | Some(0) => Missed::Ago(Duration::from_secs(now.saturating_sub(due))),
        Some(left) => Missed::In(Duration::from_secs(left)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_was_noted_or_may_be_lost_counts() {
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
