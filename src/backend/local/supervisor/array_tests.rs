use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use slurm_core::ids::{JobId, PreId};
use slurm_core::state::JobState;
use tempfile::TempDir;

use super::Event;
use super::scheduler::Scheduler;
use crate::backend::Indices;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::{
    ArrayRequest, JobRequest, Place, Reply, Request, Status, SystemText,
};

/// A supervisor without its socket.
struct Machine {
    dir: TempDir,
    whole: Capacity,
    scheduler: Scheduler,
    events: Receiver<Event>,
    submissions: u32,
}

const DEADLINE: Duration = Duration::from_secs(60);

impl Machine {
    fn with_cpus(cpus: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let whole = Capacity { cpus, memory_mib: 1 << 30, gpus: 2 };
        let (sender, events) = mpsc::channel();
        let place = Place::at(&dir.path().join("supervisor"));
        fs::create_dir(place.dir()).unwrap();
        let scheduler = Scheduler::new(&place, whole, sender).unwrap();
        Self { dir, whole, scheduler, events, submissions: 0 }
    }

    /// What a supervisor finds that follows one that was killed.
    fn restarted(self) -> Self {
        let Self { dir, whole, scheduler, events, submissions } = self;
        drop((scheduler, events));
        let (sender, events) = mpsc::channel();
        let place = Place::at(&dir.path().join("supervisor"));
        let scheduler = Scheduler::new(&place, whole, sender).unwrap();
        Self { dir, whole, scheduler, events, submissions }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn request(&mut self, script: &str) -> JobRequest {
        self.submissions += 1;
        let dir = self.path(&format!("job-{}", self.submissions));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("script.sh"), script).unwrap();
        JobRequest {
            within: None,
            pre_id: PreId::new(1_800_000_000, self.submissions),
            part: 0,
            array: None,
            name: format!("job-{}", self.submissions),
            script: dir.join("script.sh"),
            working_dir: self.dir.path().to_owned(),
            stdout: "/dev/null".to_owned(),
            stderr: "/dev/null".to_owned(),
            append: true,
            needs: Capacity { cpus: 1, memory_mib: 1, gpus: 0 },
            tasks: 1,
            cpus_per_task: 1,
            time_limit: None,
            warning: None,
            dependency: None,
            environment: [
                ("PATH", std::env::var("PATH").unwrap().as_str()),
                ("OF_SUBMITTER", "yes"),
            ]
            .map(|(name, value)| (SystemText(name.into()), SystemText(value.into())))
            .to_vec(),
            dir,
        }
    }

    fn array(&mut self, size: u32, script: &str) -> JobRequest {
        let array = Some(ArrayRequest { size, first: 0, max_running: None });
        JobRequest { array, ..self.request(script) }
    }

    fn submit(&mut self, request: JobRequest) -> JobId {
        match self.scheduler.handle(Request::Submit(Box::new(request))) {
            Reply::Submitted(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn submit_array(&mut self, size: u32, script: &str) -> JobId {
        let request = self.array(size, script);
        self.submit(request)
    }

    fn submit_after(&mut self, size: u32, dependency: &str, script: &str) -> JobId {
        let request = self.array(size, script);
        self.submit(JobRequest { dependency: Some(dependency.to_owned()), ..request })
    }

    fn cancel(&mut self, job: JobId, elements: Option<Indices>) {
        match self.scheduler.handle(Request::Cancel { job, elements }) {
            Reply::Done => {}
            other => panic!("{other:?}"),
        }
    }

    fn statuses(&mut self, id: JobId) -> Vec<Status> {
        match self.scheduler.handle(Request::Survey(vec![id])) {
            Reply::Statuses(statuses) => statuses,
            other => panic!("{other:?}"),
        }
    }

    /// Returns which elements of an array are in which state, for which reason.
    fn groups(&mut self, id: JobId) -> Vec<(String, Indices)> {
        let word = |status: &Status| match &status.reason {
            Some(reason) => format!("{} {reason}", status.state),
            None => status.state.to_string(),
        };
        let statuses = self.statuses(id);
        let of = |status: Status| (word(&status), status.elements.expect("it is an array"));
        let mut groups: Vec<_> = statuses.into_iter().map(of).collect();
        groups.sort();
        groups
    }

    fn count(&mut self, id: JobId, state: &JobState) -> u32 {
        let of_state = |status: &Status| status.state == *state;
        let statuses = self.statuses(id).into_iter().filter(of_state);
        let indices = statuses.flat_map(|status| status.elements.expect("it is an array"));
        indices.map(|(first, last)| last - first + 1).sum()
    }

    /// Does what the supervisor's loop does, until `done`.
    fn run_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.scheduler.advance();
            if done(self) {
                return;
            }
            let now = Instant::now();
            assert!(now < deadline, "it does not come to pass");
            let wake = self.scheduler.next_alarm().unwrap_or(deadline);
            let wait = wake.saturating_duration_since(now).min(Duration::from_millis(20));
            match self.events.recv_timeout(wait) {
                Ok(Event::Exited { job, pid, exit }) => self.scheduler.exited(job, pid, exit),
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
        }
    }

    fn run(&mut self) {
        self.run_until(|machine| !machine.scheduler.is_busy());
    }

    /// Returns the lines of a file, sorted.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Returns the indices that elements wrote into a file, sorted.
    fn indices(&self, name: &str) -> Vec<u32> {
        let mut indices: Vec<u32> =
            self.lines(name).iter().map(|line| line.parse().unwrap()).collect();
        indices.sort_unstable();
        indices
    }

    fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }
}

const NOTE: &str = "echo $SLURM_ARRAY_TASK_ID >> ran\n";

/// Notes its index, and ends once there is a file `go`.
const WAIT: &str = "echo $SLURM_ARRAY_TASK_ID >> ran\n\
                    while [ ! -e go ]; do sleep 0.01; done\n";

fn text(groups: &[(&str, &[(u32, u32)])]) -> Vec<(String, Indices)> {
    groups.iter().map(|(word, indices)| ((*word).to_owned(), indices.to_vec())).collect()
}

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
}

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
        machine.scheduler.advance();
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
        let request = Request::Find { pre_id: first.pre_id.clone(), part };
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
