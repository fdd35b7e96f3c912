//! The journal: what the next supervisor knows, also if lines of it are missing.

use slurm_core::layout::RunMark;
use slurm_core::state::JobState;

use super::super::{Ended, Entry, Event, Found, Identity, Left, Process, SeenRun, Trace};
use super::world::{World, id, not_begun, wants_another_run};
use crate::backend::Exit;
use crate::backend::local::protocol::JobRequest;

/// Returns a world in which much has happened.
fn eventful() -> World {
    let mut world = World::with_cpus(3);
    let (job, array) = (world.job(), world.array(5));
    world.submit(JobRequest { time_limit: Some(100), warning: Some((10, 100)), ..job });
    world.submit(array);
    world.tick();
    world.left.insert(id(2), wants_another_run());
    world.end(2, 115);
    world.end(3, 1);
    world.cancel(id(2), Some(vec![(4, 4)]));
    world.cancel(id(2), None);
    let waiting = world.job();
    world.submit_after(waiting, "afterok:1");
    world.tick();
    world
}

/// What is known, as far as it is told to clients, with what runs.
fn known(world: &mut World) -> Vec<String> {
    let jobs: Vec<_> = world.core.jobs().arrays().map(|array| array.id).collect();
    let statuses = jobs.into_iter().flat_map(|job| world.statuses(job));
    let mut told: Vec<String> = statuses
        .map(|status| {
            // Why a job waits is found out anew.
            let reason = status.reason.filter(|_| !status.state.is_pending());
            format!(
                "{} {:?} {} {reason:?} {:?}",
                status.id, status.elements, status.state, status.exit
            )
        })
        .collect();
    let running = world.core.jobs().running();
    told.extend(running.map(|job| {
        let (granted, gpus) = (job.granted, &job.gpus);
        let processes: Vec<_> = job.processes.iter().map(|process| process.identity).collect();
        let (restarts, warned, ending) = (job.restarts, job.warned_at, &job.ending);
        format!("{} {restarts} {granted:?} {gpus:?} {processes:?} {warned:?} {ending:?}", job.id)
    }));
    told
}

#[test]
fn the_next_supervisor_knows_what_this_one_knew() {
    let mut world = eventful();
    let before = known(&mut world);
    let mut next = world.after_death(world.journal.len());
    assert_eq!(known(&mut next), before);
    // The one after that reads what was rewritten.
    let mut last = next.after_death(next.journal.len());
    assert_eq!(known(&mut last), before);
    assert_eq!(last.core.last_id(), 7);
}

#[test]
fn wherever_the_journal_ends_what_is_rewritten_tells_the_same() {
    let world = eventful();
    for lines in 0..=world.journal.len() {
        let mut next = world.after_death(lines);
        let mut last = next.after_death(next.journal.len());
        assert_eq!(known(&mut last), known(&mut next), "{lines} lines are left");
    }
}

#[test]
fn a_supervisor_dies_between_any_two_lines_and_no_element_runs_twice_or_never() {
    let world = eventful();
    for lines in 2..=world.journal.len() {
        let mut next = world.after_death(lines);
        // Nothing is left of any process, and what had begun has left its marks.
        let begun = |job: u32| {
            let seen = world
                .journal
                .iter()
                .any(|entry| matches!(entry, Entry::Spawned { id, .. } if id.get() == job));
            let open = next.core.jobs().find(id(job)).is_some_and(|(array, index)| {
                array.pending.contains(&index) || next.core.jobs().job(id(job)).is_some()
            });
            (seen && open).then(|| Trace {
                job: id(job),
                restarts: next.core.jobs().job(id(job)).map_or(0, |job| job.restarts),
                earlier: Vec::new(),
                run: Some(SeenRun::default()),
            })
        };
        let traces: Vec<Trace> = (1..=7).filter_map(begun).collect();
        let taken: Vec<u32> = traces.iter().map(|trace| trace.job.get()).collect();
        next.on(Event::TakeOver(traces));
        for job in taken {
            assert!(next.core.jobs().job(id(job)).is_none(), "{lines}: job {job} has ended");
        }
        next.finish();
        assert!(!next.core.is_busy(), "{lines} lines are left: nothing waits for ever");
    }
}

#[test]
fn a_run_that_was_lost_is_found_by_its_traces() {
    let mut world = World::with_cpus(2);
    let request = world.array(3);
    let job = world.submit(request);
    world.tick();
    // The journal has lost all but the submission.
    let mut next = world.after_death(1);
    assert_eq!(next.groups(job), "PENDING 0-2");
    let process = Process::new(0, Identity { pid: 1002, start: 1 });
    let seen = SeenRun { processes: vec![process], ..SeenRun::default() };
    next.on(Event::TakeOver(vec![
        Trace { job: id(2), restarts: 3, earlier: vec![1], run: Some(seen) },
        Trace { job: id(3), restarts: 0, earlier: vec![], run: None },
    ]));
    next.tick();
    assert_eq!(next.groups(job), "PENDING Resources 2, RUNNING 0-1");
    assert_eq!(next.core.jobs().job(id(2)).unwrap().restarts, 3);
    assert_eq!(next.done[..3], ["remove marks 2.1", "end left of 3", "watch 0 of 2"]);
}

#[test]
fn a_run_that_ended_alone_is_judged_by_what_it_left() {
    use slurm_core::state::JobState::{Completed, Failed};
    let marks = |code: Option<u8>| {
        let ended = code.map(|code| RunMark::Ended { rank: 0, code });
        Found([RunMark::Ready, RunMark::Entered].into_iter().chain(ended).collect())
    };
    for (boot, left, exit, expected) in [
        ("boot", Left { outcome: Some(Completed), ..Left::default() }, None, "COMPLETED its"),
        ("boot", Left { outcome: Some(Failed), ..Left::default() }, None, "FAILED its supervisor"),
        ("boot", Left { found: marks(Some(7)), ..Left::default() }, Some(7), "FAILED"),
        ("boot", Left { found: marks(None), ..Left::default() }, None, "FAILED its supervisor"),
        ("old", Left { found: marks(None), ..Left::default() }, None, "NODE_FAIL its supervisor"),
        ("old", Left { outcome: Some(Completed), ..Left::default() }, None, "COMPLETED its"),
        ("boot", not_begun(), None, "RUNNING"),
        ("old", not_begun(), None, "RUNNING"),
        ("boot", wants_another_run(), None, "RUNNING"),
    ] {
        let mut world = World::with_cpus(1);
        let request = world.job();
        let job = world.submit(request);
        world.tick();
        let mut next = world.after_death(world.journal.len() - 2);
        let (granted, gpus) = (Default::default(), Vec::new());
        let boot = Some(boot.to_owned());
        let started = Entry::Started { id: job, at: 1, restarts: 0, boot, granted, gpus };
        next.core.replay(started).unwrap();
        let told = format!("{left:?}");
        let exit = exit.map(|code| Exit { code, signal: 0 });
        let process = Identity { pid: 1001, start: 1 };
        let process = Process { exit, ended: true, ..Process::new(0, process) };
        let seen =
            SeenRun { processes: vec![process], found: left.found.clone(), ..SeenRun::default() };
        next.left.insert(job, left);
        let run = Some(seen);
        next.on(Event::TakeOver(vec![Trace { job, restarts: 0, earlier: vec![], run }]));
        next.tick();
        let state = next.state(job);
        assert!(state.starts_with(expected), "{state}, not {expected}: {told}");
    }
}

#[test]
fn an_adopted_run_keeps_its_limit_and_its_end() {
    use std::time::Duration;
    // What the journal tells beside the start, and when the limit of ten seconds, or the kill, comes after six.
    for (entry, seconds) in [
        (None, 5),
        (Some(Entry::Warned { id: id(1), at: super::world::BEGIN + 5_000 }), 4),
        (
            Some(Entry::Ending {
                id: id(1),
                at: super::world::BEGIN + 5_000,
                state: JobState::Cancelled,
            }),
            4,
        ),
    ] {
        let mut world = World::with_cpus(1);
        let warning = Some((15, 5));
        let request = JobRequest { time_limit: Some(10), warning, ..world.job() };
        let job = world.submit(request);
        world.tick();
        world.journal.extend(entry.clone());
        let lines = world.journal.len();
        let mut next = world.after_death(lines);
        next.pass(Duration::from_secs(6));
        let processes = next.core.jobs().job(job).unwrap().processes.clone();
        let run = Some(SeenRun { processes, ..SeenRun::default() });
        next.on(Event::TakeOver(vec![Trace { job, restarts: 0, earlier: vec![], run }]));
        next.tick();
        let warned = next.signals.len();
        assert_eq!(warned, usize::from(entry.is_none()), "a warning that is overdue comes now");
        next.pass(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(next.signals.len(), warned, "{entry:?}");
        next.pass(Duration::from_millis(1));
        assert_eq!(next.signals.len(), warned + 1, "{entry:?}");
    }
}

#[test]
fn processes_that_have_ended_are_cleaned_up_after_before_a_job_is_judged() {
    let mut world = World::with_cpus(2);
    let request = JobRequest { tasks: 2, ..world.job() };
    let job = world.submit(request);
    world.tick();
    let mut next = world.after_death(world.journal.len());
    let mut processes = next.core.jobs().job(job).unwrap().processes.clone();
    processes[0].ended = true;
    let found = Found(vec![RunMark::Ready, RunMark::Entered]);
    let run = Some(SeenRun { processes, found, ..SeenRun::default() });
    let actions = next
        .core
        .on(Event::TakeOver(vec![Trace { job, restarts: 0, earlier: vec![], run }]), next.now());
    let text: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
    assert!(
        text[0].contains("EndLeft") && text[0].contains(&format!("{:?}", Ended::Ranks(vec![0])))
    );
    assert!(text[1].starts_with("Watch") && text[2].starts_with("Append(Ending"), "{text:#?}");
    assert!(text[3].starts_with("Signal"), "the other would wait for it without end: {text:#?}");
}
