//! Callbacks that a Slurmfile names.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use slurm::{
    ArrayHandle, Callback, CallbackResult, Explanation, JobHandle, JobState, Progress, Slurmfile,
};

use crate::common::{Site, error_of, result_of};
use crate::tasks::{add, exit_with};

trials![
    all callbacks_are_called_and_their_failures_are_logged,
    local a_callback_needs_no_slurmfile,
];

#[derive(Deserialize)]
struct Note {
    file: PathBuf,
}

impl Note {
    fn add(&self, line: &str) -> CallbackResult {
        let before = fs::read_to_string(&self.file).unwrap_or_default();
        Ok(fs::write(&self.file, format!("{before}{line}\n"))?)
    }
}

impl Callback for Note {
    fn on_submitted(&self, job: &JobHandle, submission: &Explanation) -> CallbackResult {
        self.add(&format!("submitted {} {}", job.job_id, submission.task))
    }

    fn on_ended(&self, job: &JobHandle, state: &JobState) -> CallbackResult {
        self.add(&format!("ended {} {state}", job.job_id))
    }

    fn on_array_ended(&self, array: &ArrayHandle, progress: &Progress) -> CallbackResult {
        let Progress { succeeded, failed, .. } = progress;
        self.add(&format!("ended {} {succeeded} {failed}", array.parts[0].job_id))
    }
}

#[derive(Deserialize)]
struct Fails {}

impl Callback for Fails {
    fn on_submitted(&self, _: &JobHandle, _: &Explanation) -> CallbackResult {
        Err("no network".into())
    }

    fn on_ended(&self, _: &JobHandle, _: &JobState) -> CallbackResult {
        panic!("a bug in it")
    }
}

slurm::callback!("note" => Note);
slurm::callback!("fails" => Fails);

fn a_callback_needs_no_slurmfile(site: &Site) {
    let file = site.path("note");
    let builder = site.builder().job_base_dir(site.base.path());
    let cluster = builder.callback(Fails {}).callback(Note { file: file.clone() }).build().unwrap();
    let job = add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    let told = fs::read_to_string(&file).unwrap();
    let id = job.id();
    assert_eq!(told, format!("submitted {id} jobs::support::tasks::add\nended {id} COMPLETED\n"));
}

fn callbacks_are_called_and_their_failures_are_logged(site: &Site) {
    let file = site.path("note");
    let text = format!(
        "[[default.callbacks]]\nname = 'fails'\n[[default.callbacks]]\nname = 'note'\nargs = {{ file = '{}' }}\n",
        file.display()
    );
    let environment = Slurmfile::parse(&text, "Slurmfile").unwrap().environment("default").unwrap();
    let builder = site.builder().environment(environment);
    let cluster = builder.job_base_dir(site.base.path()).build().unwrap();
    let good = add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!((result_of(&good), result_of(&good)), (3, 3));
    let bad = exit_with::job(3).submit(&cluster).unwrap();
    error_of(&bad);
    let told = fs::read_to_string(&file).unwrap();
    let (good, bad) = (good.id(), bad.id());
    assert_eq!(
        told,
        format!(
            "submitted {good} jobs::support::tasks::add\nended {good} COMPLETED\n\
             submitted {bad} jobs::support::tasks::exit_with\nended {bad} FAILED\n"
        )
    );
    fs::remove_file(&file).unwrap();
    let array = exit_with::map([0, 3]).submit(&cluster).unwrap();
    array.wait().unwrap();
    assert_eq!(array.stream().unwrap().count(), 2);
    array.retry_failed().unwrap();
    array.wait().unwrap();
    let told = fs::read_to_string(&file).unwrap();
    let id = array.job_ids().next().unwrap();
    let ended = told.lines().filter(|line| *line == format!("ended {id} 0 2"));
    assert_eq!(ended.count(), 2, "once, and again after the retry: {told}");
    assert_eq!(told.matches("submitted").count(), 2, "{told}");
    let logged = crate::logger::logged();
    assert!(logged.contains("the callback `fails` failed in on_submitted: no network"), "{logged}");
    assert!(logged.contains("the callback `fails` panicked in on_ended: a bug in it"), "{logged}");
}
