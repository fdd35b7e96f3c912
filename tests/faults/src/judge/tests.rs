//! Tests of the judge: rounds described line by line, each of them without a violation or with the one that the
//! judge must find.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::{Evidence, judge};
use crate::client::{Handle, Kind, Note, Noted, Verdict};
use crate::clients::Ended;
use crate::inject::{Hit, Target};
use crate::ledger::{Line, What};
use crate::plan::{Answer, Call, Cut, Damage, Deed, Fixed, Plan, Stop, Suite, Unit, Work};

/// A round that a test describes. Times are milliseconds since its begin.
struct Round {
    plan: Plan,
    evidence: Evidence,
}

/// The error that a client gets: kind, text, exit code and signal.
type Said = (Kind, &'static str, Option<i32>, Option<i32>);

const SIGKILL: Option<i32> = Some(9);

fn call(name: &str, deed: Deed) -> Call {
    Call { name: name.to_owned(), deed, ms: 0, value: 5, ranks: 1, nodes: 1 }
}

impl Round {
    fn of(suite: Suite, work: Work) -> Self {
        let unit = Unit {
            name: "u0".to_owned(),
            client: 0,
            after_ms: 0,
            work,
            again: false,
            full_log: false,
            cancel_ms: None,
        };
        let (faults, fixed) = (Vec::new(), Fixed::default());
        let plan = Plan { suite, seed: 1, clients: 1, units: vec![unit], faults, fixed };
        let mut round = Self { plan, evidence: Evidence::default() };
        for part in 0..round.plan.units[0].work.parts().len() {
            round.note("client-0", 0, Note::Submitting { unit: "u0".to_owned(), part });
        }
        round
    }

    /// Returns a round with one job that does this.
    fn job(deed: Deed) -> Self {
        Self::of(Suite::Local, Work::Job(call("u0.job", deed)))
    }

    /// Returns a round with an array of one element, which has the items `a`, `b` and `c`.
    fn array(deeds: [Deed; 3], threads: u32) -> Self {
        let calls = ["a", "b", "c"].iter().zip(deeds).map(|(name, deed)| call(name, deed));
        let calls = calls.collect();
        Self::of(Suite::Local, Work::Array { calls, chunk: 3, threads, total: None })
    }

    fn note(&mut self, client: &str, at: u64, note: Note) {
        self.evidence.notes.entry(client.to_owned()).or_default().push(Noted { at, note });
    }

    fn ran(mut self, call: &str, pid: u32, at: u64, what: What) -> Self {
        self.line(call, Line { at, pid, rank: 0, job: 1, restart: 0, what });
        self
    }

    fn line(&mut self, call: &str, line: Line) {
        self.evidence.ledger.entry(call.to_owned()).or_default().push(line);
    }

    fn hit(mut self, at: u64, what: Target) -> Self {
        self.evidence.hits.push(Hit { fault: String::new(), at, until: at, what });
        self
    }

    fn answered(mut self, command: &str, answer: Answer, job: &str) -> Self {
        self.plan.suite = Suite::Slurm;
        self.plan.fixed.answers.push((command.to_owned(), 1, answer));
        let (command, job) = (command.to_owned(), job.to_owned());
        self.hit(10, Target::Answered { command, call: 1, job })
    }

    fn killed(self, at: u64, job: &str, pid: u32) -> Self {
        self.hit(at, Target::Runner { job: job.to_owned(), element: None, pid })
    }

    fn damaged(self, at: u64, job: &str, what: Damage) -> Self {
        let (cut, path) = (Cut::Truncate(500), PathBuf::new());
        self.hit(at, Target::File { job: job.to_owned(), what, element: None, cut, path })
    }

    fn told(mut self, call: &str, at: u64, verdict: Verdict) -> Self {
        for client in ["client-0", "last"] {
            let (call, verdict) = (call.to_owned(), verdict.clone());
            self.note(client, at, Note::Told { call, resumed: false, verdict });
        }
        self
    }

    fn value(self, call: &str, at: u64) -> Self {
        self.told(call, at, Verdict::Value(5))
    }

    fn error(self, call: &str, at: u64, said: Said) -> Self {
        self.told(call, at, error(said))
    }

    fn not_submitted(mut self, at: u64, said: Said) -> Self {
        let note = Note::NotSubmitted { unit: "u0".to_owned(), part: 0, verdict: error(said) };
        self.note("client-0", at, note);
        self
    }

    #[track_caller]
    fn is_fine(&self) {
        assert_eq!(judge(&self.plan, &self.evidence), Vec::<String>::new());
    }

    #[track_caller]
    fn is_wrong(&self, with: &str) {
        let found = judge(&self.plan, &self.evidence);
        assert!(found.iter().any(|one| one.contains(with)), "{with:?} is not in {found:#?}");
    }
}

fn error((kind, text, exit_code, signal): Said) -> Verdict {
    Verdict::Error { kind, text: text.to_owned(), exit_code, signal }
}

const SUPERVISOR: Target = Target::Supervisor { pid: 99 };
const CRASHED: Said = (Kind::Crashed, "", None, None);

#[test]
fn a_value_needs_a_run_that_returned() {
    let returned = || Round::job(Deed::Return).ran("u0.job", 7, 10, What::Began);
    returned().ran("u0.job", 7, 20, What::Returned).value("u0.job", 30).is_fine();
    returned().value("u0.job", 30).is_wrong("not all of its processes have returned");
    // The run returned after the client got the value.
    returned().ran("u0.job", 7, 40, What::Returned).value("u0.job", 30).is_wrong("not all");
    let verdict = Verdict::Value(6);
    returned()
        .ran("u0.job", 7, 20, What::Returned)
        .told("u0.job", 30, verdict)
        .is_wrong("6 instead of 5");
    let fails = Round::job(Deed::Exit(7)).ran("u0.job", 7, 20, What::Returned);
    fails.value("u0.job", 30).is_wrong("though the call must fail");
}

#[test]
fn a_value_needs_all_processes() {
    let both = Call { ranks: 2, ..call("u0.job", Deed::Return) };
    let mut round = Round::of(Suite::Local, Work::Job(both)).ran("u0.job", 7, 20, What::Returned);
    round = round.value("u0.job", 30);
    round.is_wrong("not all of its processes");
    let line = Line { at: 25, pid: 8, rank: 1, job: 1, restart: 0, what: What::Returned };
    round.line("u0.job", Line { job: 2, ..line.clone() });
    round.is_wrong("not all of its processes");
    round.line("u0.job", line);
    // The line of another job is a violation only with a line that says it began.
    round.is_fine();
}

#[test]
fn an_exit_code_must_be_right() {
    let ended = || {
        let round = Round::job(Deed::Exit(7)).ran("u0.job", 7, 10_000, What::Began);
        round.ran("u0.job", 7, 20_000, What::Failed)
    };
    ended().error("u0.job", 30_000, (Kind::Crashed, "", Some(7), None)).is_fine();
    ended().error("u0.job", 30_000, (Kind::Crashed, "", Some(121), None)).is_wrong("Crashed");
    ended().error("u0.job", 30_000, (Kind::NodeFailed, "", Some(7), None)).is_wrong("NodeFailed");
    ended().error("u0.job", 30_000, (Kind::Crashed, "", None, SIGKILL)).is_wrong("Crashed");
    ended().error("u0.job", 30_000, CRASHED).is_wrong("Crashed");
    let unseen = |at| ended().hit(at, SUPERVISOR).error("u0.job", 30_000, CRASHED);
    unseen(15_000).is_fine();
    // The supervisor was killed before the call began, after its end was noted, and after the verdict.
    unseen(1000).is_wrong("Crashed");
    unseen(28_000).is_wrong("Crashed");
    unseen(31_000).is_wrong("Crashed");
    // A known exit code does not change because a supervisor was killed.
    let other = ended().hit(15_000, SUPERVISOR);
    other.error("u0.job", 30_000, (Kind::Crashed, "", Some(3), None)).is_wrong("Crashed");
}

#[test]
fn an_error_must_be_of_the_call() {
    let failed = |deed| Round::job(deed).ran("u0.job", 7, 10, What::Failed);
    failed(Deed::Fail)
        .error("u0.job", 30, (Kind::Failed, "u0.job fails as planned", None, None))
        .is_fine();
    failed(Deed::Fail)
        .error("u0.job", 30, (Kind::Failed, "u1.job fails as planned", None, None))
        .is_wrong("Failed");
    failed(Deed::Fail)
        .error("u0.job", 30, (Kind::Crashed, "", Some(121), None))
        .is_wrong("Crashed");
    failed(Deed::Panic)
        .error("u0.job", 30, (Kind::Failed, "u0.job panics as planned", None, None))
        .is_fine();
    let returned = Round::job(Deed::Return).ran("u0.job", 7, 10, What::Returned);
    returned.error("u0.job", 30, (Kind::Lost, "", None, None)).is_wrong("Lost");
    let early = Round::job(Deed::Overrun).ran("u0.job", 7, 100, What::Began);
    early.error("u0.job", 200, (Kind::TimedOut, "", None, None)).is_wrong("TimedOut");
    let in_time = Round::job(Deed::Checkpoint(9)).ran("u0.job", 7, 100, What::Began);
    in_time.error("u0.job", 9000, (Kind::TimedOut, "", None, None)).is_wrong("TimedOut");
}

#[test]
fn a_kill_explains_only_the_job_that_it_hit() {
    let began = || Round::job(Deed::Return).ran("u0.job", 7, 10_000, What::Began);
    let by_signal = (Kind::Crashed, "", None, SIGKILL);
    began().killed(10_005, "u0.job", 7).error("u0.job", 30_000, by_signal).is_fine();
    began().killed(10_005, "u1.job", 7).error("u0.job", 30_000, by_signal).is_wrong("Crashed");
    began().killed(30_500, "u0.job", 7).error("u0.job", 30_000, by_signal).is_wrong("Crashed");
    began().killed(10_005, "u0.job", 7).error("u0.job", 30_000, CRASHED).is_wrong("Crashed");
    let unseen = began().killed(10_005, "u0.job", 7).hit(10_004, SUPERVISOR);
    unseen.error("u0.job", 30_000, CRASHED).is_fine();
    for kind in [Kind::NodeFailed, Kind::Lost, Kind::Cancelled, Kind::Corrupt, Kind::NotStarted] {
        let round = began().killed(10_005, "u0.job", 7).hit(10_004, SUPERVISOR);
        round.error("u0.job", 30_000, (kind, "", None, None)).is_wrong("which has no explanation");
    }
    let never_began = Round::job(Deed::Return).killed(10_005, "u0.job", 7);
    never_began.error("u0.job", 30_000, (Kind::NotStarted, "", None, SIGKILL)).is_fine();
}

#[test]
fn an_item_that_has_ended_outlives_its_process() {
    let killed = |threads| {
        let round = Round::array([Deed::Return, Deed::Return, Deed::Return], threads);
        let round = round.ran("a", 7, 10, What::Began).ran("a", 7, 20, What::Returned);
        let round = round.ran("b", 7, 30, What::Began).killed(40, "u0.array", 7);
        let died = (Kind::Crashed, "", None, SIGKILL);
        round.error("b", 50, died).error("c", 50, died)
    };
    killed(1).value("a", 50).is_fine();
    killed(1).error("a", 50, (Kind::Crashed, "", None, SIGKILL)).is_wrong("got for a: Crashed");
    // Another thread may have begun `b`.
    killed(2).error("a", 50, (Kind::Crashed, "", None, SIGKILL)).is_fine();
}

#[test]
fn an_exit_ends_only_the_items_of_its_process() {
    let exits = || {
        let round = Round::array([Deed::Exit(3), Deed::Return, Deed::Return], 1);
        round.ran("a", 7, 10, What::Began).ran("a", 7, 20, What::Failed)
    };
    let died = (Kind::Crashed, "", Some(3), None);
    let all = exits().error("a", 50, died).error("b", 50, died);
    all.error("c", 50, died).is_fine();
    let other = exits().error("a", 50, died).error("c", 50, died).ran("b", 8, 15, What::Began);
    other.error("b", 50, died).is_wrong("got for b: Crashed");
}

#[test]
fn a_dependency_has_failed_only_if_its_own_verdict_says_so() {
    let chain = || {
        let calls = vec![call("u0.0", Deed::Fail), call("u0.1", Deed::Return)];
        let round = Round::of(Suite::Local, Work::Chain(calls));
        round.ran("u0.0", 7, 10, What::Failed)
    };
    let failed = (Kind::Failed, "u0.0 fails as planned", None, None);
    let waited = (Kind::DependencyFailed, "", None, None);
    chain().error("u0.0", 20, failed).error("u0.1", 30, waited).is_fine();
    let calls = vec![call("u0.0", Deed::Return), call("u0.1", Deed::Return)];
    let well = Round::of(Suite::Local, Work::Chain(calls)).ran("u0.0", 7, 10, What::Returned);
    let round = well.value("u0.0", 20).error("u0.1", 30, waited);
    round.is_wrong("got for u0.1: DependencyFailed");
    round.hit(5, Target::Disk).is_wrong("got for u0.1: DependencyFailed");
}

#[test]
fn a_damaged_file_explains_only_its_own_errors() {
    let done = || Round::job(Deed::Return).ran("u0.job", 7, 10, What::Returned);
    let corrupt = (Kind::Corrupt, "", None, None);
    done().damaged(20, "u0.job", Damage::Result).error("u0.job", 30, corrupt).is_fine();
    done().damaged(40, "u0.job", Damage::Result).error("u0.job", 30, corrupt).is_wrong("Corrupt");
    done().damaged(20, "u1.job", Damage::Result).error("u0.job", 30, corrupt).is_wrong("Corrupt");
    let died = (Kind::Crashed, "", Some(0), None);
    done().damaged(20, "u0.job", Damage::Result).error("u0.job", 30, died).is_wrong("Crashed");
    let spec = (Kind::NotStarted, "", Some(110), None);
    let unread = || Round::job(Deed::Return).damaged(5, "u0.job", Damage::Spec);
    unread().error("u0.job", 30, spec).is_fine();
    unread().error("u0.job", 30, corrupt).is_wrong("Corrupt");
    unread().ran("u0.job", 7, 10, What::Began).error("u0.job", 30, spec).is_wrong("NotStarted");
}

#[test]
fn a_call_that_has_begun_is_never_not_started() {
    // The spec was damaged before the second run.
    let requeued = || {
        let round = Round::job(Deed::Requeue(1)).ran("u0.job", 7, 10, What::Requeued);
        round.damaged(20, "u0.job", Damage::Spec)
    };
    let said = |kind| (kind, "job 1 (t) ended: cannot use /d/spec: cut", None, None);
    requeued().error("u0.job", 30, said(Kind::NotStarted)).is_wrong("NotStarted");
    requeued().error("u0.job", 30, said(Kind::Crashed)).is_fine();
    // The workflow began in another job, which resumed it.
    let flow = || {
        let work =
            Work::Flow { call: call("f", Deed::Return), jobs: Vec::new(), array: Vec::new() };
        let mut round = Round::of(Suite::Local, work).damaged(5, "f", Damage::Spec);
        round.line("f", Line { at: 20, pid: 7, rank: 0, job: 2, restart: 0, what: What::Began });
        round
    };
    flow().error("f", 30, said(Kind::NotStarted)).is_fine();
    let other = (Kind::NotStarted, "job 2 (t) ended: cannot use /d/spec: cut", None, None);
    flow().error("f", 30, other).is_wrong("NotStarted");
    // Another item of the element had begun before the spec was damaged, so the element had begun.
    let array = |end: What| {
        let round = Round::array([Deed::Requeue(1), Deed::Return, Deed::Return], 1);
        let round = round.ran("a", 7, 10, end).damaged(20, "u0.array", Damage::Spec);
        let said = (Kind::Crashed, "", Some(110), None);
        round.error("a", 30, said).error("c", 30, said).error("b", 30, said)
    };
    array(What::Requeued).is_fine();
}

#[test]
fn an_attempt_that_was_killed_before_its_start_is_not_started() {
    let again = |told| {
        let round = Round::array([Deed::Exit(3), Deed::Return, Deed::Return], 3);
        let mut round = round.ran("a", 7, 10, What::Failed);
        let crashed = error((Kind::Crashed, "", Some(3), None));
        round.note(
            "client-0",
            20,
            Note::Told { call: "a".to_owned(), resumed: false, verdict: crashed },
        );
        round.note("client-0", 30, Note::Again { unit: "u0".to_owned() });
        let round = round.killed(40, "u0.array", 8);
        let verdict = error((Kind::NotStarted, "", None, SIGKILL));
        let round = round.told("a", told, verdict.clone());
        round.told("b", told, verdict.clone()).told("c", told, verdict)
    };
    again(50).is_fine();
    // The verdict came before the kill.
    again(35).is_wrong("got for a: NotStarted");
}

#[test]
fn a_value_that_was_read_before_the_damage_may_precede_an_error() {
    let told = |returned, damaged| {
        let round = Round::array([Deed::Return, Deed::Return, Deed::Return], 1);
        let mut round = round.ran("a", 7, returned, What::Returned);
        round = round.damaged(damaged, "u0.array", Damage::Segment);
        let mut tell = |client: &str, at, verdict| {
            round.note(client, at, Note::Told { call: "a".to_owned(), resumed: false, verdict });
        };
        tell("client-0", 90_000, Verdict::Value(5));
        tell("last", 95_000, error((Kind::Corrupt, "", None, None)));
        round
    };
    told(10_000, 20_000).is_fine();
    told(30_000, 20_000).is_wrong("got None and then last got Some(Corrupt)");
}

#[test]
fn the_error_of_a_full_disk_must_name_it() {
    let full = |at, text| {
        let round = Round::job(Deed::Return).ran("u0.job", 7, 10, What::Returned);
        round.hit(at, Target::Disk).error("u0.job", 30, (Kind::Crashed, text, Some(116), None))
    };
    full(20, "the disk is full").is_fine();
    full(20, "").is_wrong("Crashed");
    full(40, "the disk is full").is_wrong("Crashed");
}

#[test]
fn lost_lines_of_the_journal_explain_only_lost_ends() {
    let lost = |jobs: &[&str], ended: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Target::Journal { jobs: names(jobs), ended: names(ended) }
    };
    let told = |what: Target, said| {
        let round = Round::job(Deed::Exit(7)).ran("u0.job", 7, 10, What::Failed).hit(20, what);
        round.error("u0.job", 30, said)
    };
    let gone = (Kind::Lost, "", None, None);
    told(lost(&["u0.job"], &["u0.job"]), gone).is_fine();
    told(lost(&["u0.job"], &[]), gone).is_wrong("Lost");
    told(lost(&["u1.job"], &["u1.job"]), gone).is_wrong("Lost");
    told(lost(&["u0.job"], &[]), CRASHED).is_fine();
    told(lost(&["u1.job"], &[]), CRASHED).is_wrong("Crashed");
}

#[test]
fn only_a_call_that_was_cancelled_may_be_cancelled() {
    let cancelled = |at, told| {
        let mut round = Round::job(Deed::Return).ran("u0.job", 7, 1000, What::Returned);
        round.note("client-0", at, Note::Cancelling { unit: "u0".to_owned() });
        round.error("u0.job", told, (Kind::Cancelled, "", None, None))
    };
    cancelled(900, 3000).is_fine();
    cancelled(9000, 9500).is_wrong("Cancelled");
    cancelled(4000, 3000).is_wrong("Cancelled");
}

#[test]
fn a_refusal_has_the_message_of_sbatch_and_no_job() {
    let refused = (Kind::Refused, "sbatch refused the job: no such quota", None, None);
    let words = || "no such quota".to_owned();
    let round = |answer, job: &str| Round::job(Deed::Return).answered("sbatch", answer, job);
    round(Answer::Fails(words()), "u0.job").not_submitted(30, refused).is_fine();
    round(Answer::Fails(words()), "u1.job").not_submitted(30, refused).is_wrong("not submitted");
    round(Answer::Fails("other".to_owned()), "u0.job")
        .not_submitted(30, refused)
        .is_wrong("not submitted");
    // sbatch has made a job.
    round(Answer::FailsAfter(words()), "u0.job")
        .not_submitted(30, refused)
        .is_wrong("not submitted");
    let ran = round(Answer::Fails(words()), "u0.job").ran("u0.job", 7, 20, What::Began);
    ran.not_submitted(30, refused).is_wrong("has no job, but u0.job ran");
    let unknown = (Kind::Unknown, "", None, None);
    round(Answer::Hangs, "u0.job").not_submitted(30, unknown).is_fine();
    round(Answer::DiesAfter, "u0.job").not_submitted(30, unknown).is_wrong("not submitted");
    Round::job(Deed::Return).not_submitted(30, unknown).is_wrong("not submitted");
}

#[test]
fn only_a_stopped_slurmd_explains_a_lost_node() {
    let round = |name: &str| {
        let what = Target::Daemon { name: name.to_owned(), how: Stop::Kill };
        let round = Round::job(Deed::Return).ran("u0.job", 7, 10, What::Began).hit(20, what);
        round.error("u0.job", 30, (Kind::NodeFailed, "", None, None))
    };
    round("slurmd-n1").is_fine();
    round("slurmdbd").is_wrong("NodeFailed");
}

#[test]
fn a_verdict_does_not_change_later() {
    let mut round = Round::job(Deed::Exit(7)).ran("u0.job", 7, 10_000, What::Began);
    round = round.ran("u0.job", 7, 20_000, What::Failed).hit(15_000, SUPERVISOR);
    round = round.error("u0.job", 30_000, (Kind::Crashed, "", Some(7), None));
    round.is_fine();
    let verdict = error((Kind::Lost, "", None, None));
    let note = Note::Told { call: "u0.job".to_owned(), resumed: false, verdict };
    round.note("finder-1", 31_000, note);
    round.is_wrong("client-0 got Some(Crashed) and then finder-1 got Some(Lost)");
    // The verdict may change if the journal had the end of the job and lost that line.
    let lost =
        |name: &str| Target::Journal { jobs: vec![name.to_owned()], ended: vec![name.to_owned()] };
    let round = round.hit(30_500, lost("u1.job"));
    round.is_wrong("and then finder-1 got Some(Lost)");
    round.hit(30_500, lost("u0.job")).is_fine();
}

#[test]
fn the_last_client_needs_a_verdict_on_every_submission() {
    let mut round = Round::job(Deed::Return).ran("u0.job", 7, 10, What::Returned);
    let handle = serde_json::json!({ "Job": {
        "submission_id": "20260101_000000_00000001", "job_id": 1, "task": "t", "signature": 1, "dir": "/d",
    }});
    let Ok(handle) = serde_json::from_value::<Handle>(handle) else {
        panic!("the handle is invalid")
    };
    round.note("client-0", 5, Note::Submitted { unit: "u0".to_owned(), part: 0, handle });
    round.is_wrong("the last client has no verdict on u0.job");
    round.value("u0.job", 30).is_fine();
}

#[test]
fn a_call_runs_once() {
    let began = |pid, at, job, restart| Line { at, pid, rank: 0, job, restart, what: What::Began };
    let twice = |deed, end: Option<What>, second: Line| {
        let mut round = Round::job(deed);
        round.line("u0.job", began(7, 10, 1, 0));
        if let Some(what) = end {
            round.line("u0.job", Line { at: 20, what, ..began(7, 10, 1, 0) });
        }
        round.line("u0.job", second);
        round
    };
    let returned = Some(What::Returned);
    twice(Deed::Return, returned, began(8, 30, 1, 0)).is_wrong("in the same run of its job");
    twice(Deed::Return, returned, began(8, 30, 1, 1)).is_wrong("without a requeue");
    twice(Deed::Return, returned, began(8, 30, 2, 0)).is_wrong("as two jobs");
    twice(Deed::Return, returned, began(8, 15, 2, 0)).is_wrong("both at the same time");
    let requeued = Some(What::Requeued);
    twice(Deed::Requeue(1), requeued, began(8, 30, 1, 1)).is_fine();
    twice(Deed::Requeue(1), requeued, began(8, 15, 1, 1)).is_wrong("both at the same time");
    twice(Deed::Requeue(1), requeued, began(8, 30, 1, 2)).is_wrong("without a requeue");
    twice(Deed::Requeue(1), None, began(8, 30, 1, 1)).is_wrong("without a requeue");
    twice(Deed::Checkpoint(9), None, began(8, 30, 1, 1)).is_fine();
    let away = Target::Daemon { name: "slurmctld".to_owned(), how: Stop::Term };
    twice(Deed::Return, returned, began(8, 30, 1, 1)).hit(25, away.clone()).is_fine();
    twice(Deed::Return, returned, began(8, 30, 1, 1)).hit(40, away).is_wrong("without a requeue");
}

#[test]
fn only_an_item_without_a_value_is_retried() {
    let again = |deed, what, said: Option<Said>| {
        let mut round = Round::array([deed, Deed::Return, Deed::Return], 1);
        round.note("client-0", 40, Note::Again { unit: "u0".to_owned() });
        round = round.ran("a", 7, 10, What::Began).ran("a", 7, 20, what);
        round = match said {
            Some(said) => round.error("a", 30, said),
            None => round.value("a", 30),
        };
        round.line("a", Line { at: 50, pid: 8, rank: 0, job: 2, restart: 0, what: What::Began });
        round
    };
    let failed = (Kind::Failed, "a fails as planned", None, None);
    again(Deed::Fail, What::Failed, Some(failed)).is_fine();
    again(Deed::Return, What::Returned, None).is_wrong("a ran twice: as two jobs");
}

#[test]
fn a_client_must_succeed_or_be_killed() {
    let ended = |killed, status| {
        let mut round = Round::job(Deed::Return);
        let status = Some(ExitStatus::from_raw(status));
        round.evidence.ended.push(Ended { name: "client-0".to_owned(), killed, status });
        round
    };
    ended(false, 0).is_fine();
    ended(true, 9).is_fine();
    ended(false, 9).is_wrong("client-0 ended with");
    ended(true, 101 << 8).is_wrong("client-0 ended with");
}

#[test]
fn files_that_are_left_are_violations() {
    let dir = std::env::temp_dir().join(format!("slurm-faults-judge-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("base/environments")).unwrap();
    let judged = |name: &str, text: &str, hits: &[Target]| {
        let path = dir.join("base").join(name);
        std::fs::write(&path, text).unwrap();
        let mut round = Round::job(Deed::Return);
        round.evidence.dir.clone_from(&dir);
        for hit in hits {
            round = round.hit(10, hit.clone());
        }
        let found = judge(&round.plan, &round.evidence).join("\n");
        std::fs::remove_file(&path).unwrap();
        found
    };
    let temporary = ".spec.77.00000000000000ab.tmp";
    let client = |pid| Target::Client { name: "client-0".to_owned(), pid };
    assert!(judged(temporary, "", &[]).contains("is left"));
    assert!(judged(temporary, "", &[client(78), Target::Disk]).contains("is left"));
    assert_eq!(judged(temporary, "", &[client(77)]), "");
    assert!(judged("environments/1", "", &[SUPERVISOR]).contains("though its job has ended"));
    let panic = "thread 'main' panicked at src/lib.rs:1:1:\n";
    assert!(judged("slurm-1.err", panic, &[SUPERVISOR]).contains("reports a panic"));
    let planned = format!("{panic}u0.job panics as planned\n");
    assert_eq!(judged("slurm-1.err", &planned, &[]), "");
    std::fs::remove_dir_all(&dir).unwrap();
}
