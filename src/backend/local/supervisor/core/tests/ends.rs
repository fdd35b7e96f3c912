//! How jobs end: by themselves, by cancellation, with a part of their processes, or not yet.

use slurm_core::state::JobState;

use super::super::{Entry, Found, Left, Reach};
use super::world::{World, begun, id, not_begun, wants_another_run};
use crate::backend::Exit;
use crate::backend::local::protocol::{JobRequest, Reply};
use rustix::process::Signal;
use slurm_core::layout::RunMark;
use slurm_runner::exit;

#[test]
fn a_job_ends_as_its_process_does() {
    for (code, signal, state) in [(0, 0, "COMPLETED"), (3, 0, "FAILED"), (0, 9, "FAILED")] {
        let mut world = World::with_cpus(1);
        let request = world.job();
        let job = world.submit(request);
        world.tick();
        let left = Left { found: Found(vec![RunMark::Ready, RunMark::Entered]), ..Left::default() };
        world.left.insert(job, left);
        let pid = world.core.jobs().job(job).unwrap().processes[0].identity.pid;
        let exit = Exit { code, signal };
        world.exited(job, pid, Some(exit));
        assert_eq!(world.state(job), state);
        let status = world.statuses(job).remove(0);
        assert_eq!((status.exit, status.entered), (Some(exit), true));
        assert_eq!(status.started, Some(super::world::BEGIN / 1000));
    }
}

#[test]
fn what_is_told_is_noted_before_it_is_done() {
    let mut world = World::with_cpus(1);
    let request = JobRequest { tasks: 2, ..world.job() };
    let job = world.submit(request);
    assert_eq!(world.done, ["keep", "note Submitted"]);
    world.done.clear();
    world.tick();
    assert_eq!(world.done, ["note Started", "note Spawned", "note Spawned", "run 1"]);
    world.done.clear();
    world.cancel(job, None);
    assert_eq!(world.done, ["note Ending", "signal"]);
    world.done.clear();
    world.end(1, 15);
    assert_eq!(world.done, ["note Ended", "remove marks 1.0", "forget"]);
    world.done.clear();
    let request = JobRequest { tasks: 2, ..world.job() };
    let job = world.submit(request);
    world.tick();
    world.done.clear();
    world.left.insert(job, begun());
    world.end(2, i32::from(exit::PART_DONE));
    let published = ["publish 2", "note Ended", "remove marks 2.0", "forget"];
    assert_eq!(world.done, published);
}

#[test]
fn a_requeue_is_noted_before_the_marks_of_the_run_go() {
    let mut world = World::with_cpus(1);
    let request = world.job();
    let job = world.submit(request);
    for restarts in 0..2 {
        world.tick();
        world.done.clear();
        world.left.insert(job, wants_another_run());
        world.end(1, 115);
        let marks = format!("remove marks 1.{restarts}");
        let again = ["note Requeued", &marks, "note Started", "note Spawned", "run 1"];
        assert_eq!(world.done, again);
        assert_eq!(world.core.jobs().job(job).unwrap().restarts, restarts + 1);
    }
    world.end(1, 0);
    assert_eq!(world.state(job), "COMPLETED");
}

#[test]
fn a_job_is_requeued_unless_it_was_cancelled_or_the_journal_is_full() {
    for (cancelled, full, expected) in
        [(false, false, "RUNNING"), (true, false, "CANCELLED"), (false, true, "FAILED its requeue")]
    {
        let mut world = World::with_cpus(1);
        let request = world.job();
        let job = world.submit(request);
        world.tick();
        if cancelled {
            world.cancel(job, None);
        }
        world.left.insert(job, wants_another_run());
        world.disk_is_full = full;
        world.end(1, 115);
        let state = world.state(job);
        assert!(state.starts_with(expected), "{state}, not {expected}");
    }
}

#[test]
fn the_marks_of_a_run_that_has_not_begun_stay_until_the_next_start_or_the_end() {
    for is_array in [false, true] {
        let mut world = World::with_cpus(1);
        let request = if is_array { world.array(1) } else { world.job() };
        let job = world.submit(request);
        world.tick();
        world.left.insert(job, not_begun());
        let pid = world.core.jobs().job(job).unwrap().processes[0].identity.pid;
        world.done.clear();
        world.exited(job, pid, None);
        assert_eq!(
            (world.done.as_slice(), world.running()),
            (&["note Requeued".into()][..], vec![])
        );
        world.done.clear();
        world.cancel(job, None);
        assert_eq!(world.done, ["note EndedTogether", "remove marks 1.0", "forget"]);
    }
}

#[test]
fn an_element_is_requeued_alone() {
    let mut world = World::with_cpus(4);
    let request = world.array(3);
    let job = world.submit(request);
    world.tick();
    world.left.insert(id(2), wants_another_run());
    world.end(2, 115);
    assert_eq!(world.groups(job), "RUNNING 0-2");
    let restarts: Vec<u32> = world.core.jobs().running().map(|job| job.restarts).collect();
    assert_eq!(restarts, [0, 1, 0]);
}

#[test]
fn a_cancelled_job_is_told_to_end_and_killed_after_five_seconds() {
    let mut world = World::with_cpus(1);
    let (first, second) = (world.job(), world.job());
    let (running, waiting) = (world.submit(first), world.submit(second));
    world.tick();
    world.cancel(waiting, None);
    assert_eq!(world.state(waiting), "CANCELLED");
    world.cancel(running, None);
    world.cancel(running, None);
    assert_eq!(world.state(running), "COMPLETING");
    assert_eq!(world.signals, [(running, Signal::TERM, Reach::Group)], "it is told once");
    world.pass(std::time::Duration::from_millis(4999));
    assert_eq!(world.signals.len(), 1);
    world.pass(std::time::Duration::from_millis(1));
    assert_eq!(world.signals[1..], [(running, Signal::KILL, Reach::Group)]);
    world.end(1, 0);
    assert_eq!(world.state(running), "COMPLETED", "it had just finished by itself");
}

#[test]
fn elements_are_cancelled_before_they_start_and_while_they_run() {
    let mut world = World::with_cpus(3);
    let request = world.array(8);
    let job = world.submit(request);
    world.tick();
    assert!(matches!(world.cancel(job, Some(vec![(1, 1), (4, 5), (100, 200)])), Reply::Done));
    world.cancel(id(job.get() + 7), None);
    assert_eq!(world.signals, [(id(2), Signal::TERM, Reach::Group)]);
    world.end(2, 15);
    world.finish();
    let expected = "CANCELLED 1, CANCELLED 4-5 7, COMPLETED 0 2-3 6";
    assert_eq!(world.groups(job), expected);
}

#[test]
fn an_environment_is_kept_until_the_last_element_has_ended() {
    let mut world = World::with_cpus(2);
    let request = world.array(1000);
    let job = world.submit(request);
    world.tick();
    world.cancel(job, None);
    world.end(1, 15);
    assert!(!world.done.contains(&"forget".to_owned()));
    world.end(2, 15);
    assert!(world.done.contains(&"forget".to_owned()));
    assert!(!world.core.is_busy());
    assert!(matches!(world.cancel(job, None), Reply::Done), "it has ended, but is known");
}

#[test]
fn what_is_not_there_cannot_be_cancelled() {
    let mut world = World::with_cpus(1);
    let request = world.job();
    let job = world.submit(request);
    for elements in [None, Some(vec![(0, 0)])] {
        assert!(matches!(world.cancel(id(5000), elements), Reply::NoSuchJob));
    }
    let reply = world.cancel(job, Some(vec![(0, 0)]));
    assert!(matches!(&reply, Reply::Refused(why) if why.contains("not an array")), "{reply:?}");
}

#[test]
fn a_process_that_fails_ends_the_others_and_decides_for_all() {
    let exit = |code: u8| Some(Exit { code: code.into(), signal: 0 });
    let done = exit(exit::PART_DONE);
    // The ends of the two processes, whether there is a failure, the state of the job and its exit code.
    for (first, second, failure, state, code) in [
        (done, done, false, "COMPLETED", 0),
        (exit(7), exit(143), false, "FAILED", 7),
        (done, exit(7), false, "FAILED", 7),
        (done, exit(0), false, "FAILED", exit::EXITED),
        (done, done, true, "FAILED", exit::EXITED),
    ] {
        let mut world = World::with_cpus(2);
        let request = JobRequest { tasks: 2, ..world.job() };
        let job = world.submit(request);
        world.tick();
        world.left.insert(job, Left { failure, ..begun() });
        let processes = world.core.jobs().job(job).unwrap().processes.clone();
        world.exited(job, processes[0].identity.pid, first);
        assert_eq!(world.state(job), if first == done { "RUNNING" } else { "COMPLETING" });
        world.exited(job, processes[1].identity.pid, second);
        assert_eq!(world.state(job), state, "{first:?} {second:?}");
        assert_eq!(world.statuses(job)[0].exit, exit(code), "{first:?} {second:?}");
    }
}

#[test]
fn an_adopted_process_tells_its_end_by_marks_and_files() {
    let ended =
        |code| Found(vec![RunMark::Ready, RunMark::Entered, RunMark::Ended { rank: 0, code }]);
    let gone = || Found(vec![RunMark::Ready, RunMark::Entered]);
    for (found, outcome, expected) in [
        (ended(0), None, "COMPLETED"),
        (ended(7), Some(JobState::Completed), "FAILED"),
        (gone(), Some(JobState::Completed), "COMPLETED"),
        (gone(), Some(JobState::Failed), "FAILED"),
        (gone(), None, "FAILED"),
        (not_begun().found, None, "RUNNING"),
    ] {
        let mut world = World::with_cpus(1);
        let request = world.job();
        let job = world.submit(request);
        world.tick();
        let told = format!("{found:?} {outcome:?}");
        world.left.insert(job, Left { found, outcome, ..Left::default() });
        let pid = world.core.jobs().job(job).unwrap().processes[0].identity.pid;
        world.exited(job, pid, None);
        world.tick();
        assert_eq!(world.state(job), expected, "{told}");
    }
}

#[test]
fn a_job_that_cannot_be_started_fails_and_holds_nothing() {
    let mut world = World::with_cpus(1);
    let (first, second) = (world.job(), world.job());
    let (first, second) = (world.submit(first), world.submit(second));
    world.broken.push(first);
    world.tick();
    assert_eq!(world.state(first), "FAILED its processes cannot be started: no such directory");
    let status = world.statuses(first).remove(0);
    assert_eq!((status.exit, status.entered), (Some(Exit { code: 0, signal: 53 }), false));
    assert_eq!(world.state(second), "RUNNING");
}

#[test]
fn an_end_counts_although_it_cannot_be_noted() {
    let mut world = World::with_cpus(1);
    let request = world.job();
    let job = world.submit(request);
    world.tick();
    world.disk_is_full = true;
    world.end(1, 0);
    assert_eq!(world.state(job), "COMPLETED");
    assert!(matches!(world.journal.last(), Some(Entry::Spawned { .. })));
}

#[test]
fn ends_of_processes_that_are_not_known_change_nothing() {
    let mut world = World::with_cpus(1);
    let request = world.job();
    let job = world.submit(request);
    world.tick();
    for (job, pid) in [(job, 1), (id(99), 1001)] {
        world.exited(job, pid, Some(Exit::default()));
    }
    assert_eq!(world.state(job), "RUNNING");
}
