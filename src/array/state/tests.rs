use std::collections::HashMap;
use std::time::Duration;

use slurm_core::codec;
use slurm_core::layout::JobDir;
use slurm_core::outcome::Failure;
use slurm_core::segment::{RecordKind, header, push_record};
use slurm_core::spec::Shares;

use super::*;
use crate::backend::{Asked, Cadence, Survey};

fn state(items: u64) -> State {
    let mut state = State::new(7, items);
    let shares = Shares { selected: None, count: items, per_element: items };
    let job = "9".parse().unwrap();
    state.begin(Attempt::new(JobDir::at("/nowhere"), shares, &[(job, 1)]));
    state
}

#[test]
fn half_of_a_record_does_not_count_as_growth() {
    let mut state = state(2);
    let mut bytes = header(7, 3);
    push_record(&mut bytes, RecordKind::Value, 0, b"zero");
    let whole = bytes.len() as u64;
    push_record(&mut bytes, RecordKind::Value, 1, b"one");
    let rest = bytes.split_off(bytes.len() - 2);
    assert!(state.grown(0, 0, 0, bytes.clone()));
    let half = bytes[whole as usize..].to_vec();
    assert!(!state.grown(0, 0, whole, half.clone()), "nor when it is read again");
    assert_eq!(state.progress().succeeded, 1);
    assert!(state.grown(0, 0, whole, [half, rest].concat()));
    assert!(state.is_complete());
}

#[test]
fn a_segment_that_no_listing_shows_is_read_once_its_element_has_ended() {
    let mut state = state(1);
    let growing = |state: &State| State::growing(&state.attempts[0]).collect::<Vec<_>>();
    assert_eq!(growing(&state), []);
    let job = "9".parse().unwrap();
    let seen = |state: JobState| {
        let sighting = Sighting::of(state);
        let elements = [(job, vec![(vec![(0, 0)], sighting)])].into();
        Survey { elements, ..Survey::default() }
    };
    state.seen(&seen(JobState::Running));
    assert_eq!(growing(&state), [], "elements that wait cost no reads");
    state.seen(&seen(JobState::Completed));
    assert_eq!(growing(&state), [(0, 0)], "the listing of a network file system may lack it");
}

#[test]
fn a_retried_item_ends_again() {
    let mut state = state(2);
    let failure = codec::encode(&Failure::new(slurm_core::outcome::FailureKind::Error, "no"));
    let mut bytes = header(7, 3);
    push_record(&mut bytes, RecordKind::Failure, 0, &failure.unwrap());
    push_record(&mut bytes, RecordKind::Value, 1, b"one");
    assert!(state.grown(0, 0, 0, bytes) && state.is_complete());
    let shares = Shares { selected: Some(vec![0]), count: 1, per_element: 1 };
    let job = "10".parse().unwrap();
    state.begin(Attempt::new(JobDir::at("/again"), shares, &[(job, 1)]));
    assert_eq!((state.ended.as_slice(), state.is_complete()), (&[NO_ITEM, 1][..], false));
    let mut bytes = header(7, 3);
    push_record(&mut bytes, RecordKind::Value, 0, b"zero");
    assert!(state.grown(1, 0, 0, bytes) && state.is_complete());
    assert_eq!(state.ended, [NO_ITEM, 1, 0]);
}

#[test]
fn items_that_no_slurm_array_has_are_given_up() {
    let mut state = State::new(7, 4);
    let shares = Shares { selected: None, count: 4, per_element: 1 };
    let job = "9".parse().unwrap();
    state.begin(Attempt::new(JobDir::at("/nowhere"), shares, &[(job, 3)]));
    assert_eq!((state.failed(), state.progress().failed), (vec![3], 1));
}

/// Returns the state of an array of one element. Another process has retried `failed`, once for each job.
fn retried(items: u64, failed: u64, jobs: &[&str]) -> State {
    let mut state = state(items);
    for job in jobs {
        let shares = Shares { selected: Some(vec![failed]), count: 1, per_element: 1 };
        state.leave(&[failed]);
        state.begin(Attempt::new(JobDir::at(job), shares, &[(job.parse().unwrap(), 1)]));
    }
    state
}

#[test]
fn an_item_retried_twice_leaves_its_element_once() {
    let mut state = retried(2, 0, &["10", "11"]);
    let open: Vec<usize> = state.open().map(|(number, _)| number).collect();
    assert_eq!(open, [0, 2], "only the first attempt makes the other item");
    let failure = codec::encode(&Failure::new(slurm_core::outcome::FailureKind::Error, "no"));
    let mut bytes = header(7, 3);
    push_record(&mut bytes, RecordKind::Failure, 0, &failure.unwrap());
    push_record(&mut bytes, RecordKind::Value, 1, b"one");
    assert!(state.grown(0, 0, 0, bytes));
    let progress = state.progress();
    assert_eq!(
        (progress.succeeded, progress.failed),
        (1, 0),
        "the latest attempt decides about item 0"
    );
}

#[test]
fn an_item_whose_end_was_read_is_not_subtracted_again() {
    let mut state = state(3);
    let failure = codec::encode(&Failure::new(slurm_core::outcome::FailureKind::Error, "no"));
    let mut bytes = header(7, 3);
    push_record(&mut bytes, RecordKind::Failure, 0, &failure.unwrap());
    let read = bytes.len() as u64;
    assert!(state.grown(0, 0, 0, bytes));
    // Another process retries the item while the element still makes the others.
    state.leave(&[0]);
    let shares = Shares { selected: Some(vec![0]), count: 1, per_element: 1 };
    state.begin(Attempt::new(JobDir::at("/again"), shares, &[("10".parse().unwrap(), 1)]));
    let mut bytes = Vec::new();
    push_record(&mut bytes, RecordKind::Value, 1, b"one");
    assert!(state.grown(0, 0, read, bytes.clone()));
    let is_open = state.open().any(|(number, _)| number == 0);
    assert!(is_open, "item 2 has not ended");
    // The end of the element does not concern the retried items.
    let none = Duration::ZERO;
    let cadence = Cadence {
        files: (none, none),
        survey: (none, none),
        file_grace: none,
        written_grace: none,
        return_grace: none,
        lost_after: Duration::from_secs(3600),
        unconfirmed_after: Duration::from_secs(3600),
        on_the_way: none,
    };
    let sighting = Sighting::of(JobState::NodeFail);
    let elements = [("9".parse().unwrap(), vec![(vec![(0, 0)], sighting)])].into();
    state.seen(&Survey { elements, ..Survey::default() });
    state.settle(&cadence);
    assert_eq!((state.failed(), state.progress().failed), (vec![2], 1));
}

#[test]
fn the_state_of_an_array_holds_for_elements_without_their_own_line() {
    let mut state = State::new(7, 3);
    let shares = Shares { selected: None, count: 3, per_element: 1 };
    let job = "9".parse().unwrap();
    state.begin(Attempt::new(JobDir::at("/nowhere"), shares, &[(job, 3)]));
    let elements = [(job, vec![(vec![(1, 1)], Sighting::of(JobState::Running))])].into();
    let seen = [(job, Sighting::of(JobState::Cancelled))].into();
    state.seen(&Survey { seen, elements, ..Survey::default() });
    let last = |item| state.last_seen(item).map(|seen| seen.state.clone());
    assert_eq!(last(0), Some(JobState::Cancelled));
    assert_eq!(last(1), Some(JobState::Running));
    assert_eq!(last(2), Some(JobState::Cancelled));
}

#[test]
fn elements_that_were_cancelled_and_forgotten_are_cancelled() {
    let mut state = State::new(7, 3);
    let shares = Shares { selected: None, count: 3, per_element: 1 };
    let job = "9".parse().unwrap();
    state.begin(Attempt::new(JobDir::at("/array"), shares, &[(job, 3)]));
    let looks = |state: &State| {
        let mut looks = Vec::new();
        state.look_for_notes(&mut looks);
        looks.len()
    };
    let elements: HashMap<_, _> =
        [(job, vec![(vec![(2, 2)], Sighting::of(JobState::Running))])].into();
    let forgotten = || Survey { elements: elements.clone(), ..Survey::default() };
    assert_eq!(looks(&state), 0, "no element is missing");
    state.seen(&forgotten());
    assert_eq!(looks(&state), 1, "one look lists the directory");
    state.listed_notes(vec!["cancelled-1".to_owned(), "script.sh".to_owned()]);
    assert_eq!(looks(&state), 2, "another reads the note");
    let note = [Asked { job, elements: Some(vec![(1, 2)]) }];
    state.read_note("cancelled-1", &serde_json::to_vec(&note).unwrap());
    assert_eq!(looks(&state), 1, "the note is read once");
    state.seen(&forgotten());
    let last = |item| state.last_seen(item).map(|seen| seen.state.clone());
    assert_eq!(last(0), None, "element 0 was not cancelled");
    assert_eq!(last(1), Some(JobState::Cancelled));
    assert_eq!(last(2), Some(JobState::Running), "the queue has precedence over the note");
}
