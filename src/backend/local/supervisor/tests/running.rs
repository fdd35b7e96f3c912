//! What processes of jobs find, and what they leave.

use std::collections::BTreeMap;
use std::fs;

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::machine::{Machine, WAIT, text};
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Installed;
use crate::backend::local::protocol::JobRequest;

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

#[test]
fn a_job_finds_the_names_of_its_gpus() {
    let mut machine = Machine::with_cpus(9);
    for (visible, count) in [("2,3", 1), ("3,2,1", 2), ("", 1)] {
        let request = machine.request("echo $SLURM_JOB_ID ${CUDA_VISIBLE_DEVICES-none} >> ran\n");
        let gpus = Installed::default().visible(Some(visible), Some(9));
        let needs = Capacity { gpus: count, ..request.needs };
        machine.submit(JobRequest { gpus, needs, ..request });
    }
    machine.run();
    assert_eq!(machine.lines("ran"), ["1 2", "2 3,1", "3 none"]);
}
