//! The reasons of waiting jobs.

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::machine::{Machine, WAIT};
use crate::backend::Ahead;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Installed;
use crate::backend::local::protocol::{JobRequest, Reply, Request};

/// The reason of a job that waits, and how many start before it.
fn waits_for(machine: &mut Machine, id: JobId) -> (String, Option<u64>) {
    let status = machine.statuses(id).pop().unwrap();
    assert_eq!(status.state, JobState::Pending);
    let running = |ahead: Ahead| (ahead.running > 0).then_some(ahead.waiting);
    (status.reason.unwrap_or_default(), status.ahead.and_then(running))
}

#[test]
fn a_job_that_waits_tells_why_and_for_how_many_jobs() {
    let mut machine = Machine::with_cpus(1);
    let mut submit = |dependency: Option<&str>| {
        let request = machine.request(WAIT);
        machine.submit(JobRequest { dependency: dependency.map(str::to_owned), ..request })
    };
    let (_running, next, after) = (submit(None), submit(None), submit(Some("afterok:1")));
    let never = submit(Some("afternotok:1"));
    let array = machine.submit_array(3, WAIT);
    let last = machine.submit_array(1, WAIT);
    machine.scheduler.advance();
    for (id, reason, before) in [
        (next, "Resources", Some(0)),
        (after, "Dependency", None),
        (never, "Dependency", None),
        (array, "Priority", Some(1)),
        (last, "Priority", Some(4)),
    ] {
        assert_eq!(waits_for(&mut machine, id), (reason.to_owned(), before), "{id}");
    }
    machine.cancel(next, None);
    machine.scheduler.advance();
    assert_eq!(waits_for(&mut machine, array), ("Resources".to_owned(), Some(0)));
    assert_eq!(waits_for(&mut machine, last), ("Priority".to_owned(), Some(3)));
    machine.touch("go");
    machine.run();
}

#[test]
fn jobs_that_would_wait_for_themselves_or_later_ones_are_refused() {
    let mut machine = Machine::with_cpus(1);
    for array in [false, true] {
        let mut request =
            || if array { machine.array(2, "true\n") } else { machine.request("true\n") };
        let of = |id: u32| JobId::new(id);
        let requests = [
            JobRequest { within: of(1), ..request() },
            JobRequest { within: of(7), ..request() },
            JobRequest { dependency: Some("afterok:1".to_owned()), ..request() },
            JobRequest { dependency: Some("aftercorr:1,afterany:9".to_owned()), ..request() },
        ];
        for request in requests {
            match machine.scheduler.handle(Request::Submit(Box::new(request))) {
                Reply::Refused(reason) => assert!(reason.contains("does not exist"), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(!machine.scheduler.is_busy());
}

#[test]
fn each_submitter_gets_the_gpus_that_it_sees_and_none_is_given_twice() {
    let mut machine = Machine::with_cpus(9);
    let mut submit = |visible: &str, count: u32| {
        let request = machine.request(
            "echo $SLURM_JOB_ID ${CUDA_VISIBLE_DEVICES-none} >> ran\n\
             while [ ! -e go ]; do sleep 0.01; done\n",
        );
        let gpus = Installed::default().visible(Some(visible), Some(9));
        let needs = Capacity { gpus: count, ..request.needs };
        machine.submit(JobRequest { gpus, needs, ..request })
    };
    submit("2,3", 1);
    submit("3,2,1", 2);
    submit("0,1", 1);
    submit("", 1);
    let last = submit("GPU-a,0", 2);
    machine.run_until(|machine| machine.lines("ran").len() == 4);
    assert_eq!(machine.lines("ran"), ["1 2", "2 3,1", "3 0", "4 none"]);
    assert_eq!(waits_for(&mut machine, last).0, "Resources");
    let mut machine = machine.restarted();
    machine.scheduler.advance();
    assert_eq!(waits_for(&mut machine, last).0, "Resources", "the next supervisor knows it, too");
    machine.touch("go");
    machine.run();
    assert_eq!(machine.lines("ran").last().unwrap(), "5 GPU-a,0");
}

#[test]
fn a_dependency_that_can_never_be_met_is_told_behind_a_job_that_waits_for_resources() {
    let mut machine = Machine::with_cpus(1);
    let request = machine.request("exit 1\n");
    let failed = machine.submit(request);
    machine.run();
    let mut submit = |dependency: Option<String>| {
        let request = machine.request(WAIT);
        machine.submit(JobRequest { dependency, ..request })
    };
    let (_running, _next) = (submit(None), submit(None));
    let never = submit(Some(format!("afterok:{failed}")));
    machine.scheduler.advance();
    assert_eq!(machine.statuses(never)[0].state, JobState::Cancelled);
    machine.touch("go");
    machine.run();
}
