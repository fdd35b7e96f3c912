//! Arrays: what waits for arrays, and arrays that wait.

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::machine::{Machine, NOTE, WAIT, text};
use crate::backend::local::protocol::{ArrayRequest, JobRequest};

/// Fails where the index is odd.
const ODD_FAILS: &str = "exit $((SLURM_ARRAY_TASK_ID % 2))\n";

#[test]
fn a_dependency_on_an_array_is_one_on_all_its_elements() {
    let cancelled = ("CANCELLED DependencyNeverSatisfied", vec![(0, 0)]);
    let completed = ("COMPLETED", vec![(0, 0)]);
    for (script, dependency, expected) in [
        ("true", "afterok:1", &completed),
        (ODD_FAILS, "afterok:1", &cancelled),
        (ODD_FAILS, "afterok:1_*", &cancelled),
        (ODD_FAILS, "afterany:1", &completed),
        (ODD_FAILS, "afternotok:1", &completed),
        ("true", "afternotok:1", &cancelled),
        (ODD_FAILS, "afterok:1_2", &completed),
        (ODD_FAILS, "afterok:1_3", &cancelled),
        (ODD_FAILS, "afternotok:1_3", &completed),
        // The fourth element by its own id.
        (ODD_FAILS, "afterok:4", &cancelled),
        (ODD_FAILS, "afterok:1_[0,2,4]", &completed),
        (ODD_FAILS, "afterok:1_[0-2]", &cancelled),
        (ODD_FAILS, "afterok:1?afterok:1_0", &completed),
        (ODD_FAILS, "after:1", &completed),
    ] {
        let mut machine = Machine::with_cpus(2);
        let before = machine.submit_array(5, script);
        assert_eq!(before.get(), 1);
        let id = machine.submit_after(1, dependency, "true\n");
        machine.run();
        let (word, indices) = expected;
        assert_eq!(
            machine.groups(id),
            text(&[(word, indices)]),
            "{dependency} on an array of `{}`",
            script.trim()
        );
    }
}

#[test]
fn what_depends_on_an_array_waits_for_its_last_element() {
    let mut machine = Machine::with_cpus(8);
    let script = "test $SLURM_ARRAY_TASK_ID != 3 || while [ ! -e go ]; do sleep 0.01; done\n";
    machine.submit_array(5, script);
    let all = machine.submit_after(2, "afterok:1", "touch all\n");
    let one = machine.submit_after(2, "afterok:1_2", "touch one\n");
    let started = machine.submit_after(2, "after:1", "touch started\n");
    machine.run_until(|machine| {
        [one, started].iter().all(|id| machine.count(*id, &JobState::Completed) == 2)
            && machine.count(JobId::new(1).unwrap(), &JobState::Completed) == 4
    });
    assert_eq!(machine.groups(all), text(&[("PENDING Dependency", &[(0, 1)])]));
    machine.touch("go");
    machine.run();
    assert_eq!(machine.groups(all), text(&[("COMPLETED", &[(0, 1)])]));
}

#[test]
fn after_waits_for_the_last_element_to_start() {
    let mut machine = Machine::with_cpus(2);
    let request = machine.array(3, WAIT);
    let array = Some(ArrayRequest { size: 3, first: 0, max_running: Some(1) });
    machine.submit(JobRequest { array, ..request });
    let id = machine.submit_after(1, "after:1", "touch began\n");
    machine.run_until(|machine| machine.indices("ran") == [0]);
    assert_eq!(machine.groups(id), text(&[("PENDING Dependency", &[(0, 0)])]));
    machine.cancel(JobId::new(1).unwrap(), Some(vec![(1, 2)]));
    machine.run_until(|machine| machine.path("began").exists());
    machine.touch("go");
    machine.run();
}

#[test]
fn aftercorr_pairs_elements() {
    let mut machine = Machine::with_cpus(16);
    // The second waits, the fourth and sixth fail.
    let script = "case $SLURM_ARRAY_TASK_ID in\n\
                  1) while [ ! -e go ]; do sleep 0.01; done;; 3|5) exit 1;; esac\n";
    machine.submit_array(6, script);
    // Two more than there are partners.
    let id = machine.submit_after(8, "aftercorr:1", NOTE);
    machine.run_until(|machine| {
        machine.count(id, &JobState::Completed) == 3 && machine.count(id, &JobState::Cancelled) == 2
    });
    assert_eq!(
        machine.groups(id),
        text(&[
            ("CANCELLED DependencyNeverSatisfied", &[(3, 3), (5, 5)]),
            ("COMPLETED", &[(0, 0), (2, 2), (4, 4)]),
            ("PENDING Dependency", &[(1, 1), (6, 7)]),
        ])
    );
    machine.touch("go");
    machine.run();
    assert_eq!(machine.indices("ran"), [0, 1, 2, 4]);
    assert_eq!(machine.count(id, &JobState::Cancelled), 4);
}

#[test]
fn elements_without_a_partner_start_when_all_partners_have_completed() {
    let mut machine = Machine::with_cpus(4);
    machine.submit_array(2, "true\n");
    let id = machine.submit_after(4, "aftercorr:1", NOTE);
    let both = machine.submit_after(2, "aftercorr:1,afterok:3_3", "true\n");
    let any = machine.submit_after(2, "aftercorr:1?afterok:3_3", "true\n");
    machine.run();
    for (id, last) in [(id, 3), (both, 1), (any, 1)] {
        assert_eq!(machine.groups(id), text(&[("COMPLETED", &[(0, last)])]));
    }
}

#[test]
fn elements_of_a_singleton_array_do_not_wait_for_each_other() {
    let mut machine = Machine::with_cpus(4);
    let singleton = |request| JobRequest {
        name: "alone".to_owned(),
        dependency: Some("singleton".to_owned()),
        ..request
    };
    let request = machine.array(2, WAIT);
    let first = machine.submit(singleton(request));
    let request = machine.array(2, "true\n");
    let second = machine.submit(singleton(request));
    machine.run_until(|machine| machine.indices("ran") == [0, 1]);
    assert_eq!(machine.groups(second), text(&[("PENDING Dependency", &[(0, 1)])]));
    machine.touch("go");
    machine.run();
    for id in [first, second] {
        assert_eq!(machine.groups(id), text(&[("COMPLETED", &[(0, 1)])]));
    }
}
