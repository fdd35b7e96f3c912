//! The host itself: connections and what is asked over them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use slurm_core::backoff::Backoff;

use super::link::{Link, Lost, Pending, START};
use super::meter::UploadSettings;
use super::shell::{Marker, Part, Script, parts, prelude, start_command};
use super::way::Way;
use crate::error::HostError;
use crate::ssh::{self, Master, Ssh, SshError};

/// The login node of a cluster, over SSH.
pub struct SshHost {
    pub(super) settings: Ssh,
    link: Mutex<First>,
    spare: Mutex<Spare>,
    pub(super) facts: Facts,
    pub(super) uploads: UploadSettings,
    pub(super) spool: OnceCell<PathBuf>,
    /// The claims of submissions whose connection was lost: a shell may go on with each of them any time.
    pub(super) sleepers: Mutex<BTreeSet<PathBuf>>,
    /// The fastest answer so far, in microseconds.
    fastest: AtomicU64,
}

impl fmt::Debug for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshHost").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The connection that everything goes over, as far as it can.
#[derive(Debug, Default)]
struct First {
    link: Option<Arc<Link>>,
    /// The last login, if it failed because a person did not answer, and when that was.
    unanswered: Option<(Instant, Arc<SshError>)>,
}

/// A second connection, for what would wait for another request on the first.
#[derive(Debug, Default)]
struct Spare {
    link: Option<Arc<Link>>,
    /// It cannot be had.
    failed: bool,
    /// When it could not be had for now.
    tried: Option<Instant>,
}

/// What the host said about itself when it was reached.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The user's home directory.
    pub home: PathBuf,
    /// As `uname -m` prints it.
    pub(super) machine: String,
    /// The C library, as `getconf GNU_LIBC_VERSION` or `ldd --version` print it.
    pub(super) libc: String,
    /// Programs that are there.
    pub(super) tools: Vec<String>,
}

/// How long a host that cannot be reached is tried for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A person who did not answer is not asked again before: each login may send a code or a push, and many a site
/// locks accounts after some that failed.
const SILENCE: Duration = Duration::from_secs(300);

/// How long it is tried for when a job may have been submitted whose id is not known.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(180);

impl SshHost {
    /// Connects to the host.
    ///
    /// # Errors
    /// [`HostError::Ssh`] if it cannot be reached or does not let this user in, and what its shell said otherwise.
    pub fn connect(settings: Ssh, uploads: UploadSettings) -> Result<Self, HostError> {
        let (link, facts) = open(&settings)?;
        Ok(Self {
            settings,
            link: Mutex::new(First { link: Some(Arc::new(link)), unanswered: None }),
            spare: Mutex::default(),
            facts,
            uploads,
            spool: OnceCell::new(),
            sleepers: Mutex::default(),
            fastest: AtomicU64::new(u64::MAX),
        })
    }

    /// Returns how long a question takes at least, as far as that is known.
    pub(super) fn fastest_answer(&self) -> Duration {
        match self.fastest.load(Ordering::Relaxed) {
            u64::MAX => Duration::from_millis(20),
            micros => Duration::from_micros(micros),
        }
    }

    /// Returns what the host said about itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns a connection that is alive: the second one if the server gives the first no session more and
    /// all that it has are busy.
    pub(super) fn link(&self, patience: Duration) -> Result<Arc<Link>, HostError> {
        let link = self.first_link(patience)?;
        let spare = if link.is_full() { self.spare_link() } else { None };
        Ok(spare.unwrap_or(link))
    }

    /// Returns the second connection, if it can be had without asking anybody for anything.
    fn spare_link(&self) -> Option<Arc<Link>> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let is_alive = spare.link.as_ref().is_some_and(|link| link.is_alive());
        let too_soon = spare.tried.is_some_and(|tried| tried.elapsed() < PATIENCE);
        if !is_alive && !spare.failed && !too_soon {
            // A master gives no more sessions than its server gives.
            match open(&self.settings.clone().no_prompts().control_master(false)) {
                Ok((link, _)) => spare.link = Some(Arc::new(link)),
                Err(error) => {
                    log::info!(
                        "going on with one connection to {}, as a second one failed: {error}",
                        self.settings.host()
                    );
                    let failed = !may_pass(&error);
                    // Nobody is to wait for this again and again.
                    *spare = Spare { link: None, failed, tried: Some(Instant::now()) };
                }
            }
        }
        spare.link.clone()
    }

    fn first_link(&self, patience: Duration) -> Result<Arc<Link>, HostError> {
        let mut first = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = first.link.as_ref().filter(|link| link.is_alive()) {
            return Ok(Arc::clone(link));
        }
        first.link = None;
        if let Some((since, error)) = &first.unanswered
            && since.elapsed() < SILENCE
        {
            return Err(HostError::Ssh(Arc::clone(error)));
        }
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
        loop {
            match open(&self.settings) {
                Ok((fresh, _)) => {
                    log::info!("connected to {} again", self.settings.host());
                    first.unanswered = None;
                    return Ok(Arc::clone(first.link.insert(Arc::new(fresh))));
                }
                Err(error)
                    if !may_pass(&error) || backoff.elapsed() + backoff.next_pause() > patience =>
                {
                    if let HostError::Ssh(error) = &error
                        && error.is_unanswered()
                    {
                        first.unanswered = Some((Instant::now(), Arc::clone(error)));
                    }
                    return Err(error);
                }
                Err(error) => log::warn!("will try again: {error}"),
            }
            backoff.pause();
        }
    }

    pub(super) fn lost(&self, reason: &str) -> HostError {
        HostError::Lost { host: self.settings.host().to_owned(), reason: reason.to_owned() }
    }

    /// Asks something that may be asked twice.
    pub(super) fn ask(&self, what: &str, script: &Script) -> Result<Answer, HostError> {
        let mut attempts = 0;
        loop {
            let link = self.link(PATIENCE)?;
            let began = Instant::now();
            match send(&link, what, script).wait(&link) {
                Ok(answer) => {
                    let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.fastest.fetch_min(took, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(lost) => {
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        return Err(self.lost(&lost.reason));
                    }
                    log::warn!(
                        "no answer from {}, asking again: {}",
                        self.settings.host(),
                        lost.reason
                    );
                }
            }
        }
    }

    /// Asks something that may not be asked again once the host may have heard it.
    pub(super) fn ask_once(&self, what: &str, script: &Script) -> Result<Answer, HostError> {
        for _ in 0..ATTEMPTS {
            let link = self.link(PATIENCE)?;
            match send(&link, what, script).wait(&link) {
                Ok(answer) => return Ok(answer),
                Err(lost) if lost.sent => return Err(self.lost(&lost.reason)),
                Err(_) => {}
            }
        }
        Err(self.lost("it breaks again and again"))
    }
}

/// Sends a request without waiting for its answer.
pub(super) fn send(link: &Link, what: &str, script: &Script) -> Asked {
    log::debug!(target: REQUESTS, "{what}");
    Asked(link.start(script.request(link.marker())))
}

/// The log's target for requests: each is one round trip.
const REQUESTS: &str = "slurm::ssh";

/// A request that keeps breaking the connection is not repeated for ever.
const ATTEMPTS: u32 = 4;

/// A request that was sent.
pub(super) struct Asked(Pending);

impl Asked {
    pub(super) fn wait(self, link: &Link) -> Result<Answer, Lost> {
        let bytes = self.0.wait()?;
        Ok(Answer { bytes, marker: link.marker().clone() })
    }
}

/// What the shell answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    marker: Marker,
}

impl Answer {
    pub(super) fn of(bytes: Vec<u8>, link: &Link) -> Self {
        Self { bytes, marker: link.marker().clone() }
    }

    pub(super) fn parts(&self) -> Vec<Part<'_>> {
        parts(&self.marker, &self.bytes)
    }

    /// Returns the content of the only part.
    pub(super) fn first(&self) -> Option<Part<'_>> {
        self.parts().first().copied()
    }
}

/// Connects: over the connection of an OpenSSH master if there is one.
fn open(settings: &Ssh) -> Result<(Link, Facts), HostError> {
    let target = ssh::find(settings)?;
    if let Some(master) = Master::of(&target) {
        match start(settings, master.clone().into(), master.limit) {
            Ok(opened) => {
                let socket = master.socket().display();
                log::info!("connected to {} over the OpenSSH master at {socket}", settings.host());
                return Ok(opened);
            }
            Err(lost) => target.pass_over(&master, &lost.reason),
        }
    }
    let connection = ssh::connect(settings, &target)?;
    start(settings, connection.into(), START)
        .map_err(|lost| HostError::Lost { host: settings.host().to_owned(), reason: lost.reason })
}

/// Starts the first shell, which reports the facts about the host.
fn start(settings: &Ssh, way: Way, limit: Duration) -> Result<(Link, Facts), Lost> {
    let marker = Marker::new();
    let hello = prelude(&marker, settings.slurm_bin_dir.as_deref());
    let command = start_command(settings.login_shell);
    let (link, said) = Link::open(way, limit, marker, command, hello)?;
    let answer = Answer::of(said, &link);
    let text = answer.first().map(|part| String::from_utf8_lossy(part.content).into_owned());
    let text = text.unwrap_or_default();
    let mut lines = text.lines().map(|line| line.trim().to_owned());
    let mut line = || lines.next().unwrap_or_default();
    let facts = Facts {
        home: PathBuf::from(line()),
        machine: line(),
        libc: line(),
        tools: line().split_whitespace().map(base_name).collect(),
    };
    log::debug!("connected to {}: {facts:?}", settings.host());
    Ok((link, facts))
}

fn base_name(path: &str) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns whether another attempt may go better.
fn may_pass(error: &HostError) -> bool {
    match error {
        HostError::Ssh(error) => error.may_pass(),
        _ => true,
    }
}
