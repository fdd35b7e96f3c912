//! The diaries of jobs: hosts that append to a file of the same file server may overwrite each other's lines, so each node
//! has one of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use slurm::error::JobErrorKind;
use slurm::{FailureKind, JobContext, Requeue};
use slurm_core::events::{Event, EventKind};

use crate::common::{PATIENCE, Site, error_of, result_of, until};
use crate::tasks::add;

trials![
    both one_process_leaves_one_diary,
    both elements_that_ask_for_another_run_have_diaries_of_their_own,
    slurm each_node_has_a_diary,
    slurm a_panic_on_any_node_is_told,
    slurm requests_of_all_nodes_count,
];

/// The names of the files in a job's directory that are diaries.
fn diaries(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("events")).collect();
    names.sort();
    names
}

fn one_process_leaves_one_diary(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    result_of(&job);
    assert_eq!(diaries(job.job_dir()), ["events.jsonl"]);
    let array = crate::tasks::square::map(0..3).submit(&site.cluster).unwrap();
    array.results().unwrap();
    assert_eq!(diaries(array.job_dir()), [""; 0]);
}

/// The elements with an odd number ask once for another run.
#[slurm::task(time = "5:00")]
fn odd_ones_ask(ctx: &JobContext, n: u32) -> Result<u32, Requeue> {
    if n % 2 == 1 && ctx.restart_count() == 0 {
        return Err(Requeue::new());
    }
    Ok(n)
}

fn elements_that_ask_for_another_run_have_diaries_of_their_own(site: &Site) {
    let array = odd_ones_ask::map(0..4).submit(&site.cluster).unwrap();
    assert_eq!(array.results().unwrap(), [0, 1, 2, 3]);
    let id = array.job_ids().next().unwrap();
    let expected = [1, 3].map(|index| format!("events-{id}_{index}.jsonl"));
    assert_eq!(diaries(array.job_dir()), expected);
}

fn each_node_has_a_diary(site: &Site) {
    let job = add::job(1, 2).nodes("2").ntasks(4).ntasks_per_node(2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    assert_eq!(diaries(job.job_dir()), ["events.1.jsonl", "events.jsonl"]);
    let pids = |events: Vec<Event>| -> BTreeSet<u32> {
        let pids = events.into_iter().filter_map(|event| match event.event {
            EventKind::Started { pid, .. } => Some(pid),
            _ => None,
        });
        pids.collect()
    };
    // The others end after the one whose value is the job's.
    until("all processes are in the diary", || pids(job.events()).len() == 4);
    for name in diaries(job.job_dir()) {
        let text = fs::read_to_string(job.job_dir().join(name)).unwrap();
        assert_eq!(pids(Event::read_all(&text)).len(), 2, "{text}");
    }
}

/// The process on the second node ends as a runner does that is killed while it looks at a stack.
#[slurm::task(time = "5:00")]
fn die_after_panic_at(ctx: &JobContext, rank: usize) {
    if ctx.rank() != rank {
        std::thread::sleep(PATIENCE);
        return;
    }
    let place = "src/lib.rs:1:2".to_owned();
    let event = EventKind::Panicked { message: "noted".to_owned(), location: Some(place) };
    let node = ctx.node_index();
    let diary = if node == 0 { "events.jsonl".to_owned() } else { format!("events.{node}.jsonl") };
    Event::now(event).append_to(&ctx.job_dir().join(diary)).unwrap();
    std::process::exit(137);
}

fn a_panic_on_any_node_is_told(site: &Site) {
    let at = |rank: usize| {
        die_after_panic_at::job(rank).nodes("2").ntasks(2).submit(&site.cluster).unwrap()
    };
    for job in [at(0), at(1)] {
        let error = error_of(&job);
        let JobErrorKind::Failed(failure) = &error.kind else { panic!("{error}") };
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Panic, "noted"));
    }
}

/// In each run, another process asks for the next.
#[slurm::task(time = "5:00", max_requeues = 2)]
fn ask_in_turn(ctx: &JobContext) -> Result<u32, Requeue> {
    if ctx.restart_count() as usize % ctx.world_size() == ctx.rank() {
        return Err(Requeue::new());
    }
    Ok(ctx.restart_count())
}

fn requests_of_all_nodes_count(site: &Site) {
    let job = ask_in_turn::job().nodes("2").ntasks(2).submit(&site.cluster).unwrap();
    let error = error_of(&job);
    let JobErrorKind::NotRequeued { reason } = &error.kind else { panic!("{error}") };
    assert!(reason.contains("2 times already"), "{reason}");
}
