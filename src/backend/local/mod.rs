//! The embedded backend: jobs are processes of this machine.
//!
//! Jobs belong to a *supervisor*, a process that outlives the client: it is this same binary, started
//! in the background by whoever submits first, one for each job base directory and host. It admits
//! jobs in their order as CPUs, memory and GPUs are free, minds dependencies, time limits and warning
//! signals, and keeps a journal, so that its own death loses nothing either: the next one takes over
//! the processes that still run. With nothing to do it ends after some seconds.
//!
//! Clients talk to it over a Unix socket that only its user can open.
//!
//! | file | holds |
//! |---|---|
//! | `request` | what the options ask for, in this backend's terms |
//! | `protocol` | what passes over the socket |
//! | `client`, `start` | the client's end: find or start the supervisor |
//! | `supervisor` | the supervisor itself |

mod capacity;
mod client;
mod gpus;
mod memory;
mod protocol;
mod request;
mod start;
mod supervisor;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::{OptionSet, Release};
use slurm_host::{Host, LocalHost};

use self::client::{Client, NoAnswer};
use self::protocol::{Reply, Request, Status};
use super::{Asked, Backend, Cadence, Cancelled, Indices, Said, Submission, Survey, Testimony};
use crate::backend::Limits;
use crate::backend::Prepared;
use crate::backend::script::Launcher;
use crate::error::{Error, SubmitError};
use crate::model::BackendKind;

pub(crate) use capacity::Capacity;
pub(crate) use supervisor::supervise;

/// Reads bytes as everything that a supervisor may be told or find; for the fuzz targets.
pub(crate) fn read_anything(bytes: &[u8]) {
    let _ = serde_json::from_slice::<Reply>(bytes);
    let _ = serde_json::from_slice::<protocol::Address>(bytes);
    let _ = serde_json::from_slice::<Vec<protocol::Variable>>(bytes);
    let request = serde_json::from_slice(bytes);
    supervisor::read_anything(bytes, request.ok());
}

/// The embedded backend.
#[derive(Debug)]
pub(crate) struct Local {
    job_base_dir: PathBuf,
    capacity: Capacity,
    client: Client,
    /// Warnings that were given already: many jobs may lack the same.
    warned: Mutex<HashSet<String>>,
}

impl Local {
    pub(crate) fn new(job_base_dir: PathBuf, capacity: Capacity) -> Self {
        let client = Client::new(&job_base_dir, capacity);
        Self { job_base_dir, capacity, client, warned: Mutex::default() }
    }

    fn ask(&self, request: &Request) -> Result<Reply, Error> {
        self.client
            .ask(request)
            .map_err(|no_answer| SubmitError::Supervisor { message: no_answer.message }.into())
    }

    fn find(&self, request: &Request) -> Result<Option<Status>, Error> {
        match self.ask(request)? {
            Reply::Statuses(statuses) => Ok(statuses.into_iter().next()),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(reply: &Reply) -> Error {
    let message = match reply {
        Reply::Refused(message) => message.clone(),
        other => format!("it answered {other:?}"),
    };
    SubmitError::Supervisor { message }.into()
}

impl Local {
    /// Warns before a submission if the machine has too few resources.
    fn tell_of_lacks(&self, options: &OptionSet) {
        for warning in request::warnings(options, self.capacity) {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.insert(warning.clone()) {
                log::warn!("a job {warning}");
            }
        }
    }

    fn enqueue(&self, prepared: &Prepared) -> Result<JobId, SubmitError> {
        self.tell_of_lacks(&prepared.options);
        let request = Request::Submit(Box::new(request::job(prepared, self.capacity)?));
        match self.client.ask(&request) {
            Ok(Reply::Submitted(id)) => Ok(id),
            Ok(Reply::NoRoom(message)) => Err(SubmitError::NoRoom { message }),
            Ok(Reply::UnknownDependency(job)) => {
                let reason = "the supervisor does not know it".to_owned();
                Err(SubmitError::DependencyUnknown { job, task: String::new(), reason })
            }
            Ok(Reply::Refused(message)) | Err(NoAnswer { message, may_be_done: false }) => {
                Err(SubmitError::Supervisor { message })
            }
            Err(NoAnswer { message, may_be_done: true }) => {
                Err(SubmitError::SupervisorSilent { message })
            }
            Ok(other) => {
                Err(SubmitError::SupervisorSilent { message: format!("it answered {other:?}") })
            }
        }
    }
}

impl Backend for Local {
    fn kind(&self) -> BackendKind {
        BackendKind::Local
    }

    fn host(&self) -> &dyn Host {
        &LocalHost
    }

    fn job_base_dir(&self) -> &Path {
        &self.job_base_dir
    }

    fn launcher(&self, options: &OptionSet) -> Launcher {
        // The supervisor starts the script once for each task.
        if options.size().tasks > 1 { Launcher::Each } else { Launcher::Exec }
    }

    fn warnings(&self, options: &OptionSet) -> Vec<String> {
        request::warnings(options, self.capacity)
    }

    fn release(&self) -> Option<Release> {
        None
    }

    fn submit(&self, batch: &[Submission<'_>]) -> Vec<Result<JobId, SubmitError>> {
        let submit = |submission: &Submission<'_>| {
            if let Some((dir, files)) = &submission.new {
                LocalHost::create_dir_with(dir, files)?;
            }
            let answer = self.enqueue(submission.prepared);
            submission.conclude(self, &answer);
            answer
        };
        batch.iter().map(submit).collect()
    }

    fn survey(&self, asked: &[Asked]) -> Result<Survey, Error> {
        let jobs = asked.iter().map(|asked| asked.job).collect();
        match self.ask(&Request::Survey(jobs))? {
            Reply::Statuses(statuses) => {
                let testimony = Testimony::default().with("the supervisor", Said::NotListed);
                let mut survey = Survey { testimony, ..Survey::default() };
                for mut status in statuses {
                    let id = status.id;
                    survey.queued.insert(id);
                    survey.ahead.extend(status.ahead.map(|ahead| (id, ahead)));
                    match status.elements.take() {
                        None => drop(survey.seen.insert(id, status.into())),
                        Some(elements) => {
                            survey.elements.entry(id).or_default().push((elements, status.into()));
                        }
                    }
                }
                Ok(survey)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn cancel(
        &self,
        job: JobId,
        elements: Option<&Indices>,
        // The supervisor's journal keeps the cancellation.
        _dir: Option<&JobDir>,
    ) -> Result<Cancelled, Error> {
        match self.ask(&Request::Cancel { job, elements: elements.cloned() })? {
            Reply::Done => Ok(Cancelled::Done),
            Reply::NoSuchJob => Ok(Cancelled::Unknown),
            other => Err(unexpected(&other)),
        }
    }

    fn dir_of(&self, job: JobId) -> Result<Option<PathBuf>, Error> {
        Ok(self.find(&Request::Survey(vec![job]))?.map(|status| status.dir))
    }

    fn limits(&self) -> Result<Limits, Error> {
        // Slurm's own default.
        Ok(Limits { elements: 1001 })
    }

    fn slots(&self, options: &OptionSet) -> u64 {
        request::slots(options, self.capacity)
    }

    fn id_of(&self, submission_id: &SubmissionId, part: u32) -> Result<Option<JobId>, Error> {
        let request = Request::Find { submission_id: submission_id.clone(), part };
        Ok(self.find(&request)?.map(|status| status.id))
    }

    fn machine(&self) -> Option<(u32, u32)> {
        Some((self.capacity.cpus, self.capacity.gpus))
    }

    fn cadence(&self) -> Cadence {
        let milliseconds = Duration::from_millis;
        Cadence {
            files: (milliseconds(1), milliseconds(50)),
            survey: (milliseconds(20), milliseconds(500)),
            // The result is renamed into place before the process ends, on this machine's own file system.
            file_grace: Duration::ZERO,
            written_grace: Duration::ZERO,
            return_grace: Duration::ZERO,
            lost_after: milliseconds(2_000),
            unconfirmed_after: milliseconds(2_000),
            on_the_way: milliseconds(2_000),
        }
    }
}
