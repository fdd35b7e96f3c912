//! What waits for other jobs.

use std::time::Duration;

use super::world::{World, id};
use crate::backend::local::protocol::{ArrayRequest, JobRequest, Reply, Request};

const NEVER: &str = "CANCELLED DependencyNeverSatisfied";

/// Runs what is there to its end; the elements of the first array with an odd index fail if `odd_fails`.
fn run_all(world: &mut World, size: u32, odd_fails: bool) {
    world.tick();
    while let Some(job) = world.running().first().copied() {
        let fails = odd_fails && job <= size && job.is_multiple_of(2);
        world.end(job, i32::from(fails));
    }
}

#[test]
fn a_dependency_on_a_job_is_one_on_its_end() {
    for (code, dependency, expected) in [
        (0, "afterok:1", "COMPLETED"),
        (1, "afterok:1", NEVER),
        (0, "afterany:1", "COMPLETED"),
        (1, "afterany:1", "COMPLETED"),
        (0, "afternotok:1", NEVER),
        (1, "afternotok:1", "COMPLETED"),
        (0, "after:1", "COMPLETED"),
        (0, "aftercorr:1", "COMPLETED"),
        (1, "aftercorr:1", NEVER),
        (1, "afterok:1?afterany:1", "COMPLETED"),
        (1, "afterok:1,afterany:1", NEVER),
        (1, "afterok:1?afternotok:1", "COMPLETED"),
    ] {
        let mut world = World::with_cpus(4);
        let (first, second) = (world.job(), world.job());
        world.submit(first);
        let job = world.submit_after(second, dependency);
        world.tick();
        if dependency != "after:1" {
            assert_eq!(world.state(job), "PENDING Dependency", "{dependency}");
        }
        world.end(1, code);
        world.finish();
        assert_eq!(world.state(job), expected, "{dependency} on exit code {code}");
    }
}

#[test]
fn a_dependency_on_an_array_is_one_on_all_its_elements() {
    for (odd_fails, dependency, expected) in [
        (false, "afterok:1", "COMPLETED"),
        (true, "afterok:1", NEVER),
        (true, "afterok:1_*", NEVER),
        (true, "afterany:1", "COMPLETED"),
        (true, "afternotok:1", "COMPLETED"),
        (false, "afternotok:1", NEVER),
        (true, "afterok:1_2", "COMPLETED"),
        (true, "afterok:1_3", NEVER),
        (true, "afternotok:1_3", "COMPLETED"),
        // The fourth element by its own id.
        (true, "afterok:4", NEVER),
        (true, "afterok:3", "COMPLETED"),
        (true, "afterok:1_[0,2,4]", "COMPLETED"),
        (true, "afterok:1_[0-2]", NEVER),
        (true, "afterok:1?afterok:1_0", "COMPLETED"),
        (true, "after:1", "COMPLETED"),
    ] {
        for is_array in [false, true] {
            let mut world = World::with_cpus(2);
            let first = world.array(5);
            world.submit(first);
            let request = if is_array { world.array(2) } else { world.job() };
            let job = world.submit_after(request, dependency);
            run_all(&mut world, 5, odd_fails);
            assert_eq!(world.state(job), expected, "{dependency}, odd ones fail: {odd_fails}");
        }
    }
}

#[test]
fn a_dependency_on_an_array_waits_for_its_last_element() {
    let mut world = World::with_cpus(8);
    let first = world.array(3);
    world.submit(first);
    let (all, one) = (world.job(), world.job());
    let (all, one) = (world.submit_after(all, "afterok:1"), world.submit_after(one, "afterok:1_2"));
    world.tick();
    world.end(3, 0);
    assert_eq!(
        (world.state(all), world.state(one)),
        ("PENDING Dependency".into(), "RUNNING".into())
    );
    world.end(1, 0);
    assert_eq!(world.state(all), "PENDING Dependency");
    world.end(2, 0);
    assert_eq!(world.state(all), "RUNNING");
}

#[test]
fn after_waits_for_the_last_element_to_start_and_for_minutes() {
    let mut world = World::with_cpus(8);
    let array = Some(ArrayRequest { size: 3, first: 0, max_running: Some(1) });
    let first = JobRequest { array, ..world.job() };
    world.submit(first);
    let (plain, later) = (world.job(), world.job());
    let (plain, later) =
        (world.submit_after(plain, "after:1"), world.submit_after(later, "after:1+2"));
    world.tick();
    assert_eq!(world.state(plain), "PENDING Dependency");
    world.cancel(id(1), Some(vec![(1, 2)]));
    world.tick();
    assert_eq!(
        (world.state(plain), world.state(later)),
        ("RUNNING".into(), "PENDING Dependency".into())
    );
    world.pass(Duration::from_secs(119));
    assert_eq!(world.state(later), "PENDING Dependency");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.state(later), "RUNNING");
}

#[test]
fn aftercorr_pairs_elements() {
    let mut world = World::with_cpus(16);
    let (first, second) = (world.array(6), world.array(8));
    world.submit(first);
    // Two more than there are partners.
    let job = world.submit_after(second, "aftercorr:1");
    world.tick();
    // The second waits, the fourth and sixth fail.
    for (element, code) in [(1, 0), (3, 0), (4, 1), (5, 0), (6, 1)] {
        world.end(element, code);
    }
    let before = "CANCELLED DependencyNeverSatisfied 3 5, PENDING Dependency 1 6-7, RUNNING 0 2 4";
    assert_eq!(world.groups(job), before);
    world.end(2, 0);
    let after = "CANCELLED DependencyNeverSatisfied 3 5-7, RUNNING 0-2 4";
    assert_eq!(world.groups(job), after);
}

#[test]
fn elements_without_a_partner_wait_for_all_partners() {
    let mut world = World::with_cpus(4);
    let (first, second) = (world.array(2), world.array(4));
    world.submit(first);
    let job = world.submit_after(second, "aftercorr:1");
    let (both, any) = (world.array(2), world.array(2));
    let both = world.submit_after(both, "aftercorr:1,afterok:3_3");
    let any = world.submit_after(any, "aftercorr:1?afterok:3_3");
    world.finish();
    for (job, last) in [(job, 3), (both, 1), (any, 1)] {
        assert_eq!(world.groups(job), format!("COMPLETED 0-{last}"));
    }
}

#[test]
fn a_singleton_waits_for_all_of_its_name_before_it() {
    let mut world = World::with_cpus(8);
    let named = |request| JobRequest {
        name: "alone".to_owned(),
        dependency: Some("singleton".to_owned()),
        ..request
    };
    let requests = [world.array(2), world.job(), world.array(2), world.job()].map(named);
    let jobs = requests.map(|request| world.submit(request));
    let other = world.job();
    let other = world.submit(other);
    world.tick();
    assert_eq!(world.groups(jobs[0]), "RUNNING 0-1", "elements do not wait for each other");
    assert_eq!(world.state(other), "RUNNING", "it has another name");
    for (ended, next) in [(&[1, 2][..], jobs[1]), (&[3], jobs[2]), (&[4, 5], jobs[3])] {
        assert_eq!(world.state(next), "PENDING Dependency");
        ended.iter().for_each(|job| world.end(*job, 0));
        assert_eq!(world.state(next), "RUNNING");
    }
}

#[test]
fn a_dependency_that_can_never_be_met_is_told_behind_a_job_that_waits_for_resources() {
    let mut world = World::with_cpus(1);
    let failed = world.job();
    world.submit(failed);
    world.tick();
    world.end(1, 1);
    let (running, next, never) = (world.job(), world.job(), world.job());
    world.submit(running);
    world.submit(next);
    let never = world.submit_after(never, "afterok:1");
    world.tick();
    assert_eq!(world.state(never), NEVER);
}

#[test]
fn a_dependency_on_a_job_that_is_not_known_is_not_accepted() {
    let mut world = World::with_cpus(1);
    let first = world.job();
    world.submit(first);
    let array = world.array(3);
    world.submit(array);
    world.core.skip_ids(100);
    for (dependency, unknown) in [
        ("afterok:50", Some(50)),
        ("afterany:1_0", Some(1)),
        ("afterok:2_7", Some(2)),
        ("afterok:3", None),
    ] {
        let request = JobRequest { dependency: Some(dependency.to_owned()), ..world.job() };
        match world.ask(Request::Submit(Box::new(request))) {
            Reply::UnknownDependency(job) => assert_eq!(Some(job.get()), unknown, "{dependency}"),
            Reply::Submitted(_) => assert_eq!(unknown, None, "{dependency}"),
            other => panic!("{other:?}"),
        }
    }
}
