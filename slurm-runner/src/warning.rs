//! The warning signal before the time limit, if it came before the runner could handle it.

use std::env;
use std::time::Duration;

use crate::environment::now_micros;

/// The variable in which the batch script notes when it got the signal, in seconds since the Unix epoch.
pub const WARNED: &str = "SLURM_SDK_WARNED";

/// The variable in which the batch script tells the runner three times in seconds since the Unix epoch: when the job
/// began, when the signal is due, and when it may be sent at the earliest.
pub const WARNING: &str = "SLURM_SDK_WARNING";

/// A job whose runner is up after this time has not missed a signal that the script did not note. Short limits are
/// warned of at any moment from the start on, and nearly every job would otherwise count as warned.
const QUICK_START: u64 = 2;

/// Returns how long ago the job was warned, if it was, or may have been, before the runner could handle the signal.
pub(crate) fn missed() -> Option<Duration> {
    let now = now_micros() / 1_000_000;
    let variable = |name| env::var(name).ok();
    missed_at(now, variable(WARNED).as_deref(), variable(WARNING).as_deref())
}

fn missed_at(now: u64, warned: Option<&str>, warning: Option<&str>) -> Option<Duration> {
    let times: Vec<u64> =
        warning.unwrap_or_default().split(' ').filter_map(|time| time.parse().ok()).collect();
    let (due, may_be_lost) = match times[..] {
        [began, due, earliest] => {
            (Some(due), now >= earliest && now >= began.saturating_add(QUICK_START))
        }
        _ => (None, false),
    };
    if warned.is_none() && !may_be_lost {
        return None;
    }
    // A shell notes a signal once the line that it runs has ended, so the time that is planned is better.
    let at = due.or(warned.and_then(|time| time.parse().ok())).unwrap_or(now);
    Some(Duration::from_secs(now.saturating_sub(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_was_noted_or_may_be_lost_counts() {
        let missed =
            |now, warned, warning| missed_at(now, warned, warning).map(|ago| ago.as_secs());
        assert_eq!(missed(1000, None, None), None);
        assert_eq!(missed(1000, Some("990"), None), Some(10));
        assert_eq!(missed(1000, Some("990"), Some("900 960 930")), Some(40), "noted late");
        assert_eq!(missed(1000, Some("990"), Some("900 1050 1020")), Some(0), "sent early");
        assert_eq!(missed(1000, Some(""), None), Some(0), "there was no `date`");
        assert_eq!(missed(1000, None, Some("900 960 930")), Some(40));
        assert_eq!(missed(1000, None, Some("900 1060 1030")), None, "still to come");
        assert_eq!(missed(1000, None, Some("999 1029 999")), None, "the runner started quickly");
        assert_eq!(missed(1000, None, Some("damaged")), None);
    }
}
