//! The backend for a real Slurm.
//!
//! Commands per action: submit 1 (sbatch; more only after an answer that leaves open whether the job exists),
//! survey 1 (squeue) or 2 (also sacct, if jobs have left the queue), cancel 1, find 1 or 2.

mod accounting;
mod answer;
mod lines;
mod queue;
mod room;
mod sbatch;
mod search;
mod size;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use once_cell::sync::OnceCell;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::{OptionSet, Release};
use slurm_host::{CommandLine, Host, NoteOfRun, Output};

use super::{Asked, Backend, Cadence, Cancelled, Indices, Submission, Survey, written};
use crate::backend::Limits;
use crate::backend::script::Launcher;
use crate::error::{Error, SubmitError};
use crate::model::BackendKind;

/// A Slurm whose commands run on `host`.
#[derive(Debug)]
pub(crate) struct Slurm {
    kind: BackendKind,
    host: Arc<dyn Host>,
    job_base_dir: PathBuf,
    /// The name of the cluster for the commands, if it is not the host's own.
    cluster: Option<String>,
    /// The clusters that sbatch chose for submissions, if it named one.
    chosen: Mutex<HashMap<SubmissionId, String>>,
    /// The lines that sbatch printed about accepted submissions.
    said: Mutex<HashMap<SubmissionId, Vec<String>>>,
    release: OnceCell<Option<Release>>,
    configuration: size::Configuration,
}

/// The time limit of a question: the controller answers within seconds or has a problem.
const QUERY_LIMIT: Duration = Duration::from_secs(60);

/// Messages of scancel about a job that has ended, and about one that slurmctld does not know.
const ENDED: &str = "already completing";
const NOT_KNOWN: &str = "Invalid job id";

impl Slurm {
    pub(crate) fn new(kind: BackendKind, host: Box<dyn Host>, job_base_dir: PathBuf) -> Self {
        Self {
            kind,
            host: host.into(),
            job_base_dir,
            cluster: None,
            chosen: Mutex::default(),
            said: Mutex::default(),
            release: OnceCell::new(),
            configuration: size::Configuration::default(),
        }
    }

    /// Returns this Slurm with commands about the cluster `name`.
    fn of(&self, name: &str) -> Self {
        Self {
            kind: self.kind,
            host: Arc::clone(&self.host),
            job_base_dir: self.job_base_dir.clone(),
            cluster: Some(name.to_owned()),
            chosen: Mutex::default(),
            said: Mutex::default(),
            release: OnceCell::new(),
            configuration: size::Configuration::default(),
        }
    }

    /// Runs a command that changes nothing.
    fn query(&self, command: &CommandLine) -> Result<Output, Error> {
        self.run(command.clone())
    }

    /// Runs a command about the cluster.
    fn run(&self, command: CommandLine) -> Result<Output, Error> {
        Ok(self.host.run(&self.about_cluster(command))?)
    }

    fn about_cluster(&self, command: CommandLine) -> CommandLine {
        match &self.cluster {
            Some(name) => command.args_first(["-M", name]),
            None => command,
        }
    }

    fn chosen(&self) -> MutexGuard<'_, HashMap<SubmissionId, String>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self) -> MutexGuard<'_, HashMap<SubmissionId, Vec<String>>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a command that asks a question. It prints whole lists. It prints times as seconds since the Unix
/// epoch, because the host may be in another time zone.
fn question(program: &str) -> CommandLine {
    CommandLine::new(program)
        .env("SLURM_BITSTR_LEN", "0")
        .env("SLURM_TIME_FORMAT", "%s")
        .within(QUERY_LIMIT)
}

/// Parses a text as the output of each Slurm command; for the fuzz targets.
pub(crate) fn read_anything(text: &str) {
    text.lines().for_each(queue::read_anything);
    let _ = answer::job_ids(text);
    let _ = text.trim().parse::<Release>();
}

fn refused(command: &CommandLine, output: &Output) -> Error {
    let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    Error::Command { command: command.to_string(), message: words.trim().to_owned() }
}

impl Backend for Slurm {
    fn kind(&self) -> BackendKind {
        self.kind
    }

    fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    fn of_cluster(&self, name: &str) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(self.of(name)))
    }

    fn chosen_for(&self, submission_id: &SubmissionId) -> Option<String> {
        self.chosen().get(submission_id).cloned().or_else(|| self.cluster.clone())
    }

    fn said_of(&self, submission_id: &SubmissionId) -> Vec<String> {
        self.said().remove(submission_id).unwrap_or_default()
    }

    fn job_base_dir(&self) -> &Path {
        &self.job_base_dir
    }

    fn launcher(&self, options: &OptionSet) -> Launcher {
        let several = options.size().takes_several_processes();
        if several { Launcher::Srun } else { Launcher::Exec }
    }

    fn warnings(&self, _options: &OptionSet) -> Vec<String> {
        Vec::new()
    }

    fn release(&self) -> Option<Release> {
        *self.release.get_or_init(|| {
            let output = self.host.run(&question("sbatch").arg("--version")).ok()?;
            output.stdout.trim().parse().ok()
        })
    }

    fn submit(&self, batch: &[Submission<'_>]) -> Vec<Result<JobId, SubmitError>> {
        sbatch::submit(self, batch)
    }

    fn survey(&self, asked: &[Asked]) -> Result<Survey, Error> {
        queue::survey(self, asked)
    }

    fn cancel(
        &self,
        job: JobId,
        elements: Option<&Indices>,
        dir: Option<&JobDir>,
    ) -> Result<Cancelled, Error> {
        let of_array = |elements| format!("{job}_[{}]", written(elements));
        let target = elements.map_or_else(|| job.to_string(), of_array);
        // Up to 22.05 scancel reports an unknown job only with `--verbose`.
        let command = CommandLine::new("scancel").args(["-v", &target]).within(QUERY_LIMIT);
        let output = match dir {
            Some(dir) => {
                let note = Asked { job, elements: elements.cloned() };
                let content = serde_json::to_string(&[note]).unwrap_or_default();
                let (path, unless) = (dir.cancelled(fastrand::u64(..)), [ENDED, NOT_KNOWN]);
                let note = NoteOfRun { path: &path, content: &content, unless: &unless };
                self.host.run_noted(&self.about_cluster(command.clone()), &note)?
            }
            None => self.run(command.clone())?,
        };
        let tells = |words: &str| output.stderr.contains(words);
        if tells(ENDED) {
            Ok(Cancelled::Done)
        } else if tells(NOT_KNOWN) {
            Ok(Cancelled::Unknown)
        } else if output.status.success() {
            Ok(Cancelled::Done)
        } else {
            Err(refused(&command, &output))
        }
    }

    fn dir_of(&self, job: JobId) -> Result<Option<PathBuf>, Error> {
        queue::script_of(self, job).map(|script| script?.parent().map(Path::to_owned))
    }

    fn id_of(&self, submission_id: &SubmissionId, part: u32) -> Result<Option<JobId>, Error> {
        queue::find(self, submission_id, part)
    }

    fn limits(&self) -> Result<Limits, Error> {
        Ok(self.configuration.limits(self))
    }

    fn forgets_after(&self) -> Option<Duration> {
        self.configuration.forgets_after(self)
    }

    fn slots(&self, options: &OptionSet) -> u64 {
        size::slots(self, options)
    }

    fn no_room_beside(
        &self,
        jobs: &[JobId],
        workflows: &[JobId],
    ) -> Result<Vec<(JobId, String)>, Error> {
        room::none_beside(self, jobs, workflows)
    }

    fn cadence(&self) -> Cadence {
        let milliseconds = Duration::from_millis;
        // A remote host is asked less often.
        let away = self.host.round_trip();
        let (first, last) = if away.is_zero() {
            (milliseconds(4), milliseconds(500))
        } else {
            (away.max(milliseconds(50)), milliseconds(2_000))
        };
        Cadence {
            files: (first, last),
            survey: (milliseconds(500).max(away * 2), milliseconds(15_000)),
            file_grace: milliseconds(2_000),
            // NFS may keep a new file from other hosts for as long as it caches a directory: 60 s.
            written_grace: milliseconds(65_000),
            // A requeued job waits for about 121 s before it may start again, but it is listed as pending at
            // once.
            return_grace: milliseconds(10_000),
            lost_after: milliseconds(60_000),
            // An accounting that was unreachable for a moment catches up in this time.
            unconfirmed_after: milliseconds(180_000),
            // sbatch itself retries for longer, but it ends with the job that started it.
            on_the_way: milliseconds(10_000),
        }
    }
}
