//! Random faults.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::Suite;
use super::workload::Unit;
use crate::shared_fs::{Locks, Policy};

/// A fault, and the time at which it is injected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timed {
    /// The fault comes after this many steps of the round: submissions, and begins and ends of calls. Steps
    /// make it independent of the speed of the machine.
    pub(crate) step: u64,
    /// The delay after that step.
    pub(crate) ms: u64,
    pub(crate) fault: Fault,
}

/// The faults. `pick` chooses among the processes or files that exist when the fault is injected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// `kill -9` of a program that waits for its jobs.
    KillClient { pick: usize },
    /// `kill -9` of a process of a job.
    KillRunner { pick: usize },
    /// `kill -9` of the supervisor; the next client starts another one.
    KillSupervisor,
    /// `kill -9` of the supervisor and of a runner, so that no supervisor sees the end of the runner.
    KillBoth { pick: usize },
    /// `kill -9` of the supervisor, whose journal loses its end or gets a wrong bit.
    CutJournal(Cut),
    /// Bytes of a file change.
    Damage { what: Damage, pick: usize, cut: Cut },
    /// The disk of the job base directory is full for this time.
    FillDisk { ms: u64 },
    /// Another process waits for all submissions so far.
    Attach,
    /// Another process reads the logs of all submissions so far.
    Follow,
    /// The connections over SSH are cut after this many more bytes.
    CutConnection { bytes: u64, to_host: bool },
    /// The connections over SSH freeze for this time, after this many more bytes to the host.
    FreezeConnection { bytes: u64, ms: u64 },
    /// `kill -9` of a shell that serves a connection, or of its sshd.
    KillShell { pick: usize, sshd: bool },
    /// The file server does not answer for this time. It may carry out a request without an answer before.
    FileServerAway { ms: u64, forgetful: bool },
    /// Each request to the file server is delayed for some time.
    FileServerSlow { ms: u64, delay_ms: u64 },
    /// A daemon is stopped, and started again after this time.
    StopDaemon { name: String, how: Stop, ms: u64 },
}

impl Fault {
    /// Returns the name of the fault in tables.
    pub(crate) fn name(&self) -> String {
        let name = match self {
            Self::KillClient { .. } => "client killed",
            Self::KillRunner { .. } => "runner killed",
            Self::KillSupervisor => "supervisor killed",
            Self::KillBoth { .. } => "supervisor and runner killed",
            Self::CutJournal(Cut::Truncate(_)) => "journal lost its end",
            Self::CutJournal(Cut::Flip(_)) => "journal damaged",
            Self::Damage { what: Damage::Spec, .. } => "spec damaged",
            Self::Damage { what: Damage::Result, .. } => "result damaged",
            Self::Damage { what: Damage::Segment, .. } => "segment damaged",
            Self::FillDisk { .. } => "disk full",
            Self::Attach => "second client",
            Self::Follow => "follower of logs",
            Self::CutConnection { .. } => "connection cut",
            Self::FreezeConnection { .. } => "connection frozen",
            Self::KillShell { sshd: false, .. } => "remote shell killed",
            Self::KillShell { sshd: true, .. } => "sshd killed",
            Self::FileServerAway { .. } => "file server away",
            Self::FileServerSlow { .. } => "file server slow",
            Self::StopDaemon { name, how, .. } => {
                let how = match how {
                    Stop::Term => "stopped",
                    Stop::Kill => "killed",
                    Stop::Freeze => "frozen",
                };
                return format!("{name} {how}");
            }
        };
        name.to_owned()
    }
}

/// How a daemon stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    /// `kill`: the daemon ends by itself.
    Term,
    /// `kill -9`.
    Kill,
    /// `kill -STOP`: the daemon exists, but does not answer.
    Freeze,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Damage {
    Spec,
    Result,
    Segment,
}

/// How a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Cut {
    /// The file is truncated to this many thousandths.
    Truncate(u16),
    /// A bit of the byte at this thousandth is flipped.
    Flip(u16),
}

/// The conditions of a whole round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fixed {
    /// The job base directory is on a file system of this many MiB.
    pub(crate) small_disk: Option<u32>,
    /// The answers to the n-th call of a command.
    pub(crate) answers: Vec<(String, usize, Answer)>,
    /// The caches of the hosts that share a file system.
    pub(crate) shared_fs: Option<Policy>,
}

/// The planned answer to one call of a Slurm command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Fails with this message, and the command does not run.
    Fails(String),
    /// The command runs, but this message and a failure replace its output.
    FailsAfter(String),
    /// The command runs and prints its output, but then the wrapper fails with this message.
    FailsWith(String),
    /// The command runs after a delay of this many seconds.
    Slow(u32),
    /// The command does not run, and the wrapper hangs.
    Hangs,
    /// The command runs without output, and then the wrapper hangs.
    HangsAfter,
    /// The wrapper is killed before the command runs.
    Dies,
    /// The wrapper is killed after the command ran.
    DiesAfter,
}

impl Answer {
    /// Returns the name of this answer to `command` in tables.
    pub(crate) fn name(&self, command: &str) -> String {
        let what = match self {
            Self::Fails(_) => "fails",
            Self::FailsAfter(_) => "fails after its work",
            Self::FailsWith(_) => "fails after its answer",
            Self::Slow(_) => "is slow",
            Self::Hangs => "hangs",
            Self::HangsAfter => "hangs after its work",
            Self::Dies => "is killed",
            Self::DiesAfter => "is killed after its work",
        };
        format!("{command} {what}")
    }
}

impl Fixed {
    pub(super) fn new(suite: Suite, rng: &mut Rng) -> Self {
        let small_disk = (suite == Suite::Local && rng.u8(0..6) == 0).then_some(96);
        let answers = match suite {
            Suite::Slurm => answers(rng),
            Suite::SharedFs if rng.bool() => answers(rng),
            _ => Vec::new(),
        };
        let shared_fs = (suite == Suite::SharedFs).then(|| policy(rng));
        Self { small_disk, answers, shared_fs }
    }
}

/// The number of calls of each command that can get a planned answer.
pub(crate) const CALLS: usize = 12;

/// The messages with which Slurm's commands fail.
const WORDS: &[(&str, &[&str])] = &[
    (
        "sbatch",
        &[
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
            "sbatch: error: Batch job submission failed: Protocol authentication error",
            "sbatch: error: Batch job submission failed: Transport endpoint is not connected",
            "site policy: the quota of your project cannot be checked",
        ],
    ),
    (
        "squeue",
        &[
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            "slurm_load_jobs error: Socket timed out on send/recv operation",
            "slurm_load_jobs error: Zero Bytes were transmitted or received",
        ],
    ),
    (
        "sacct",
        &[
            "sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:localhost:6819: Connection refused",
            "sacct: error: Problem talking to the database: Connection refused",
        ],
    ),
    (
        "scancel",
        &[
            "scancel: error: Kill job error on job id 1: Unable to contact slurm controller (connect failure)",
        ],
    ),
    (
        "scontrol",
        &["slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)"],
    ),
];

fn answers(rng: &mut Rng) -> Vec<(String, usize, Answer)> {
    (0..rng.usize(1..=5))
        .map(|_| {
            // Half of the answers are for sbatch, whose failures matter most.
            let (command, words) = if rng.bool() { WORDS[0] } else { WORDS[rng.usize(1..5)] };
            let text = words[rng.usize(0..words.len())].to_owned();
            let answer = match rng.u8(0..11) {
                0..=2 => Answer::Fails(text),
                3..=5 => Answer::FailsAfter(text),
                6 => Answer::FailsWith(text),
                7 => Answer::Slow(rng.u32(1..8)),
                8 => Answer::Dies,
                9 => Answer::DiesAfter,
                _ if rng.bool() => Answer::Hangs,
                _ => Answer::HangsAfter,
            };
            // The numbers of calls that a round usually makes.
            let first = match command {
                "squeue" | "sacct" => CALLS,
                "sbatch" => 5,
                "scontrol" => 3,
                _ => 1,
            };
            (command.to_owned(), rng.usize(1..=first), answer)
        })
        .collect()
}

pub(super) fn faults(suite: Suite, units: &[Unit], fixed: &Fixed, rng: &mut Rng) -> Vec<Timed> {
    let calls: usize = units.iter().map(|unit| unit.work.calls().len()).sum();
    let steps = (units.len() * 2 + calls * 2) as u64;
    let count = rng.usize(1..=4);
    let mut faults: Vec<Timed> = (0..count)
        .map(|_| Timed {
            step: rng.u64(0..steps),
            ms: if rng.bool() { 0 } else { rng.u64(0..120) },
            fault: match suite {
                Suite::Local => local(fixed.small_disk.is_some(), rng),
                Suite::Slurm => anywhere(rng),
                Suite::Ssh => ssh(rng),
                Suite::Daemons => daemons(rng),
                Suite::SharedFs => shared_fs(rng),
            },
        })
        .collect();
    faults.sort_by_key(|timed| timed.step);
    faults
}

fn local(small_disk: bool, rng: &mut Rng) -> Fault {
    match rng.u8(0..16) {
        // A small disk is there to be filled.
        _ if small_disk && rng.bool() => Fault::FillDisk { ms: rng.u64(100..1500) },
        0..=4 => Fault::KillSupervisor,
        5..=6 => Fault::KillBoth { pick: rng.usize(0..100) },
        7..=8 => Fault::CutJournal(cut(rng)),
        _ => anywhere(rng),
    }
}

fn ssh(rng: &mut Rng) -> Fault {
    // A submission has about ten kilobytes, a staged program a few megabytes.
    let bytes = |rng: &mut Rng| if rng.bool() { rng.u64(0..40_000) } else { rng.u64(0..4_000_000) };
    match rng.u8(0..10) {
        0..=3 => Fault::CutConnection { bytes: bytes(rng), to_host: rng.bool() },
        4..=5 => Fault::FreezeConnection { bytes: bytes(rng), ms: rng.u64(500..8000) },
        6..=7 => Fault::KillShell { pick: rng.usize(0..100), sshd: rng.bool() },
        _ => anywhere(rng),
    }
}

fn daemons(rng: &mut Rng) -> Fault {
    let (name, how) = match rng.u8(0..8) {
        0..=1 => ("slurmctld", Stop::Term),
        2 => ("slurmctld", Stop::Freeze),
        3 => ("slurmdbd", Stop::Kill),
        4 => ("slurmdbd", Stop::Freeze),
        5 => ("munged", Stop::Kill),
        6 => ("slurmd-n1", Stop::Kill),
        _ => return anywhere(rng),
    };
    Fault::StopDaemon { name: name.to_owned(), how, ms: rng.u64(200..6000) }
}

/// Returns cache times that are longer than a job. Most are shorter than those of NFS (up to 60 s) to keep the
/// round short.
fn policy(rng: &mut Rng) -> Policy {
    let locks = [Locks::NotGranted, Locks::Unknown, Locks::Refused];
    let is_usual = rng.u8(0..8) == 0;
    Policy {
        files_ms: rng.u64(1000..=8000),
        names_ms: if is_usual { 60_000 } else { rng.u64(1000..=20_000) },
        flush_ms: rng.u64(1000..=20_000),
        locks: locks[rng.usize(0..3)],
        delay_ms: rng.u64(0..3),
        ..Policy::default()
    }
}

fn shared_fs(rng: &mut Rng) -> Fault {
    match rng.u8(0..10) {
        0..=3 => Fault::FileServerAway { ms: rng.u64(200..8000), forgetful: rng.bool() },
        4 => Fault::FileServerSlow { ms: rng.u64(500..8000), delay_ms: rng.u64(5..150) },
        _ => anywhere(rng),
    }
}

fn anywhere(rng: &mut Rng) -> Fault {
    match rng.u8(0..10) {
        0..=2 => Fault::KillClient { pick: rng.usize(0..100) },
        3..=5 => Fault::KillRunner { pick: rng.usize(0..100) },
        6 if rng.bool() => Fault::Attach,
        6 => Fault::Follow,
        7 => Fault::Damage { what: Damage::Spec, pick: rng.usize(0..100), cut: cut(rng) },
        8 => Fault::Damage { what: Damage::Result, pick: rng.usize(0..100), cut: cut(rng) },
        _ => Fault::Damage { what: Damage::Segment, pick: rng.usize(0..100), cut: cut(rng) },
    }
}

fn cut(rng: &mut Rng) -> Cut {
    if rng.bool() { Cut::Truncate(rng.u16(0..1000)) } else { Cut::Flip(rng.u16(0..1000)) }
}
