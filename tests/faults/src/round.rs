//! One round: its directory, its clients, its faults and its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::Clients;
use crate::commands::{self, Wrappers};
use crate::inject::{Hit, Injector};
use crate::judge::{self, Evidence};
use crate::plan::{Plan, Suite};
use crate::processes;
use crate::proxy::Proxy;
use crate::shared_fs::Directory;
use crate::ssh;

/// The result of a round.
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) hits: Vec<Hit>,
    pub(crate) calls: usize,
    pub(crate) took: Duration,
}

/// The longest time until no process of an ended round runs.
const SETTLE: Duration = Duration::from_secs(30);

/// Runs a round in `dir`, which must not exist.
pub(crate) fn run(plan: &Plan, dir: &Path, keep: bool) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    for part in ["ledger", "clients", "run"] {
        fs::create_dir_all(dir.join(part))?;
    }
    let policy = plan.fixed.shared_fs.as_ref();
    let shared_fs = policy.map(|policy| Directory::make(dir, policy)).transpose()?;
    if shared_fs.is_none() {
        fs::create_dir(dir.join("base"))?;
    }
    fs::write(dir.join("plan.json"), serde_json::to_vec_pretty(plan)?)?;
    let disk = plan.fixed.small_disk.map(|mib| Disk::mount(dir.join("base"), mib));
    let disk = disk.transpose()?.flatten();
    let wrappers = Wrappers::make(plan, dir)?;
    let proxy = (plan.suite == Suite::Ssh).then(ssh::proxy).transpose()?;
    let clients = Clients::new(dir, plan, wrappers, proxy.as_ref().map(|proxy| proxy.port));
    let injector = Injector {
        plan,
        round: dir,
        clients: &clients,
        small_disk: disk.is_some(),
        proxy: proxy.as_ref(),
        shared_fs: shared_fs.as_ref(),
    };
    let mut violations = play(&injector);
    if plan.suite.is_slurm() && !violations.is_empty() {
        commands::cancel_jobs(dir);
    }
    // A cut makes sshd end too.
    proxy.iter().for_each(Proxy::cut);
    violations.extend(settle(dir));
    if plan.suite.is_slurm() {
        commands::cancel_jobs(dir);
    }
    let evidence = Evidence::gather(plan, dir, clients.ended());
    violations.extend(judge::judge(plan, &evidence));
    drop(disk);
    if let Some(directory) = shared_fs.filter(|_| violations.is_empty() && !keep) {
        directory.remove();
    }
    let hits = evidence.hits;
    let calls = plan.units.iter().map(|unit| unit.work.calls().len()).sum();
    Ok(Outcome { violations, hits, calls, took: began.elapsed() })
}

/// Runs clients and faults, and then a last client that waits for all submissions.
fn play(injector: &Injector<'_>) -> Vec<String> {
    let Injector { plan, round, clients, proxy, .. } = *injector;
    let deadline = Instant::now() + plan.suite.longest();
    for number in 0..plan.clients {
        clients.start(number);
    }
    injector.run(deadline);
    let mut violations = Vec::new();
    wait_for_clients(clients, deadline, &mut violations);
    if violations.is_empty() {
        proxy.into_iter().for_each(Proxy::heal);
        clients.attach_to_everything(round);
        wait_for_clients(clients, Instant::now() + plan.suite.longest(), &mut violations);
    }
    violations
}

fn wait_for_clients(clients: &Clients, deadline: Instant, violations: &mut Vec<String>) {
    while !clients.have_ended() {
        if Instant::now() > deadline {
            let all = clients.ended().into_iter().filter(|client| client.status.is_none());
            violations
                .extend(all.map(|client| format!("{} still waits at the deadline", client.name)));
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until no process of the round runs. Kills the processes that still run at the deadline.
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
                format!("process {} is still running: {}", process.pid, process.words.join(" "))
            };
            return left.iter().map(tell).collect();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A small file system, unmounted when this is dropped.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Mounts a small file system. Returns `None` if this user must not mount.
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
        // The files are copied, because a later inspection needs them.
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
