//! The texts of progress output.

use std::fmt;
use std::path::PathBuf;

use slurm_core::ids::JobId;
use slurm_host::Printable;

use crate::model::{Progress, Status, Warning};
use crate::poll::Silence;

/// The subject of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// The task's name without its path.
    pub(crate) name: String,
    /// The jobs or arrays.
    pub(crate) jobs: Vec<JobId>,
    /// The backend, and the host if it is a remote one.
    pub(crate) place: String,
    /// The directory, if it is one submission.
    pub(crate) dir: Option<PathBuf>,
    /// Whether it is a single job, which has no items to count.
    pub(crate) is_job: bool,
}

impl About {
    /// Returns a text that says how to find the submission from another process.
    pub(crate) fn keeps_running(&self) -> String {
        let submission = self.dir.as_ref().and_then(|dir| Some(dir.file_name()?.to_string_lossy()));
        let attach = if self.is_job { "attach" } else { "attach_array" };
        match submission {
            Some(submission_id) => format!(
                "it keeps running; another run of the program finds it with `cluster.{attach}::<{}>(\"{}\")` and ends it with `cancel`",
                Printable(&self.name),
                Printable(submission_id)
            ),
            None => {
                "they keep running; another run of the program finds them with `cluster.attach`"
                    .to_owned()
            }
        }
    }
}

/// The current state of the subject.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) progress: Progress,
    /// The statuses of jobs or elements that have not ended, with the number of each.
    pub(crate) statuses: Vec<(Status, usize)>,
    /// The sources that do not answer.
    pub(crate) silences: Vec<Silence>,
}

/// Above this many ids, only their number is shown.
const NAMED: usize = 5;

impl fmt::Display for About {
    /// Writes the ids of the submission and its place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Printable(&self.name))?;
        let what = if self.is_job { "job" } else { "array" };
        let what = if self.dir.is_none() { "job" } else { what };
        let plural = if self.jobs.len() == 1 { "" } else { "s" };
        write!(f, "{what}{plural}")?;
        for (position, job) in self.jobs.iter().take(NAMED).enumerate() {
            write!(f, "{} {job}", if position == 0 { "" } else { "," })?;
        }
        if self.jobs.len() > NAMED {
            write!(f, " and {} more", self.jobs.len() - NAMED)?;
        }
        write!(f, " on {}", Printable(&self.place))?;
        let Some(dir) = &self.dir else { return Ok(()) };
        write!(f, ", in {}", Printable(dir.display()))
    }
}

impl View {
    /// Returns the status of most jobs or elements. Blocked ones come first, then pending ones.
    pub(super) fn main_status(&self) -> Option<&Status> {
        let rank = |(status, count): &&(Status, usize)| {
            (status.blocked().is_some(), status.state.is_pending(), *count)
        };
        self.statuses.iter().max_by_key(rank).map(|(status, _)| status)
    }

    /// Returns why the job does not start, with advice, if there is any.
    pub(super) fn obstacle(&self) -> Option<String> {
        let status = self.main_status().filter(|status| status.state.is_pending())?;
        let reason = status.reason.as_ref()?;
        Some(format!("{reason}; {}", reason.advice()?))
    }

    /// Returns the warning that a job can never start, if it cannot.
    pub(super) fn blocked(&self) -> Option<String> {
        let reason = self.main_status()?.blocked()?.clone();
        Some(Warning::Blocked(reason).to_string())
    }

    /// Returns the counts of an array, or of several jobs.
    pub(super) fn counts(&self) -> String {
        let mut text = format!("{} running", self.progress.running);
        if self.progress.failed > 0 {
            text.push_str(&format!(", {} failed", self.progress.failed));
        }
        text
    }

    /// Returns the progress in one line.
    pub(super) fn line(&self, about: &About) -> String {
        let Progress { items, .. } = self.progress;
        let mut parts = Vec::new();
        if !about.is_job {
            let ended = self.progress.ended();
            parts.push(format!("{ended} of {items} items, {}", self.counts()));
        }
        parts.extend(self.waiting(about));
        parts.extend(self.silences.iter().map(Silence::without_words));
        if parts.is_empty() {
            parts.push("submitted".to_owned());
        }
        parts.join("; ")
    }

    /// Returns the state of the job. For an array, this is the state of its pending elements.
    pub(super) fn waiting(&self, about: &About) -> Option<String> {
        let status = self.main_status()?;
        (about.is_job || status.state.is_pending()).then(|| status.to_string())
    }

    /// Returns a key that changes with every event worth a line. Times and counts are not part of it.
    pub(super) fn key(&self) -> String {
        let of = |(status, _): &(Status, usize)| {
            let reason = status.reason.as_ref().map_or("", |reason| reason.as_str());
            format!("{} {reason}", status.state)
        };
        let mut all: Vec<String> = self.statuses.iter().map(of).collect();
        all.sort_unstable();
        format!("{all:?} {}", self.silences.len())
    }
}

#[cfg(test)]
mod tests {
    use slurm_core::state::JobState;

    use super::*;
    use crate::model::Reason;

    fn pending(reason: &str) -> Status {
        Status { reason: Some(Reason::new(reason)), ..Status::of(JobState::Pending) }
    }

    #[test]
    fn jobs_that_can_never_start_are_shown_before_the_rest() {
        let progress = Progress { items: 9, succeeded: 3, failed: 1, running: 2 };
        let statuses = vec![
            (Status::of(JobState::Running), 2),
            (pending("Resources"), 2),
            (pending("JobHeldUser"), 1),
        ];
        let view = View { progress, statuses, silences: Vec::new() };
        let about = About {
            name: "train".to_owned(),
            jobs: vec!["12".parse().unwrap()],
            place: "slurm".to_owned(),
            dir: Some("/home/me/jobs/train/x".into()),
            is_job: false,
        };
        assert_eq!(about.to_string(), "train: array 12 on slurm, in /home/me/jobs/train/x");
        let line = view.line(&about);
        assert!(
            line.starts_with("4 of 9 items, 2 running, 1 failed; pending: JobHeldUser: "),
            "{line}"
        );
        assert!(view.obstacle().unwrap().contains("scontrol release"));
    }

    #[test]
    fn many_jobs_are_counted() {
        let about = About {
            name: "7 jobs".to_owned(),
            jobs: (1..8).map(|id| JobId::new(id).unwrap()).collect(),
            place: "local".to_owned(),
            dir: None,
            is_job: false,
        };
        assert_eq!(about.to_string(), "7 jobs: jobs 1, 2, 3, 4, 5 and 2 more on local");
    }
}
