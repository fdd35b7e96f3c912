//! What time does to running jobs.

use std::time::Duration;

use rustix::process::Signal;

use super::super::Reach;
use super::world::{World, id};
use crate::backend::local::protocol::JobRequest;

const USR1: i32 = 10;
const TERM: i32 = 15;

/// Starts a job with a time limit of ten seconds.
fn limited(warning: Option<(i32, u64)>) -> World {
    let mut world = World::with_cpus(1);
    let request = JobRequest { time_limit: Some(10), warning, ..world.job() };
    world.submit(request);
    world.tick();
    world
}

#[test]
fn the_limit_and_the_warning_come_in_time() {
    let limit = (10_000, Signal::TERM, Reach::Group);
    for (warning, expected) in [
        (None, vec![limit]),
        (Some((USR1, 4)), vec![(6_000, Signal::USR1, Reach::Alone), limit]),
        (Some((TERM, 4)), vec![(6_000, Signal::TERM, Reach::Alone), limit]),
        (Some((USR1, 60)), vec![(0, Signal::USR1, Reach::Alone), limit]),
        (Some((USR1, 0)), vec![(10_000, Signal::USR1, Reach::Alone), limit]),
    ] {
        let mut world = limited(warning);
        let mut came = Vec::new();
        for step in 0..=1_000 {
            let new = &world.signals[came.len()..];
            let new: Vec<_> = new.iter().map(|(_, of, reach)| (step * 10, *of, *reach)).collect();
            came.extend(new);
            world.pass(Duration::from_millis(10));
        }
        assert_eq!(came, expected, "{warning:?}");
        world.end(1, 15);
        assert_eq!(world.state(id(1)), "TIMEOUT", "{warning:?}");
    }
}

#[test]
fn a_warning_waits_for_its_handler_and_the_limit_for_nothing() {
    let mut world = limited(Some((USR1, 4)));
    world.handles = false;
    world.pass(Duration::from_secs(7));
    assert!(world.signals.is_empty());
    world.handles = true;
    world.pass(Duration::from_millis(20));
    assert_eq!(world.signals, [(id(1), Signal::USR1, Reach::Alone)]);
    let mut world = limited(Some((USR1, 4)));
    world.handles = false;
    world.pass(Duration::from_secs(10));
    assert_eq!(world.signals, [(id(1), Signal::TERM, Reach::Group)]);
}

#[test]
fn a_job_that_uses_too_much_memory_is_killed() {
    for limited in [true, false] {
        let mut world = World::with_cpus(1);
        let request = JobRequest { memory_is_limited: limited, ..world.job() };
        let job = world.submit(request);
        world.tick();
        world.over_limit.push(job);
        world.pass(Duration::from_millis(200));
        if limited {
            assert_eq!(world.signals, [(job, Signal::KILL, Reach::Group)]);
            world.end(1, 9);
            assert_eq!(world.state(job), "OUT_OF_MEMORY");
        } else {
            assert!(world.signals.is_empty());
        }
    }
}

#[test]
fn old_jobs_are_forgotten_unless_a_job_waits_for_them() {
    let day = Duration::from_secs(86_400);
    let mut world = World::with_cpus(2);
    let requests = [world.job(), world.job(), world.array(3)];
    for request in requests {
        world.submit(request);
    }
    world.finish();
    world.pass(8 * day);
    let long = world.needing(2);
    world.submit(long);
    world.tick();
    // It waits for a job that ended eight days ago, and for one that still runs.
    let request = world.job();
    let waiting = world.submit_after(request, "afterok:1,afterok:6");
    world.tick();
    world.on(super::super::Event::Tidy);
    let known: Vec<u32> = world.core.jobs().arrays().map(|array| array.id.get()).collect();
    assert_eq!(known, [1, 6, 7]);
    world.end(6, 0);
    assert_eq!(world.state(waiting), "RUNNING");
    let next = world.after_death(world.journal.len());
    assert_eq!(next.core.last_id(), 7, "no id is given twice");
}
