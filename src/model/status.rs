//! The status of a job.

use std::fmt;
use std::time::{Duration, SystemTime};

use slurm_core::state::JobState;
use slurm_host::Printable;

use super::{Reason, Span};

/// The status of a job or of an item of an array: its state, reason, nodes and times.
///
/// All fields but the state are empty if Slurm does not report them. `Display` is one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The state.
    pub state: JobState,
    /// The reason why the job is pending, or how it ended.
    pub reason: Option<Reason>,
    /// The node or nodes, as Slurm writes them: `n[1-3]`.
    pub node: Option<String>,
    /// The time at which it started.
    pub started: Option<SystemTime>,
    /// The time at which Slurm expects a pending job to start. Slurm computes it only for the first jobs of the
    /// queue.
    pub expected_start: Option<SystemTime>,
    /// The time limit.
    pub time_limit: Option<Duration>,
    /// The number of jobs that start before it. Only the embedded backend reports it.
    pub jobs_ahead: Option<u64>,
}

impl Status {
    /// Returns a status with only a state.
    pub(crate) fn of(state: JobState) -> Self {
        Self {
            state,
            reason: None,
            node: None,
            started: None,
            expected_start: None,
            time_limit: None,
            jobs_ahead: None,
        }
    }

    /// Returns the reason for which the job can never start unless the job or the cluster is changed. Returns
    /// `None` if it may start, as far as is known.
    ///
    /// A blocked job does not end a wait, because it runs once it is released or the limit is raised.
    ///
    /// ```no_run
    /// # #[slurm::task]
    /// # fn train() {}
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = slurm::Cluster::slurm()?;
    /// let job = train::job().partition("short").time("2-00").submit(&cluster)?;
    /// if let Some(reason) = job.status()?.blocked() {
    ///     eprintln!("it can never start: {reason}; {}", reason.advice().unwrap_or_default());
    ///     job.cancel()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocked(&self) -> Option<&Reason> {
        self.reason.as_ref().filter(|reason| self.state.is_pending() && reason.is_blocking())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = SystemTime::now();
        f.write_str(&self.state.as_str().to_ascii_lowercase().replace('_', " "))?;
        if let Some(node) = &self.node {
            write!(f, " on {}", Printable(node))?;
        }
        if self.state == JobState::Running {
            let since = self.started.and_then(|at| now.duration_since(at).ok());
            since.map_or(Ok(()), |since| write!(f, " for {}", Span(since)))?;
            return self.time_limit.map_or(Ok(()), |limit| write!(f, ", limit {}", Span(limit)));
        }
        if !self.state.is_pending() {
            let reason = self.reason.as_ref().map(|reason| Printable(reason.as_str()));
            return reason.map_or(Ok(()), |reason| write!(f, " ({reason})"));
        }
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))?;
        match self.jobs_ahead {
            Some(1) => f.write_str("; 1 job starts before it")?,
            Some(ahead @ 2..) => write!(f, "; {ahead} jobs start before it")?,
            _ => {}
        }
        let until = self.expected_start.and_then(|at| at.duration_since(now).ok());
        until.map_or(Ok(()), |until| write!(f, "; expected to start in {}", Span(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_line_for_people() {
        let hour = Duration::from_secs(3600);
        let running = Status {
            node: Some("n1".to_owned()),
            started: SystemTime::now().checked_sub(hour + Duration::from_secs(120)),
            time_limit: Some(hour * 2),
            ..Status::of(JobState::Running)
        };
        assert_eq!(running.to_string(), "running on n1 for 1h 2m, limit 2h");
        let waiting = Status {
            reason: Some(Reason::new("Priority")),
            expected_start: SystemTime::now().checked_add(hour * 3 + Duration::from_secs(30)),
            jobs_ahead: Some(3),
            ..Status::of(JobState::Pending)
        };
        assert_eq!(
            waiting.to_string(),
            "pending: Priority: jobs of higher priority start before it; 3 jobs start before it; expected to start in 3h"
        );
        assert_eq!(waiting.blocked(), None);
        let held = Status { reason: Some(Reason::new("JobHeldUser")), ..waiting };
        assert_eq!(held.blocked().map(Reason::as_str), Some("JobHeldUser"));
        let ended = Status { state: JobState::Cancelled, ..held };
        assert_eq!(ended.blocked(), None);
        assert_eq!(ended.to_string(), "cancelled (JobHeldUser)");
    }
}
