//! Lines of squeue and sacct.

use slurm_core::ids::JobId;
use slurm_core::options::{ArrayRange, ArraySpec};
use slurm_core::state::JobState;

use crate::backend::{Exit, Indices, Sighting, Source, Survey, Times};

/// Fields without free text, each with a separator, because squeue cuts them and prints them without one.
pub(super) const QUEUE_FIELDS: &str = "ArrayJobID:|,ArrayTaskID:|,State:|,Reason:|,NodeList:|,exit_code:|,StartTime:|,TimeLimit:|,Partition:|";

pub(super) const ACCOUNT_FIELDS: &str =
    "JobID,State,ExitCode,Reason,NodeList,Start,Timelimit,Partition";

/// The fields that every release of sacct has.
pub(super) const FEWEST_ACCOUNT_FIELDS: &str = "JobID,State,ExitCode";

/// A line of squeue or sacct about a job, or about elements of an array.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) job: JobId,
    /// `None` for a job, and for a whole array. In that case the line holds for elements without lines of their
    /// own.
    pub(super) elements: Option<Indices>,
    pub(super) sighting: Sighting,
}

impl Line {
    pub(super) fn add_to(self, survey: &mut Survey) {
        match self.elements {
            None => drop(survey.seen.insert(self.job, self.sighting)),
            Some(elements) => {
                survey.elements.entry(self.job).or_default().push((elements, self.sighting));
            }
        }
    }
}

pub(super) fn queue_line(line: &str) -> Option<Line> {
    let mut fields = line.split('|').map(str::trim);
    let job = fields.next()?.parse().ok()?;
    let elements = match fields.next()? {
        "N/A" | "" => None,
        list => Some(indices(list)?),
    };
    let state = JobState::parse(fields.next()?);
    let (reason, nodes) = (fields.next().and_then(meaningful), fields.next().and_then(meaningful));
    let exit = fields.next().filter(|_| state.is_terminal()).and_then(exit);
    let times = Times::read(fields.next(), fields.next());
    let partition = fields.next().and_then(meaningful);
    let sighting = Sighting { reason, nodes, partition, times, exit, ..Sighting::of(state) };
    Some(Line { job, elements, sighting })
}

pub(super) fn account_line(line: &str) -> Option<Line> {
    let mut fields = line.split('|').map(str::trim);
    let name = fields.next()?;
    let (job, elements) = match name.split_once('_') {
        Some((job, list)) => (job.parse().ok()?, Some(indices(list)?)),
        None => (name.parse().ok()?, None),
    };
    let words = fields.next()?;
    let state = JobState::parse(words);
    let cancelled_by = words.split_once(" by ").and_then(|(_, user)| user.trim().parse().ok());
    let exit = fields.next().and_then(Exit::from_pair).filter(|_| state.is_terminal());
    let (reason, nodes) = (fields.next().and_then(meaningful), fields.next().and_then(meaningful));
    let times = Times::read(fields.next(), fields.next());
    let partition = fields.next().and_then(meaningful);
    let source = Source::Accounting;
    let seen = Sighting { source, reason, nodes, partition, times, ..Sighting::of(state) };
    let sighting = Sighting { exit, cancelled_by, ..seen };
    Some(Line { job, elements, sighting })
}

/// Reads indices as Slurm prints them: `4`, `2-5%2`, `[1,3-9:2]`.
fn indices(list: &str) -> Option<Indices> {
    let list = list.strip_prefix('[').map_or(list, |list| list.strip_suffix(']').unwrap_or(list));
    let spec: ArraySpec = list.parse().ok()?;
    let all = |range: &ArrayRange| match range.step {
        1 => vec![(range.first, range.last)],
        step => (range.first..=range.last).step_by(step as usize).map(|n| (n, n)).collect(),
    };
    Some(spec.ranges().iter().flat_map(all).collect())
}

fn meaningful(text: &str) -> Option<String> {
    let empty = ["", "None", "(null)", "None assigned", "Unknown", "N/A"].contains(&text);
    (!empty).then(|| text.to_owned())
}

/// Reads the `exit_code` of squeue: the status of `wait(2)` up to 22.05, `code:signal` from 23.02 on.
fn exit(text: &str) -> Option<Exit> {
    Exit::from_pair(text).or_else(|| text.parse().ok().map(Exit::from_wait_status))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::since_epoch;

    #[test]
    fn a_line_of_squeue_is_read() {
        let line =
            queue_line("22|N/A|FAILED|NonZeroExitCode|n1|768|1795865563|5:00|debug|").unwrap();
        assert_eq!((line.job.get(), &line.sighting.state), (22, &JobState::Failed));
        assert_eq!(line.sighting.exit, Some(Exit { code: 3, signal: 0 }));
        assert_eq!(line.sighting.partition.as_deref(), Some("debug"));
        let line = "23|N/A|PENDING|DependencyNeverSatisfied||0|N/A|UNLIMITED|debug|";
        let seen = queue_line(line).unwrap().sighting;
        assert_eq!((seen.waits_in_vain(), seen.nodes, seen.exit), (true, None, None));
        assert!(queue_line("CLUSTER: one").is_none());
    }

    #[test]
    fn a_line_has_the_start_and_the_time_limit_of_a_job() {
        let times = |line: &str| queue_line(line).unwrap().sighting.times;
        let known = times("22|N/A|RUNNING|None|n1|0|1795865593|1-00:05:00|");
        assert_eq!(known.start, since_epoch(1_795_865_593));
        assert_eq!(known.limit, Some(Duration::from_secs(86_700)));
        for unknown in ["N/A|UNLIMITED|", "2026-11-28T11:33:02|Partition_Limit|", "0|NOT_SET|", ""]
        {
            let line = format!("22|N/A|PENDING|JobHeldUser||0|{unknown}");
            assert_eq!(times(&line), Times::default(), "{unknown}");
        }
        let accounted = account_line("22|RUNNING|0:0|None|n1|1795865593|00:05:00").unwrap();
        assert_eq!(accounted.sighting.times.limit, Some(Duration::from_secs(300)));
    }

    #[test]
    fn the_exit_of_newer_releases_is_read() {
        let exit = |line| queue_line(line).unwrap().sighting.exit;
        let failed = "22|N/A|FAILED|NonZeroExitCode|n1|3:0|1795865563|5:00|debug|";
        assert_eq!(exit(failed), Some(Exit { code: 3, signal: 0 }));
        assert_eq!(
            exit("22|N/A|FAILED|RaisedSignal:53|n1|0:53|"),
            Some(Exit { code: 0, signal: 53 })
        );
        assert_eq!(exit("22|N/A|RUNNING|None|n1|0:0|"), None, "it has not ended");
    }

    #[test]
    fn a_line_of_squeue_names_elements() {
        let elements = |line| queue_line(line).unwrap().elements;
        assert_eq!(elements("22|3|RUNNING|None|n1|0|"), Some(vec![(3, 3)]));
        assert_eq!(elements("22|2-5,9%2|PENDING|Resources||0|"), Some(vec![(2, 5), (9, 9)]));
        assert_eq!(elements("22|0-4:2|PENDING|Resources||0|"), Some(vec![(0, 0), (2, 2), (4, 4)]));
        assert_eq!(
            elements("22|N/A|CANCELLED|BeginTime||0|"),
            None,
            "the line is about the whole array"
        );
    }

    #[test]
    fn a_line_of_sacct_is_read() {
        let line = "22|CANCELLED by 1000|0:15|None|n1|1795865563|00:05:00|debug";
        let seen = account_line(line).unwrap().sighting;
        assert_eq!(
            (seen.state, seen.exit, seen.cancelled_by),
            (JobState::Cancelled, Some(Exit { code: 0, signal: 15 }), Some(1000))
        );
        let seen = account_line("22|RUNNING|0:0|None|n1").unwrap().sighting;
        assert_eq!((seen.is_end(), seen.exit), (false, None));
        let seen = account_line("22|OUT_OF_MEMORY|0:125|None|n[1-2]").unwrap().sighting;
        assert_eq!((seen.state, seen.nodes.as_deref()), (JobState::OutOfMemory, Some("n[1-2]")));
        let line = account_line("22_[5-7%2]|PENDING|0:0|None|None assigned").unwrap();
        assert_eq!((line.job.get(), line.elements), (22, Some(vec![(5, 7)])));
        assert_eq!(account_line("22_4|FAILED|1:0|None|n1").unwrap().elements, Some(vec![(4, 4)]));
        let seen = account_line("22|COMPLETED|0:0").unwrap().sighting;
        assert_eq!((seen.state, seen.nodes), (JobState::Completed, None), "the fewest fields");
    }

    #[test]
    fn the_user_who_cancelled_a_job_shows_whether_slurm_did() {
        let may = |line| account_line(line).unwrap().sighting.may_have_waited_in_vain();
        assert!(may("22|CANCELLED|0:0|Dependency|None assigned"));
        assert!(may("22_[0-3]|CANCELLED|0:0|None|None assigned"));
        assert!(!may("22|CANCELLED by 1000|0:0|Dependency|None assigned"));
        assert!(!may("22|CANCELLED|0:15|None|n1"), "it has started");
        let seen = queue_line("22|N/A|CANCELLED|Dependency||0|").unwrap().sighting;
        assert!(!seen.may_have_waited_in_vain(), "squeue does not say who cancelled it");
    }
}
