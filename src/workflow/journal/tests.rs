use slurm_core::spec::Argument;

use super::*;

fn key(text: &str) -> (Key, Shape) {
    Key::new("t", 1, &[Argument::Inline(text.as_bytes().to_vec())], [].into_iter()).unwrap()
}

fn claim(journal: &Journal, text: &str) -> Claim {
    let (key, shape) = key(text);
    journal.claim(&key, &shape)
}

fn id(number: u32) -> JobId {
    JobId::new(number).unwrap()
}

fn submission_id(number: u32) -> SubmissionId {
    SubmissionId::new(1_700_000_000, number)
}

fn submit(journal: &Journal, text: &str, number: u32) {
    let claim = claim(journal, text);
    assert_eq!(claim.child, None);
    journal.intend(&claim, &submission_id(number)).unwrap();
    journal
        .append(&Entry::Submitted {
            submission_id: submission_id(number),
            job_ids: vec![id(number)],
            cluster: None,
        })
        .unwrap();
}

fn found(journal: &Journal, text: &str) -> Option<(SubmissionId, Option<JobId>)> {
    claim(journal, text).child.map(|child| (child.submission_id, child.job_ids.first().copied()))
}

#[test]
fn the_next_run_finds_each_call_whatever_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for (number, text) in [(1, "a"), (2, "b"), (3, "a")] {
        submit(&journal, text, number);
    }
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(found(&journal, "b"), Some((submission_id(2), Some(id(2)))));
    assert_eq!(found(&journal, "a"), Some((submission_id(1), Some(id(1)))));
    assert_eq!(found(&journal, "a"), Some((submission_id(3), Some(id(3)))));
    assert_eq!(found(&journal, "a"), None, "a third call is new");
}

#[test]
fn an_intent_without_an_id_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let claim = claim(&journal, "a");
    journal.intend(&claim, &submission_id(1)).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(found(&journal, "a"), Some((submission_id(1), None)));
}

#[test]
fn a_refused_call_leaves_its_number_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let claim = claim(&journal, "a");
    journal.intend(&claim, &submission_id(1)).unwrap();
    journal.append(&Entry::Refused { submission_id: submission_id(1) }).unwrap();
    journal.release(&claim);
    submit(&journal, "a", 2);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(found(&journal, "a"), Some((submission_id(2), Some(id(2)))));
}

#[test]
fn a_cut_line_does_not_affect_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    submit(&Journal::open(dir.path()).unwrap(), "a", 1);
    let whole = fs::read(&path).unwrap();
    let cut = [whole.as_slice(), b"{\"intent\":{\"task\":\"t\","].concat();
    fs::write(&path, cut).unwrap();
    submit(&Journal::open(dir.path()).unwrap(), "b", 2);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(found(&journal, "a"), Some((submission_id(1), Some(id(1)))));
    assert_eq!(found(&journal, "b"), Some((submission_id(2), Some(id(2)))));
}

#[test]
fn a_call_whose_arguments_have_another_order_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for (number, text) in [(1, "one two"), (2, "three")] {
        submit(&journal, text, number);
    }
    assert_eq!(claim(&journal, "two one").twin, None, "the other call is of the same run");
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(claim(&journal, "four").twin, None);
    assert_eq!(claim(&journal, "two one").twin, Some(submission_id(1)));
    assert!(claim(&journal, "one two").child.is_some());
    assert_eq!(claim(&journal, "two one").twin, None, "that job has been claimed");
}
