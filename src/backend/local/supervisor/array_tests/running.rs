//! Arrays: how many run, and how they end.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::machine::{Machine, NOTE, WAIT, text};
use crate::backend::Exit;
use crate::backend::local::protocol::{ArrayRequest, JobRequest, Reply, Request, Status};

#[test]
fn every_element_runs_once_with_its_own_variables() {
    let mut machine = Machine::with_cpus(4);
    let script = "set -- $SLURM_ARRAY_TASK_ID $SLURM_JOB_ID $SLURM_ARRAY_JOB_ID \
                  $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX \
                  $OF_SUBMITTER\necho $* >> ran\necho said\n";
    let before = machine.request("true\n");
    machine.submit(before);
    let request = machine.array(12, script);
    let id = machine.submit(JobRequest { stdout: "%A_%3a-%j.log".to_owned(), ..request });
    let after = machine.request("echo out\n");
    let after = machine.submit(JobRequest { stdout: "%A_%a.log".to_owned(), ..after });
    assert_eq!((id.get(), after.get()), (2, 14));
    machine.run();
    let expected: BTreeMap<u32, String> =
        (0..12).map(|n| (n, format!("{n} {} 2 12 0 11 yes", n + 2))).collect();
    let mut found = machine.lines("ran");
    found.sort_by_key(|line| line.split(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(found, expected.into_values().collect::<Vec<_>>());
    assert_eq!(machine.groups(id), text(&[("COMPLETED", &[(0, 11)])]));
    assert_eq!(machine.lines("2_007-9.log"), ["said"]);
    assert_eq!(machine.lines("14_4294967294.log"), ["out"]);
    let element = machine.statuses(JobId::new(9).unwrap());
    assert_eq!((&element[0].state, &element[0].elements), (&JobState::Completed, &None));
}

#[test]
fn no_more_elements_run_at_once_than_may() {
    let mut machine = Machine::with_cpus(16);
    // Each says how many there are while it runs.
    let script = "mkdir -p now; touch now/$$; ls now | wc -l >> at_once; sleep 0.02; rm now/$$\n";
    let request = machine.array(30, script);
    let array = Some(ArrayRequest { size: 30, first: 0, max_running: Some(3) });
    let id = machine.submit(JobRequest { array, ..request });
    let behind = machine.request("touch passed\n");
    machine.submit(behind);
    machine.scheduler.advance();
    assert_eq!(
        machine.groups(id),
        text(&[("PENDING JobArrayTaskLimit", &[(3, 29)]), ("RUNNING", &[(0, 2)])])
    );
    machine.run_until(|machine| machine.path("passed").exists());
    assert!(machine.count(id, &JobState::Pending) > 0, "the job behind it had to wait for it");
    machine.run();
    let at_once = machine.indices("at_once");
    assert_eq!((at_once.len(), at_once.last()), (30, Some(&3)));
}

#[test]
fn an_array_that_waits_for_resources_lets_nothing_pass() {
    let mut machine = Machine::with_cpus(2);
    let id = machine.submit_array(3, WAIT);
    let behind = machine.request("touch passed\n");
    let behind = machine.submit(behind);
    machine.run_until(|machine| machine.indices("ran") == [0, 1]);
    assert_eq!(
        machine.groups(id),
        text(&[("PENDING Resources", &[(2, 2)]), ("RUNNING", &[(0, 1)])])
    );
    assert_eq!(machine.statuses(behind)[0].state, JobState::Pending);
    machine.touch("go");
    machine.run();
    assert_eq!(machine.indices("ran"), [0, 1, 2]);
}

#[test]
fn some_elements_are_cancelled_before_they_start_and_some_while_they_run() {
    let mut machine = Machine::with_cpus(3);
    let id = machine.submit_array(8, WAIT);
    machine.run_until(|machine| machine.indices("ran") == [0, 1, 2]);
    machine.cancel(id, Some(vec![(1, 1), (4, 5), (100, 200)]));
    machine.cancel(JobId::new(id.get() + 7).unwrap(), None);
    machine.run_until(|machine| machine.indices("ran") == [0, 1, 2, 3]);
    machine.touch("go");
    machine.run();
    assert_eq!(machine.indices("ran"), [0, 1, 2, 3, 6]);
    let told = ("CANCELLED", &[(1, 1)][..]);
    let never_started = ("CANCELLED", &[(4, 5), (7, 7)][..]);
    let completed = ("COMPLETED", &[(0, 0), (2, 3), (6, 6)][..]);
    assert_eq!(machine.groups(id), text(&[told, never_started, completed]));
    let by_signal = |status: &Status| status.exit.is_some_and(|exit| exit.signal == 15);
    let statuses = machine.statuses(id);
    let signalled = statuses.iter().find(|status| by_signal(status)).unwrap();
    assert_eq!(signalled.elements, Some(vec![(1, 1)]));
}

#[test]
fn an_array_that_is_cancelled_ends_whole_and_its_environment_goes() {
    let mut machine = Machine::with_cpus(2);
    let id = machine.submit_array(1000, WAIT);
    let environments = machine.path("supervisor/environments");
    let kept = || fs::read_dir(&environments).unwrap().count();
    machine.run_until(|machine| machine.indices("ran") == [0, 1]);
    assert_eq!(kept(), 1);
    machine.cancel(id, None);
    machine.run();
    assert_eq!(machine.count(id, &JobState::Cancelled), 1000);
    assert_eq!((machine.indices("ran"), kept()), (vec![0, 1], 0));
    machine.cancel(id, None);
    for elements in [None, Some(vec![(0, 0)])] {
        let job = JobId::new(5000).unwrap();
        let reply = machine.scheduler.handle(Request::Cancel { job, elements });
        assert!(matches!(reply, Reply::NoSuchJob), "it is forgotten, or never was: {reply:?}");
    }
}

#[test]
fn a_submission_may_have_several_arrays() {
    let mut machine = Machine::with_cpus(4);
    let first = machine.array(2, NOTE);
    let second = JobRequest { part: 1, ..first.clone() };
    let ids: Vec<JobId> =
        [&first, &second, &first, &second].map(|request| machine.submit(request.clone())).to_vec();
    assert_eq!(ids.iter().map(|id| id.get()).collect::<Vec<_>>(), [1, 3, 1, 3]);
    machine = machine.restarted();
    assert_eq!(machine.submit(second), ids[1]);
    for (part, id) in (0..).zip([ids[0], ids[1]]) {
        let request = Request::Find { submission_id: first.submission_id.clone(), part };
        let Reply::Statuses(found) = machine.scheduler.handle(request) else {
            panic!("no statuses");
        };
        assert_eq!(found[0].id, id);
    }
    machine.run();
    assert_eq!(machine.indices("ran"), [0, 0, 1, 1]);
}

#[test]
fn ten_thousand_elements_are_one_entry() {
    let mut machine = Machine::with_cpus(2);
    let begun = Instant::now();
    let id = machine.submit_array(10_000, WAIT);
    machine.run_until(|machine| machine.indices("ran") == [0, 1]);
    for _ in 0..1000 {
        machine.scheduler.advance();
        assert_eq!(machine.statuses(id).len(), 2);
    }
    machine.cancel(id, None);
    machine.run_until(|machine| machine.count(id, &JobState::Cancelled) == 10_000);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    let journal = fs::metadata(machine.path("supervisor/journal.jsonl")).unwrap().len();
    assert!(journal < 5000, "{journal} bytes");
}

#[test]
fn an_array_that_is_none_is_refused() {
    let mut machine = Machine::with_cpus(1);
    for size in [0, u32::MAX] {
        let request = machine.array(size, NOTE);
        let filler = machine.request("true\n");
        machine.submit(filler);
        let reply = machine.scheduler.handle(Request::Submit(Box::new(request)));
        assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
    }
    machine.run();
}

#[test]
fn a_process_that_ends_with_0_before_its_task_has_returned_fails_the_job() {
    let mut machine = Machine::with_cpus(2);
    let mut of_two = |second: &str| {
        let request = machine.request("");
        let dir = request.dir.clone();
        // What the runners of the two processes leave.
        let script = format!(
            "cd {}\n[ $SLURM_PROCID = 0 ] && echo value > value.0 || {second}\nexit {}\n",
            dir.display(),
            slurm_runner::exit::PART_DONE
        );
        fs::write(&request.script, script).unwrap();
        (machine.submit(JobRequest { tasks: 2, ..request }), dir)
    };
    let (bad, dir_of_bad) = of_two("echo failure > result");
    let (good, dir_of_good) = of_two("true");
    machine.run();
    let mut end = |id| {
        let status = machine.statuses(id).remove(0);
        (status.state, status.exit)
    };
    let exited = Exit { code: slurm_runner::exit::EXITED.into(), signal: 0 };
    assert_eq!(end(bad), (JobState::Failed, Some(exited)));
    assert_eq!(fs::read_to_string(dir_of_bad.join("result")).unwrap(), "failure\n");
    assert_eq!(end(good), (JobState::Completed, Some(Exit::default())));
    assert_eq!(fs::read_to_string(dir_of_good.join("result")).unwrap(), "value\n");
}
