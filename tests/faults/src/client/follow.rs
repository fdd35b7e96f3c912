//! The programs that read the log of a job, or of each item of an array, while it runs.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::{Client, Found, Note, Submission};
use crate::plan::Plan;

/// The interval between two reads of a log.
const INTERVAL: Duration = Duration::from_millis(200);

impl Client {
    /// Reads the logs of a submission until it has ended, and then once more. A log may only grow.
    pub(super) fn follow(&self, found: &Found, plan: &Plan) {
        let Some(unit) = plan.units.iter().find(|unit| unit.name == found.unit) else { return };
        let parts = unit.work.parts();
        let Some(calls) = parts.get(found.part) else { return };
        let submission = match self.attach(unit, found) {
            Ok(submission) => submission,
            Err(error) => return eprintln!("{} cannot be followed: {error}", unit.name),
        };
        let mut texts: BTreeMap<usize, String> = BTreeMap::new();
        loop {
            let ended = has_ended(&submission);
            for (index, call) in calls.iter().enumerate() {
                let read = match &submission {
                    Submission::Job(job) => job.stdout(),
                    Submission::Array(array) => array.stdout(index),
                };
                // The next read may succeed.
                let Ok(read) = read else { continue };
                let text = texts.entry(index).or_default();
                if !read.starts_with(text.as_str()) {
                    self.note(&Note::Shrunk {
                        call: call.name.clone(),
                        from: text.clone(),
                        to: read.clone(),
                    });
                }
                *text = read;
            }
            if ended {
                break;
            }
            thread::sleep(INTERVAL);
        }
        for (index, text) in texts {
            self.note(&Note::Read { call: calls[index].name.clone(), text });
        }
    }
}

fn has_ended(submission: &Submission) -> bool {
    const NOW: Duration = Duration::from_millis(1);
    match submission {
        Submission::Job(job) => {
            !matches!(job.result_timeout(NOW), Err(slurm::Error::StillRunning { .. }))
        }
        Submission::Array(array) => {
            array.wait_timeout(NOW).map_or(true, |progress| progress.ended() == progress.items)
        }
    }
}
