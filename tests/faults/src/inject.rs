//! Injects the faults of a schedule, and notes their targets.

mod damage;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::ledger;
use crate::plan::{Cut, Damage, Fault, Plan, Stop, Timed};
use crate::processes::{self, Process};
use crate::proxy::Proxy;
use crate::shared_fs::{self, Directory, Policy};
use crate::{daemons, ssh};

/// The target of a fault, with times in milliseconds since the epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hit {
    /// The name of the fault.
    pub(crate) fault: String,
    pub(crate) at: u64,
    /// The time at which the fault was over.
    pub(crate) until: u64,
    pub(crate) what: Target,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Target {
    Client {
        name: String,
        pid: u32,
    },
    Supervisor {
        pid: u32,
    },
    /// A process of the job with this name.
    Runner {
        job: String,
        element: Option<u64>,
        pid: u32,
    },
    /// The journal of the supervisor lost lines of jobs with these names.
    Journal {
        jobs: Vec<String>,
        /// The jobs among them that had ended.
        ended: Vec<String>,
    },
    /// A file of the submission with this name.
    File {
        job: String,
        what: Damage,
        element: Option<u64>,
        cut: Cut,
        path: PathBuf,
    },
    /// The disk of the base directory was full.
    Disk,
    /// A command of Slurm got a planned answer. The wrapper writes this note.
    Answered {
        command: String,
        call: usize,
        /// The job that sbatch submitted, or in which scontrol was called.
        job: String,
    },
    /// Connections over SSH.
    Connection,
    Shell {
        pid: u32,
    },
    FileServer {
        forgetful: bool,
        until: u64,
    },
    Daemon {
        name: String,
        how: Stop,
    },
    /// Another client was started.
    Joined {
        name: String,
    },
    /// The fault found no target.
    Nothing(Fault),
}

/// The longest wait of a fault for a target.
const PATIENCE: Duration = Duration::from_secs(4);

/// The parts of a round that the faults of its schedule hit.
pub(crate) struct Injector<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) round: &'a Path,
    pub(crate) clients: &'a Clients,
    /// Whether the base directory is a small file system.
    pub(crate) small_disk: bool,
    pub(crate) proxy: Option<&'a Proxy>,
    pub(crate) shared_fs: Option<&'a Directory>,
}

impl Injector<'_> {
    /// Injects the faults of the schedule until all clients have ended.
    pub(crate) fn run(&self, deadline: Instant) {
        for timed in &self.plan.faults {
            if !self.wait_for(timed, deadline) {
                return;
            }
            let (at, hits) = self.happen(&timed.fault, deadline);
            for what in hits {
                let hit = Hit { fault: timed.fault.name(), at, until: ledger::now(), what };
                ledger::append(self.round, &self.round.join("hits"), &hit);
            }
        }
    }

    /// Waits until a fault is due. Returns false if the clients have ended or the deadline has passed before
    /// that.
    fn wait_for(&self, timed: &Timed, deadline: Instant) -> bool {
        while ledger::steps(self.round) < timed.step {
            if Instant::now() > deadline || self.clients.have_ended() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(4));
        }
        std::thread::sleep(Duration::from_millis(timed.ms));
        true
    }

    /// Injects a fault as soon as it has a target. Returns the time at which it began, and its targets.
    fn happen(&self, fault: &Fault, deadline: Instant) -> (u64, Vec<Target>) {
        let patience = deadline.min(Instant::now() + PATIENCE);
        loop {
            let at = ledger::now();
            let hits = self.strike(fault);
            if !hits.is_empty() {
                return (at, hits);
            }
            if Instant::now() > patience || self.clients.have_ended() {
                return (at, vec![Target::Nothing(fault.clone())]);
            }
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    /// Injects a fault into the present processes and files. Returns its targets.
    fn strike(&self, fault: &Fault) -> Vec<Target> {
        match fault {
            Fault::KillClient { pick } => {
                let killed = self.clients.kill(*pick);
                killed.map(|(name, pid)| Target::Client { name, pid }).into_iter().collect()
            }
            Fault::KillRunner { pick } => self.kill_runner(*pick).into_iter().collect(),
            Fault::KillSupervisor => self.kill_supervisor(),
            Fault::KillBoth { pick } => {
                let mut hits = self.kill_supervisor();
                hits.extend(self.kill_runner(*pick));
                hits
            }
            Fault::CutJournal(cut) => {
                let mut hits = self.kill_supervisor();
                hits.extend(damage::cut_journal(&self.round.join("base/.local"), *cut));
                hits
            }
            Fault::Damage { what, pick, cut } => {
                damage::damage(&self.round.join("base"), *what, *pick, *cut).into_iter().collect()
            }
            Fault::FillDisk { ms } if self.small_disk => vec![self.fill_disk(*ms)],
            Fault::FillDisk { .. } => Vec::new(),
            Fault::CutConnection { .. }
            | Fault::FreezeConnection { .. }
            | Fault::KillShell { .. } => {
                self.proxy.and_then(|proxy| ssh::happen(proxy, fault)).into_iter().collect()
            }
            Fault::FileServerAway { .. } | Fault::FileServerSlow { .. } => {
                self.shared_fs.map(|directory| trouble(directory, fault)).into_iter().collect()
            }
            Fault::StopDaemon { name, how, ms } => {
                daemons::stop(name, *how, *ms);
                vec![Target::Daemon { name: name.clone(), how: *how }]
            }
            Fault::Attach => vec![Target::Joined { name: self.clients.attach(self.round) }],
            Fault::Follow => vec![Target::Joined { name: self.clients.follow(self.round) }],
        }
    }

    fn kill_runner(&self, pick: usize) -> Option<Target> {
        let mut all = processes::of(self.round);
        all.retain(|process| process.spec().is_some());
        let process = all.get(pick.checked_rem(all.len())?)?;
        process.kill();
        Some(runner(process))
    }

    fn kill_supervisor(&self) -> Vec<Target> {
        let all: Vec<Process> =
            processes::of(self.round).into_iter().filter(Process::is_supervisor).collect();
        // The process of a job looks like a supervisor until it runs its own program.
        let parents: Vec<u32> = all.iter().map(|process| process.pid).collect();
        let is_job = |process: &&Process| {
            processes::parent(process.pid).is_some_and(|parent| parents.contains(&parent))
        };
        let supervisors = all.iter().filter(|process| !is_job(process));
        supervisors
            .map(|process| {
                process.kill();
                // The lock of the supervisor must be free, because the next supervisor ends at once otherwise.
                while Path::new(&format!("/proc/{}/fd/0", process.pid)).exists() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Target::Supervisor { pid: process.pid }
            })
            .collect()
    }

    fn fill_disk(&self, ms: u64) -> Target {
        let path = self.round.join("base/.ballast");
        if let Ok(mut file) = fs::File::create(&path) {
            for size in [1 << 20, 4096, 1] {
                let block = vec![1; size];
                while file.write_all(&block).is_ok() {}
            }
        }
        std::thread::sleep(Duration::from_millis(ms));
        let _ = fs::remove_file(&path);
        Target::Disk
    }
}

/// Makes the file server unreachable or slow for a while.
fn trouble(directory: &Directory, fault: &Fault) -> Target {
    let normal = directory.policy();
    let (ms, forgetful, policy) = match *fault {
        Fault::FileServerAway { ms, forgetful } => {
            let away_until = ledger::now() + ms;
            (ms, forgetful, Policy { away_until, forgetful, ..normal.clone() })
        }
        Fault::FileServerSlow { ms, delay_ms } => {
            (ms, false, Policy { delay_ms, ..normal.clone() })
        }
        _ => (0, false, normal.clone()),
    };
    directory.set(&policy).expect("the settings of the file server can be written");
    std::thread::sleep(Duration::from_millis(ms));
    // The answer to a request that is still being processed shall be lost too.
    if !forgetful {
        directory.set(&normal).expect("the settings of the file server can be written");
    }
    Target::FileServer { forgetful, until: ledger::now() }
}

fn runner(process: &Process) -> Target {
    let dir = process.spec().and_then(|spec| spec.parent().map(shared_fs::on_server));
    let job = dir.and_then(|dir| job_name(&dir)).unwrap_or_default();
    let element = process.variable("SLURM_ARRAY_TASK_ID").and_then(|text| text.parse().ok());
    Target::Runner { job, element, pid: process.pid }
}

/// Returns the name of the job in `dir`.
pub(crate) fn job_name(dir: &Path) -> Option<String> {
    let described: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("job.json")).ok()?).ok()?;
    let mut options = described["options"].as_array()?.iter();
    let name = options.find(|option| option["key"] == "job_name")?;
    Some(name["value"].as_str()?.to_owned())
}
