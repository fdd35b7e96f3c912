//! Admission: the order of the queue, resources, throttles, and why jobs wait.

use std::time::Duration;

use super::world::{World, id};
use crate::backend::Ahead;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Installed;
use crate::backend::local::protocol::{ArrayRequest, JobRequest, Reply, Request};

#[test]
fn jobs_start_in_order_and_a_large_one_is_not_passed() {
    // CPUs of the machine, CPUs of the jobs, and which of them run at first and after the end of the first.
    for (cpus, needs, first, second) in [
        (4, &[1, 1, 1][..], &[1, 2, 3][..], &[2, 3][..]),
        (4, &[3, 2, 1], &[1], &[2, 3]),
        (4, &[2, 4, 1, 1], &[1], &[2]),
        (4, &[9, 1], &[1], &[2]),
        (2, &[1, 1, 2, 1], &[1, 2], &[2]),
        (1, &[1, 1, 1], &[1], &[2]),
    ] {
        let mut world = World::with_cpus(cpus);
        for needed in needs {
            let request = world.needing(*needed);
            world.submit(request);
        }
        world.tick();
        assert_eq!(world.running(), first, "{needs:?} on {cpus}");
        world.end(1, 0);
        assert_eq!(world.running(), second, "{needs:?} on {cpus}, after the first");
    }
}

#[test]
fn memory_and_gpus_are_not_given_twice() {
    let needs = |memory_mib, gpus| Capacity { cpus: 1, memory_mib, gpus };
    for (first, second, together) in [
        (needs(500, 0), needs(500, 0), true),
        (needs(501, 0), needs(500, 0), false),
        (needs(1, 1), needs(1, 1), true),
        (needs(1, 2), needs(1, 1), false),
        (needs(1, 9), needs(1, 0), true),
    ] {
        let mut world = World::with_cpus(9);
        for needs in [first, second] {
            let request = JobRequest { needs, ..world.job() };
            world.submit(request);
        }
        world.tick();
        assert_eq!(world.running().len() == 2, together, "{first:?} {second:?}");
    }
}

#[test]
fn each_submitter_gets_the_gpus_that_it_sees() {
    let mut world = World::with_cpus(9);
    let mut submit = |visible: &str, count: u32| {
        let gpus = Installed::default().visible(Some(visible), Some(9));
        let request = world.job();
        let needs = Capacity { gpus: count, ..request.needs };
        world.submit(JobRequest { gpus, needs, ..request })
    };
    let jobs = [submit("2,3", 1), submit("3,2,1", 2), submit("0,1", 1), submit("", 1)];
    let last = submit("GPU-a,0", 2);
    world.tick();
    let names = |world: &World, job| -> Vec<String> {
        let gpus = world.core.jobs().job(job).unwrap().gpus.iter();
        gpus.map(|gpu| gpu.name.clone()).collect()
    };
    let given: Vec<_> = jobs.iter().map(|job| names(&world, *job).join(",")).collect();
    assert_eq!(given, ["2", "3,1", "0", ""]);
    assert_eq!(world.state(last), "PENDING Resources");
    let mut next = world.after_death(world.journal.len());
    next.tick();
    assert_eq!(next.state(last), "PENDING Resources", "the next supervisor knows it, too");
    world.end(3, 0);
    assert_eq!(names(&world, last), ["GPU-a", "0"]);
}

#[test]
fn a_job_that_waits_tells_why_and_for_how_many_jobs() {
    let mut world = World::with_cpus(1);
    let mut submit = |dependency: Option<&str>| {
        let request = world.job();
        world.submit(JobRequest { dependency: dependency.map(str::to_owned), ..request })
    };
    let (_running, next, after) = (submit(None), submit(None), submit(Some("afterok:1")));
    let never = submit(Some("afternotok:1"));
    let (array, last) = (world.array(3), world.array(1));
    let (array, last) = (world.submit(array), world.submit(last));
    world.tick();
    let ahead = |world: &mut World, job| {
        let status = world.statuses(job).remove(0);
        status.ahead.map(|Ahead { waiting, running }| (waiting, running))
    };
    for (job, state, before) in [
        (next, "PENDING Resources", Some((0, 1))),
        (after, "PENDING Dependency", None),
        (never, "PENDING Dependency", None),
        (array, "PENDING Priority", Some((1, 1))),
        (id(array.get() + 2), "PENDING Priority", Some((1, 1))),
        (last, "PENDING Priority", Some((4, 1))),
    ] {
        assert_eq!((world.state(job).as_str(), ahead(&mut world, job)), (state, before), "{job}");
    }
    world.cancel(next, None);
    world.tick();
    assert_eq!(world.state(array), "PENDING Resources");
    assert_eq!(ahead(&mut world, last), Some((3, 1)));
}

#[test]
fn no_more_elements_run_at_once_than_may_and_others_pass() {
    let mut world = World::with_cpus(16);
    let array = Some(ArrayRequest { size: 8, first: 0, max_running: Some(3) });
    let request = JobRequest { array, ..world.job() };
    let (job, behind) = (world.submit(request), world.job());
    let behind = world.submit(behind);
    world.tick();
    assert_eq!(world.groups(job), "PENDING JobArrayTaskLimit 3-7, RUNNING 0-2");
    assert_eq!(world.state(behind), "RUNNING");
    world.end(2, 0);
    assert_eq!(world.groups(job), "COMPLETED 1, PENDING JobArrayTaskLimit 4-7, RUNNING 0 2-3");
    // An element that is requeued counts as one of those that may run.
    world.left.insert(id(1), super::world::wants_another_run());
    world.end(1, 0);
    assert_eq!(world.groups(job), "COMPLETED 1, PENDING JobArrayTaskLimit 4-7, RUNNING 0 2-3");
    world.finish();
    assert_eq!(world.groups(job), "COMPLETED 0-7");
}

#[test]
fn an_array_that_waits_for_resources_lets_nothing_pass() {
    let mut world = World::with_cpus(2);
    let (array, behind) = (world.array(3), world.job());
    let (array, behind) = (world.submit(array), world.submit(behind));
    world.tick();
    assert_eq!(world.groups(array), "PENDING Resources 2, RUNNING 0-1");
    assert_eq!(world.state(behind), "PENDING Priority");
    world.end(1, 0);
    assert_eq!(world.running(), [2, 3]);
}

#[test]
fn a_large_array_is_one_entry_of_the_queue_and_of_the_journal() {
    let mut world = World::with_cpus(2);
    let request = world.array(10_000);
    let job = world.submit(request);
    world.tick();
    for _ in 0..100 {
        world.tick();
        assert_eq!(world.groups(job), "PENDING Resources 2-9999, RUNNING 0-1");
    }
    world.cancel(job, None);
    for element in [1, 2] {
        world.end(element, 15);
    }
    assert_eq!(world.groups(job), "CANCELLED 0-1, CANCELLED 2-9999");
    assert!(world.journal.len() < 20, "{} entries", world.journal.len());
}

#[test]
fn requests_get_their_turn_between_many_starts() {
    let mut world = World::with_cpus(1000);
    let request = world.array(500);
    let job = world.submit(request);
    world.on(super::super::Event::Tick);
    assert_eq!(world.running().len(), 64);
    assert_eq!(world.core.next_alarm(world.now()), Some(world.now().at), "it goes on at once");
    world.tick();
    assert_eq!(world.groups(job), "RUNNING 0-499");
}

#[test]
fn submissions_that_cannot_be_right_are_refused() {
    let mut world = World::with_cpus(1);
    for is_array in [false, true] {
        let mut request = || if is_array { world.array(2) } else { world.job() };
        let of = |dependency: &str| Some(dependency.to_owned());
        let requests = [
            (JobRequest { within: Some(id(1)), ..request() }, "does not exist"),
            (JobRequest { within: Some(id(7)), ..request() }, "does not exist"),
            (JobRequest { dependency: of("afterok:1"), ..request() }, "does not exist"),
            (JobRequest { dependency: of("aftercorr:1,afterany:9"), ..request() }, "not exist"),
            (JobRequest { dependency: of("afterwards:1"), ..request() }, "its dependencies"),
        ];
        for (request, expected) in requests {
            match world.ask(Request::Submit(Box::new(request))) {
                Reply::Refused(reason) => assert!(reason.contains(expected), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
    }
    for size in [0, u32::MAX] {
        let (filler, request) = (world.job(), world.array(size));
        world.submit(filler);
        let reply = world.ask(Request::Submit(Box::new(request)));
        assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
    }
    let request = world.job();
    world.disk_is_full = true;
    let reply = world.ask(Request::Submit(Box::new(request.clone())));
    assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
    world.disk_is_full = false;
    assert_eq!(world.submit(request), id(4), "the id of the refused one is not given again");
}

#[test]
fn a_submission_is_queued_once_and_may_have_several_arrays() {
    let mut world = World::with_cpus(4);
    let first = world.array(2);
    let second = JobRequest { part: 1, ..first.clone() };
    let ids = [&first, &second, &first, &second].map(|request| world.submit(request.clone()));
    assert_eq!(ids, [1, 3, 1, 3].map(id));
    let mut next = world.after_death(world.journal.len());
    assert_eq!(next.submit(second), id(3));
    for (part, job) in [(0, id(1)), (1, id(3))] {
        let find = Request::Find { submission_id: first.submission_id.clone(), part };
        let Reply::Statuses(found) = next.ask(find) else { panic!("no statuses") };
        assert_eq!(found[0].id, job);
    }
}

#[test]
fn a_job_that_cannot_run_beside_its_workflow_is_refused() {
    let mut world = World::with_cpus(4);
    let workflow = world.needing(3);
    let workflow = world.submit(workflow);
    world.tick();
    for (cpus, fits) in [(1, true), (2, false), (9, false)] {
        let request = JobRequest { within: Some(workflow), ..world.needing(cpus) };
        match world.ask(Request::Submit(Box::new(request))) {
            Reply::Submitted(_) => assert!(fits, "{cpus}"),
            Reply::NoRoom(reason) => assert!(!fits && reason.contains("CPUs"), "{cpus}: {reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn workflows_that_hold_all_and_wait_for_their_jobs_are_a_deadlock() {
    for is_array in [false, true] {
        let mut world = World::with_cpus(2);
        let (first, second) = (world.job(), world.job());
        let workflows = [world.submit(first), world.submit(second)];
        world.tick();
        let mut children = Vec::new();
        for workflow in workflows {
            let request = if is_array { world.array(2) } else { world.job() };
            children.push(world.submit(JobRequest { within: Some(workflow), ..request }));
        }
        world.tick();
        world.pass(Duration::from_secs(19));
        assert_eq!(world.state(children[0]), "PENDING Resources");
        world.pass(Duration::from_secs(1));
        let state = world.state(children[0]);
        assert!(state.starts_with("CANCELLED no room: workflows hold all resources"), "{state}");
        assert_eq!(world.state(children[1]), "PENDING Resources", "the others have their chance");
        // Its workflow has an answer, and may end.
        world.pass(Duration::from_secs(60));
        assert_eq!(world.state(children[1]), "PENDING Resources");
        world.end(1, 0);
        assert!(world.running().contains(&children[1].get()));
    }
}

#[test]
fn jobs_that_run_beside_workflows_are_waited_for() {
    let mut world = World::with_cpus(2);
    let (workflow, other) = (world.job(), world.job());
    let (workflow, other) = (world.submit(workflow), world.submit(other));
    world.tick();
    let child = JobRequest { within: Some(workflow), ..world.job() };
    let child = world.submit(child);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.state(child), "PENDING Resources");
    world.end(other.get(), 0);
    assert_eq!(world.state(child), "RUNNING");
}
