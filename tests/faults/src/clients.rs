//! The client processes of a round, for the process that started them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use crate::client::{By, Found, Handle, NOTES, Note, Noted, ROLE, ROUND, Role};
use crate::commands::Wrappers;
use crate::inject::job_name;
use crate::ledger;
use crate::plan::Plan;
use crate::ssh::PORT;

/// The processes, in the order of their starts.
pub(crate) struct Clients {
    round: PathBuf,
    plan: Plan,
    wrappers: Option<Wrappers>,
    /// The port of the proxy in front of the SSH server.
    port: Option<u16>,
    all: Mutex<Vec<Client>>,
}

struct Client {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    killed: bool,
}

/// How a client ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) name: String,
    pub(crate) killed: bool,
    /// `None` while it runs.
    pub(crate) status: Option<ExitStatus>,
}

impl Ended {
    /// Whether the client was killed before it ended by itself.
    pub(crate) fn was_killed(&self) -> bool {
        self.killed && self.status.is_some_and(|status| status.signal() == Some(9))
    }
}

impl Clients {
    pub(crate) fn new(
        round: &Path,
        plan: &Plan,
        wrappers: Option<Wrappers>,
        port: Option<u16>,
    ) -> Self {
        let all = Mutex::new(Vec::new());
        Self { round: round.to_owned(), plan: plan.clone(), wrappers, port, all }
    }

    /// Starts the client that submits the units with this `number`.
    pub(crate) fn start(&self, number: usize) {
        self.spawn(format!("client-{number}"), &Role::Client(number));
    }

    /// Starts a client that waits for all submissions so far.
    pub(crate) fn attach(&self, round: &Path) -> String {
        let name = format!("finder-{}", self.all.lock().unwrap().len());
        self.spawn(name.clone(), &Role::Finder(known(round)));
        name
    }

    /// Starts a client that reads the logs of all submissions so far.
    pub(crate) fn follow(&self, round: &Path) -> String {
        let name = format!("follower-{}", self.all.lock().unwrap().len());
        self.spawn(name.clone(), &Role::Follower(known(round)));
        name
    }

    /// Starts a client that waits for all submissions, including those that killed clients had begun.
    pub(crate) fn attach_to_everything(&self, round: &Path) {
        let mut wanted = known(round);
        wanted.extend(self.orphans(round, &wanted));
        self.spawn("last".to_owned(), &Role::Last(wanted));
    }

    fn spawn(&self, name: String, role: &Role) {
        let dir = self.round.join("clients");
        let file = |end: &str| File::create(dir.join(format!("{name}.{end}"))).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .env(ROLE, serde_json::to_string(role).unwrap())
            .env(ROUND, &self.round)
            .env(NOTES, dir.join(format!("{name}.notes")))
            .env("XDG_RUNTIME_DIR", self.round.join("run"))
            .current_dir(&self.round)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"));
        // The last client is started after the last fault, so it needs no wrappers.
        if let (Some(wrappers), false) = (&self.wrappers, matches!(role, Role::Last(_))) {
            command.env("PATH", wrappers.path());
        }
        if let Some(port) = self.port {
            command.env(PORT, port.to_string());
        }
        let child = command.spawn().unwrap();
        self.all.lock().unwrap().push(Client { name, child, status: None, killed: false });
    }

    /// Kills a running client. Returns its name and process id.
    pub(crate) fn kill(&self, pick: usize) -> Option<(String, u32)> {
        let mut all = self.all.lock().unwrap();
        let mut living: Vec<usize> = Vec::new();
        for (index, client) in all.iter_mut().enumerate() {
            if client.is_alive() {
                living.push(index);
            }
        }
        let index = *living.get(pick.checked_rem(living.len())?)?;
        all[index].killed = true;
        let _ = all[index].child.kill();
        let _ = all[index].child.wait().map(|status| all[index].status = Some(status));
        Some((all[index].name.clone(), all[index].child.id()))
    }

    pub(crate) fn have_ended(&self) -> bool {
        self.all.lock().unwrap().iter_mut().all(|client| !client.is_alive())
    }

    pub(crate) fn ended(&self) -> Vec<Ended> {
        let mut all = self.all.lock().unwrap();
        all.iter_mut()
            .map(|client| {
                client.is_alive();
                Ended { name: client.name.clone(), killed: client.killed, status: client.status }
            })
            .collect()
    }

    /// Returns the notes of the clients of the round so far.
    pub(crate) fn notes(round: &Path) -> BTreeMap<String, Vec<Noted>> {
        let entries = fs::read_dir(round.join("clients")).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "notes"))
            .map(|path| {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                (name, ledger::read(&path))
            })
            .collect()
    }

    /// Returns the submissions whose clients were killed before they could note them.
    fn orphans(&self, round: &Path, known: &[Found]) -> Vec<Found> {
        let is_known = |dir: &Path| {
            let is = |handle: &Handle| handle.dir().file_name() == dir.file_name();
            known.iter().any(|found| matches!(&found.by, By::Handle(handle) if is(handle)))
        };
        let mut found = Vec::new();
        for dir in submissions(&round.join("base")) {
            let Some(name) = job_name(&dir).filter(|_| !is_known(&dir)) else { continue };
            let Some((unit, part)) = self.part_of(&name) else { continue };
            // The client finds later attempts, and the jobs that resume a workflow, by the first submission.
            if known.iter().any(|found| found.unit == unit && found.part == part) {
                continue;
            }
            let submission_id = dir.file_name().and_then(|name| name.to_str()?.parse().ok());
            found.extend(submission_id.map(|submission_id| Found {
                unit,
                part,
                by: By::SubmissionId(submission_id),
            }));
        }
        found
    }

    /// Returns the part of a unit to which a job with this name belongs.
    fn part_of(&self, name: &str) -> Option<(String, usize)> {
        for unit in &self.plan.units {
            if name == format!("{}.array", unit.name) {
                return Some((unit.name.clone(), 0));
            }
            let parts = unit.work.parts();
            let part = parts.iter().position(|calls| calls.len() == 1 && calls[0].name == name);
            if let Some(part) = part {
                return Some((unit.name.clone(), part));
            }
        }
        None
    }
}

/// Returns the submissions that clients have noted.
fn known(round: &Path) -> Vec<Found> {
    let notes = Clients::notes(round).into_values().flatten();
    notes
        .filter_map(|noted| match noted.note {
            Note::Submitted { unit, part, handle } => {
                Some(Found { unit, part, by: By::Handle(handle) })
            }
            _ => None,
        })
        .collect()
}

impl Client {
    fn is_alive(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap_or(None);
        }
        self.status.is_none()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for client in self.all.lock().unwrap().iter_mut() {
            let _ = client.child.kill();
            let _ = client.child.wait();
        }
    }
}

/// Returns the directories of submissions by clients.
pub(crate) fn submissions(base: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.is_dir())
            .filter(|path| !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.'))
            .collect()
    };
    list(base).iter().flat_map(|task| list(task)).collect()
}
