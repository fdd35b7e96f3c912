//! Arrays: supervisors that die.

use std::fs;

use slurm_core::layout::{JobDir, RunMark};
use slurm_core::state::JobState;

use super::super::core::Entry;
use super::super::line;
use super::super::marks::Marks;
use super::machine::{Machine, WAIT};

#[test]
fn a_supervisor_that_is_killed_loses_no_element_and_runs_none_twice() {
    let mut machine = Machine::with_cpus(3);
    let script = "echo $SLURM_ARRAY_TASK_ID >> ran\n\
                  test $SLURM_ARRAY_TASK_ID != 1 || exit 7\n\
                  while [ ! -e go ]; do sleep 0.01; done\n";
    let id = machine.submit_array(9, script);
    machine.run_until(|machine| {
        machine.indices("ran") == [0, 1, 2, 3] && machine.count(id, &JobState::Failed) == 1
    });
    machine.cancel(id, Some(vec![(6, 7)]));
    let before = machine.groups(id);
    for _ in 0..2 {
        machine = machine.restarted();
        let mut after = machine.groups(id);
        // Why elements wait is found out anew.
        after.iter_mut().filter(|(word, _)| word == "PENDING").for_each(|(word, _)| {
            word.push_str(" Resources");
        });
        assert_eq!(after, before);
        machine.tick();
        assert_eq!(machine.groups(id), before);
    }
    machine.touch("go");
    machine.run();
    assert_eq!(machine.indices("ran"), [0, 1, 2, 3, 4, 5, 8]);
    let next = machine.submit_array(1, "true\n");
    assert_eq!(next.get(), id.get() + 9, "no id is given twice");
    let ended = machine.groups(id);
    assert_eq!(machine.restarted().groups(id), ended);
}

#[test]
fn an_element_whose_process_is_not_in_the_journal_is_found() {
    let mut machine = Machine::with_cpus(2);
    let id = machine.submit_array(3, WAIT);
    machine.run_until(|machine| machine.indices("ran") == [0, 1]);
    let journal = machine.path("supervisor/journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let lines =
        text.lines().filter(|line| !line.contains("Spawned")).map(|line| format!("{line}\n"));
    fs::write(&journal, lines.collect::<String>()).unwrap();
    machine = machine.restarted();
    assert_eq!(machine.count(id, &JobState::Running), 2);
    machine.cancel(id, Some(vec![(0, 0), (2, 2)]));
    machine.run_until(|machine| machine.count(id, &JobState::Cancelled) == 2);
    assert_eq!(machine.count(id, &JobState::Running), 1);
    machine.touch("go");
    machine.run();
    assert_eq!(machine.indices("ran"), [0, 1]);
}

#[test]
fn an_element_that_was_put_back_runs_although_the_journal_lost_that() {
    let mut machine = Machine::with_cpus(1);
    let request = machine.array(1, "echo $SLURM_ARRAY_TASK_ID >> ran\n");
    let marks = |id| Marks { prefix: JobDir::at(&request.dir).run_marks(id, 0) };
    let dir = request.dir.clone();
    let id = machine.submit(request.clone());
    // The supervisor is killed between noting a start and starting.
    let started = Entry::Started {
        id,
        at: 1_800_000_000_000,
        restarts: 0,
        boot: None,
        granted: request.needs,
        gpus: Vec::new(),
    };
    marks(id).prepare().unwrap();
    let journal = machine.path("supervisor/journal.jsonl");
    let mut noted = fs::read(&journal).unwrap();
    noted.extend(line::write(&started).unwrap());
    fs::write(&journal, &noted).unwrap();
    machine = machine.restarted();
    assert_eq!(machine.count(id, &JobState::Pending), 1);
    // The next one has put the element back, and that line is lost.
    fs::write(&journal, &noted).unwrap();
    machine = machine.restarted();
    assert_eq!(machine.count(id, &JobState::Pending), 1);
    machine.run();
    assert_eq!(machine.indices("ran"), [0]);
    assert_eq!(machine.count(id, &JobState::Completed), 1);
    assert!(!JobDir::at(&dir).all_run_marks().exists(), "the marks go with the end of the run");
}

#[test]
fn an_element_that_was_put_back_and_cancelled_leaves_no_marks() {
    let mut machine = Machine::with_cpus(1);
    let request = machine.array(1, WAIT);
    let id = machine.submit(request.clone());
    Marks { prefix: JobDir::at(&request.dir).run_marks(id, 0) }.prepare().unwrap();
    machine = machine.restarted();
    machine.cancel(id, None);
    assert_eq!(machine.count(id, &JobState::Cancelled), 1);
    assert!(!JobDir::at(&request.dir).all_run_marks().exists());
}

#[test]
fn the_exit_code_of_a_process_that_the_journal_lost_is_found_in_its_mark() {
    let mut machine = Machine::with_cpus(1);
    let request = machine.array(1, "true\n");
    let id = machine.submit(request.clone());
    let marks = Marks { prefix: JobDir::at(&request.dir).run_marks(id, 0) };
    marks.prepare().unwrap();
    let code = slurm_runner::exit::DISK_FULL;
    fs::write(RunMark::Ended { rank: 0, code }.path(&marks.prefix), "").unwrap();
    machine = machine.restarted();
    let status = machine.statuses(id).remove(0);
    assert_eq!(status.state, JobState::Failed);
    assert_eq!(status.exit.map(|exit| exit.code), Some(code.into()));
}

#[test]
fn an_end_that_a_full_disk_keeps_out_of_the_journal_is_found_by_the_next_supervisor() {
    let mut machine = Machine::with_cpus(1);
    let request = machine.array(1, "while [ ! -e go ]; do sleep 0.01; done; exit 7\n");
    let id = machine.submit(request.clone());
    machine.run_until(|machine| machine.count(id, &JobState::Running) == 1);
    machine.supervisor.fill_disk();
    machine.touch("go");
    machine.run();
    assert_eq!(machine.count(id, &JobState::Failed), 1);
    // Marks of the run are what the next supervisor knows it by, and the environment is what it would be started with.
    assert!(JobDir::at(&request.dir).all_run_marks().exists());
    machine = machine.restarted();
    machine.run();
    assert_eq!(machine.count(id, &JobState::Pending), 0, "it does not run twice");
    assert_eq!(machine.count(id, &JobState::Failed), 1);
    assert!(!JobDir::at(&request.dir).all_run_marks().exists());
}

#[test]
fn what_a_full_disk_kept_out_of_the_journal_is_written_once_there_is_room() {
    let mut machine = Machine::with_cpus(1);
    let first = machine.array(1, WAIT);
    let id = machine.submit(first.clone());
    machine.run_until(|machine| machine.count(id, &JobState::Running) == 1);
    let disk = machine.supervisor.fill_disk();
    machine.touch("go");
    machine.run();
    assert!(JobDir::at(&first.dir).all_run_marks().exists());
    machine.supervisor.empty_disk(disk);
    let next = machine.submit_array(1, "true\n");
    assert!(!JobDir::at(&first.dir).all_run_marks().exists(), "the end is noted now");
    machine.run();
    machine = machine.restarted();
    assert_eq!(machine.count(id, &JobState::Completed), 1);
    assert_eq!(machine.count(next, &JobState::Completed), 1);
}
