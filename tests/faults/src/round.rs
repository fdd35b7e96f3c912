//! One round: its directory, its clients, its faults, and the end of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::Clients;
use crate::inject::{Hit, Injector};
use crate::judge::{self, Evidence};
use crate::plan::Plan;
use crate::processes;

/// What a round came to.
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) hits: Vec<Hit>,
    pub(crate) calls: usize,
    pub(crate) took: Duration,
}

/// How long a round may take until all clients have ended, and until nothing of it runs any more.
const LONGEST: Duration = Duration::from_secs(150);
const SETTLE: Duration = Duration::from_secs(30);

/// Runs a round in `dir`, which must not exist.
pub(crate) fn run(plan: &Plan, dir: &Path) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    for part in ["base", "ledger", "clients", "run"] {
        fs::create_dir_all(dir.join(part))?;
    }
    fs::write(dir.join("plan.json"), serde_json::to_vec_pretty(plan)?)?;
    let disk = plan.fixed.small_disk.map(|mib| Disk::mount(dir.join("base"), mib));
    let disk = disk.transpose()?.flatten();
    let clients = Clients::new(dir, plan);
    let mut violations = play(plan, dir, &clients, disk.is_some());
    violations.extend(settle(dir));
    let evidence = Evidence::gather(plan, dir, clients.ended());
    violations.extend(judge::judge(plan, &evidence));
    drop(disk);
    let hits = evidence.hits;
    let calls = plan.units.iter().map(|unit| unit.work.calls().len()).sum();
    Ok(Outcome { violations, hits, calls, took: began.elapsed() })
}

/// Runs clients and faults, and then a last client that finds everything.
fn play(plan: &Plan, dir: &Path, clients: &Clients, small_disk: bool) -> Vec<String> {
    let deadline = Instant::now() + LONGEST;
    for number in 0..plan.clients {
        clients.start(number);
    }
    Injector { plan, round: dir, clients, small_disk }.run(deadline);
    let mut violations = Vec::new();
    wait_for_clients(clients, deadline, &mut violations);
    if violations.is_empty() {
        clients.attach_to_everything(dir);
        wait_for_clients(clients, Instant::now() + LONGEST, &mut violations);
    }
    violations
}

fn wait_for_clients(clients: &Clients, deadline: Instant, violations: &mut Vec<String>) {
    while !clients.have_ended() {
        if Instant::now() > deadline {
            let all = clients.ended().into_iter().filter(|client| client.status.is_none());
            violations.extend(all.map(|client| {
                format!("{} still waits after {} s", client.name, LONGEST.as_secs())
            }));
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until nothing of the round runs any more, and ends what does.
fn settle(dir: &Path) -> Vec<String> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let left = processes::of(dir);
        if left.is_empty() {
            return Vec::new();
        }
        if Instant::now() > deadline {
            for process in &left {
                process.kill();
            }
            let tell = |process: &processes::Process| {
                format!("process {} is left: {}", process.pid, process.words.join(" "))
            };
            return left.iter().map(tell).collect();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A small file system, for as long as this exists.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Mounts one; `None` for users who may not.
    fn mount(place: PathBuf, mib: u32) -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let options = format!("size={mib}m,mode=0755");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs"];
        let status = Command::new("mount").args(arguments).arg(&place).status()?;
        anyhow::ensure!(status.success(), "no file system can be mounted: {status}");
        Ok(Some(Self { place }))
    }

    fn unmount(&self) {
        // What is to be looked at later has to lie somewhere else then.
        let copy = self.place.with_extension("copy");
        let _ = Command::new("cp").arg("-a").arg(&self.place).arg(&copy).status();
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
        let _ = fs::remove_dir(&self.place);
        let _ = fs::rename(copy, &self.place);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}
