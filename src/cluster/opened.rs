//! A cluster that is open.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;
use slurm_core::options::{OptionSet, OptionValue};
use slurm_host::Binary;

use super::dry_run::{DryRun, Rehearsal};
use super::ledger::{Client, Ledger};
use super::program::Staged;
use crate::backend::Backend;
use crate::callback::Callbacks;
use crate::model::BackendKind;
use crate::model::permissions::Permissions;
use crate::poll::Poller;
use crate::progress::ProgressMode;
use crate::slurmfile::Environment;

/// A place for jobs: the embedded backend on this machine, the Slurm of this host, or the Slurm of another
/// host.
///
/// Cloning is cheap; clones share the threads that watch jobs.
#[derive(Clone)]
pub struct Cluster {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) poller: Poller,
    pub(super) binary: Binary,
    pub(super) binary_path: OnceCell<PathBuf>,
    pub(super) staged: Staged,
    pub(super) environment: Environment,
    pub(super) permissions: Permissions,
    pub(super) callbacks: Arc<Callbacks>,
    /// Records submissions, if this is a dry run.
    pub(super) dry_run: Option<Arc<DryRun>>,
    pub(super) progress: ProgressMode,
    pub(super) ledger: Arc<dyn Ledger>,
    /// Views of the other Slurm clusters that the same commands reach, by name.
    pub(super) others: Mutex<HashMap<String, Cluster>>,
}

/// What a cluster consists of.
pub(crate) struct ClusterParts {
    pub(crate) backend: Arc<dyn Backend>,
    /// The program of the jobs.
    pub(crate) binary: Binary,
    pub(crate) environment: Environment,
    pub(crate) permissions: Permissions,
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) dry_run: Option<DryRun>,
    pub(crate) progress: ProgressMode,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("backend", &self.inner.backend.kind())
            .field("job_base_dir", &self.job_base_dir())
            .field("dry_run", &self.is_dry_run())
            .finish_non_exhaustive()
    }
}

impl AsRef<Self> for Cluster {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Cluster {
    /// Returns the cluster that consists of these parts.
    pub(crate) fn new(parts: ClusterParts) -> Self {
        let ClusterParts {
            backend,
            binary,
            environment,
            permissions,
            callbacks,
            dry_run,
            progress,
        } = parts;
        let dry_run = dry_run.map(Arc::new);
        let ledger: Arc<dyn Ledger> = match &dry_run {
            Some(run) => Arc::new(Rehearsal { run: Arc::clone(run), around: Arc::new(Client) }),
            None => Arc::new(Client),
        };
        Self {
            inner: Arc::new(Inner {
                poller: Poller::new(Arc::clone(&backend), Vec::new()),
                backend,
                binary,
                binary_path: OnceCell::new(),
                staged: Staged::default(),
                environment,
                permissions,
                callbacks,
                dry_run,
                ledger,
                progress,
                others: Mutex::default(),
            }),
        }
    }

    /// Returns the directory below which each job has its own.
    pub fn job_base_dir(&self) -> &Path {
        self.inner.backend.job_base_dir()
    }

    /// Returns the kind of backend that runs the jobs.
    pub fn backend_kind(&self) -> BackendKind {
        self.inner.backend.kind()
    }

    /// Returns whether [`submit`](crate::JobBuilder::submit) submits nothing and returns placeholders.
    pub fn is_dry_run(&self) -> bool {
        self.inner.dry_run.is_some()
    }

    /// Returns whether jobs of this cluster are only planned: in a plan, or by placeholders of a dry run.
    pub(crate) fn is_planned(&self) -> bool {
        self.ledger().is_planned()
    }

    /// Returns the record of a dry run, if this is one.
    pub(crate) fn rehearsal(&self) -> Option<&DryRun> {
        self.inner.dry_run.as_deref()
    }

    /// Returns the settings of the Slurmfile with which the cluster was opened.
    pub fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    /// Returns how waits report their progress.
    pub fn progress(&self) -> ProgressMode {
        self.inner.progress
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        // Every use of a cluster calls this.
        crate::logging::init_now();
        self.inner.backend.as_ref()
    }

    pub(crate) fn permissions(&self) -> Permissions {
        self.inner.permissions
    }

    pub(crate) fn callbacks(&self) -> &Callbacks {
        &self.inner.callbacks
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.inner.poller
    }

    pub(crate) fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.inner.ledger
    }

    /// Returns the directory that holds the directories of the jobs submitted through this cluster.
    pub(crate) fn jobs_dir(&self) -> PathBuf {
        self.ledger().jobs_dir(self.job_base_dir())
    }

    /// Returns this cluster with another ledger. Its jobs run `binary`, which is staged already.
    pub(crate) fn with_ledger(&self, ledger: Arc<dyn Ledger>, binary: Option<PathBuf>) -> Self {
        let ledger = match &self.inner.dry_run {
            Some(run) => Arc::new(Rehearsal { run: Arc::clone(run), around: ledger }),
            None => ledger,
        };
        self.with(Arc::clone(&self.inner.backend), ledger, binary)
    }

    /// Returns this cluster for jobs that are only planned.
    pub(crate) fn for_planned(&self, ledger: Arc<dyn Ledger>) -> Self {
        // No job runs, so the path of the program does not matter.
        self.with(Arc::clone(&self.inner.backend), ledger, Some(PathBuf::from("planned")))
    }

    fn with(
        &self,
        backend: Arc<dyn Backend>,
        ledger: Arc<dyn Ledger>,
        binary: Option<PathBuf>,
    ) -> Self {
        let once = |path: &OnceCell<PathBuf>| {
            let path = binary.as_ref().or(path.get());
            path.cloned().map_or_else(OnceCell::new, OnceCell::with_value)
        };
        let Inner { binary: program, environment, permissions, callbacks, .. } =
            self.inner.as_ref();
        // On another cluster, the same ids belong to other jobs.
        let workflows = if backend.cluster().is_none() { ledger.waiting() } else { Vec::new() };
        Self {
            inner: Arc::new(Inner {
                poller: Poller::new(Arc::clone(&backend), workflows),
                backend,
                binary: program.clone(),
                binary_path: once(&self.inner.binary_path),
                staged: match &binary {
                    Some(path) => Staged::at(path.clone()),
                    None => self.inner.staged.for_another(),
                },
                environment: environment.clone(),
                permissions: *permissions,
                callbacks: Arc::clone(callbacks),
                dry_run: self.inner.dry_run.clone(),
                // The workflow's job sets the progress mode for its log (`log`, or `SLURM_SDK_PROGRESS`).
                progress: self.inner.progress,
                ledger,
                others: Mutex::default(),
            }),
        }
    }

    /// Returns whether jobs run the program of this process.
    pub(crate) fn runs_this_program(&self) -> bool {
        Binary::running().is_ok_and(|running| running.path == self.inner.binary.path)
    }

    /// Returns this cluster for jobs with these options, which may name another Slurm cluster.
    pub(crate) fn for_options(&self, options: &OptionSet) -> Self {
        match options.get("clusters") {
            Some(OptionValue::Value(name)) if !name.contains(',') => self.at(Some(name)),
            _ => self.clone(),
        }
    }

    /// Returns this cluster for jobs on the Slurm cluster `name`; without a name, itself.
    pub(crate) fn at(&self, name: Option<&str>) -> Self {
        let Some(name) = name.filter(|name| self.backend().cluster() != Some(name)) else {
            return self.clone();
        };
        let mut others = self.inner.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = others.get(name) {
            return other.clone();
        }
        let Some(backend) = self.backend().of_cluster(name) else { return self.clone() };
        let other = self.with(backend, Arc::clone(&self.inner.ledger), None);
        others.insert(name.to_owned(), other.clone());
        other
    }
}
