//! Functions that run as a job and submit jobs from there.
//!
//! | file | holds |
//! |---|---|
//! | `journal` | the submissions, for the next run of the same workflow |
//! | `inherited` | the jobs of a workflow that another one resumes |
//! | `planned` | calls of a workflow's function for a plan |
//! | `resume` | continuing a workflow in another submission |

mod inherited;
pub(crate) mod journal;
pub(crate) mod planned;
mod resume;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slurm_core::context::JobContext;
use slurm_core::durable;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::outcome::{Failure, FailureKind};

use crate::cluster::{Claim, Cluster, Key, Ledger, Noted, Shape};
use crate::error::{Error, Result};
use crate::open::ClusterBuilder;
use crate::progress::ProgressMode;

use crate::submit::workflow::Settings;
use journal::{Entry, Journal};

/// The cluster for a workflow's submissions, and the workflow's own job.
///
/// A function under [`#[slurm::workflow]`](crate::workflow) gets it as its first argument. Its
/// [`cluster`](Self::cluster) runs the jobs: `train::job(…).submit(flow)` submits from inside the job. A
/// journal records all submissions. If the workflow is requeued, preempted, killed or reaches its time limit,
/// its next run gets the existing jobs from the journal instead of submitting them again.
pub struct Workflow {
    cluster: Cluster,
    context: JobContext,
    dir: PathBuf,
}

/// The state that all clones of a workflow's cluster share.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The directory of the journal, the children and the shared files.
    pub(crate) dir: PathBuf,
    pub(crate) journal: Journal,
    /// The job of the workflow, or `None` outside of a job.
    pub(crate) job: Option<JobId>,
    /// The jobs of the workflows around it.
    around: Vec<JobId>,
}

impl Ledger for Flow {
    fn jobs_dir(&self, _: &Path) -> PathBuf {
        self.children_dir()
    }

    fn within(&self) -> Option<JobId> {
        self.job
    }

    fn waiting(&self) -> Vec<JobId> {
        self.around.iter().copied().chain(self.job).collect()
    }

    fn may_submit_inside_jobs(&self) -> bool {
        self.job.is_some()
    }

    fn claim(&self, call: &dyn Fn() -> Result<(Key, Shape)>) -> Result<Option<Claim>> {
        let (key, shape) = call()?;
        let claim = self.journal.claim(&key, &shape);
        if let Some(submission_id) = &claim.twin {
            log::warn!(
                "a call of `{}` is submitted again, though submission {submission_id} of an earlier run has the same arguments in another order: if they hold a `HashMap` or `HashSet`, use a `BTreeMap` or `BTreeSet`, whose order is the same in each run",
                key.task()
            );
        }
        Ok(Some(claim))
    }

    fn release(&self, claim: &Claim) {
        self.journal.release(claim);
    }

    fn intend(&self, claim: &Claim, submission: &SubmissionId) -> Result<()> {
        self.journal.intend(claim, submission)
    }

    fn note(&self, submission: &SubmissionId, what: Noted<'_>) {
        let submission_id = submission.clone();
        self.journal.note(&match what {
            Noted::Jobs(ids, cluster) => Entry::Submitted {
                submission_id,
                job_ids: ids.to_vec(),
                cluster: cluster.map(str::to_owned),
            },
            Noted::Refused => Entry::Refused { submission_id },
        });
    }
}

impl Flow {
    /// Returns the directory that holds the directories of the workflow's children.
    fn children_dir(&self) -> PathBuf {
        self.dir.join("tasks")
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl AsRef<Cluster> for Workflow {
    fn as_ref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Workflow {
    /// Returns a workflow that runs in this process and not in a job, with `dir` as its directory.
    ///
    /// It serves tests of workflow functions, and programs that stay on the login node. The jobs go to
    /// `cluster`, and a later call with the same directory continues where this one stopped.
    ///
    /// # Errors
    /// If the directory or its journal cannot be used.
    pub fn in_process(cluster: &Cluster, dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = std::path::absolute(dir.into()).map_err(|error| Error::Config {
            message: format!("the workflow's directory cannot be used: {error}"),
            hint: "give an absolute path".to_owned(),
        })?;
        let context = JobContext::outside(&dir);
        let cluster = cluster.with_ledger(Flow::open(dir.clone(), &context, Vec::new())?, None);
        Ok(Self { cluster, context, dir })
    }

    /// Opens the cluster inside the job; for the attribute macro.
    ///
    /// # Errors
    /// The failure with which the job ends.
    #[doc(hidden)]
    pub fn from_context(context: &JobContext) -> Result<Self, Failure> {
        Self::open(context).map_err(|error| {
            let sources = error.hint().into_iter().collect();
            Failure { sources, ..Failure::new(FailureKind::Spec, error.to_string()) }
        })
    }

    fn open(context: &JobContext) -> Result<Self> {
        if let Some(cluster) = planned::cluster() {
            let dir = cluster.jobs_dir();
            return Ok(Self { cluster, context: context.clone(), dir });
        }
        let settings = Settings::read(context.job_dir())?;
        let cluster = settings.builder()?.build()?;
        let resumes = settings.state_dir != context.job_dir();
        // The items of an array share a directory.
        let dir = match context.item() {
            Some(item) => item_dir(&settings.state_dir, item),
            None => settings.state_dir,
        };
        let flow = Flow::open(dir.clone(), context, settings.around)?;
        if let Some(submission_id) = context.submission_id().filter(|_| resumes) {
            flow.drop_failed(&cluster, submission_id)?;
        }
        let cluster = cluster.with_ledger(flow, Some(settings.binary));
        Ok(Self { cluster, context: context.clone(), dir })
    }

    /// Returns the cluster to which the workflow submits.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the context of the workflow's own job.
    pub fn context(&self) -> &JobContext {
        &self.context
    }

    /// Returns the directory of the workflow. It belongs to the library; for your own files use
    /// [`shared_dir`](Self::shared_dir).
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a directory for files that the workflow and its jobs share, and creates it if needed. It is the
    /// same in every run of the workflow; on a cluster, all nodes see it. In a [plan](crate::Plan) it is not
    /// created.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn shared_dir(&self) -> std::io::Result<PathBuf> {
        let path = self.dir().join("shared");
        if !self.cluster.is_planned() {
            durable::create_dirs(&path)?;
        }
        Ok(path)
    }
}

/// Reads the files of a workflow; for the fuzz targets.
pub(crate) fn read_anything(bytes: &[u8]) {
    Settings::read_anything(bytes);
    journal::read_anything(bytes);
}

/// Returns the directory of an item of an array of workflows; `state_dir` is the array's directory.
pub(crate) fn item_dir(state_dir: &Path, item: u64) -> PathBuf {
    state_dir.join(format!("item-{item}"))
}

impl Flow {
    fn open(dir: PathBuf, context: &JobContext, around: Vec<JobId>) -> Result<Arc<Self>> {
        let journal = Journal::open(&dir)?;
        Ok(Arc::new(Self { dir, journal, job: context.job_id(), around }))
    }
}

impl Settings {
    fn builder(&self) -> Result<ClusterBuilder> {
        let mut builder = Cluster::builder()
            .backend(self.backend.parse()?)
            .job_base_dir(&self.job_base_dir)
            .environment(self.environment()?)
            // A log that stays empty for hours would look like a job that hangs.
            .progress(ProgressMode::of_variable()?.unwrap_or(ProgressMode::Log));
        if let Some((cpus, gpus)) = self.local {
            builder = builder.local_cpus(cpus).local_gpus(gpus);
        }
        Ok(builder)
    }
}
