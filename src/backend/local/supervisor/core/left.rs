//! What the effects have found of a run: its marks, its files and its processes.

use slurm_core::ids::JobId;
use slurm_core::layout::RunMark;
use slurm_core::state::JobState;
use slurm_runner::exit;

use super::job::Process;
use crate::backend::Exit;

/// The marks of a run at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found(pub(crate) Vec<RunMark>);

impl Found {
    /// Whether the run was prepared, and none of its processes was released.
    pub(crate) fn never_began(&self) -> bool {
        self.0.contains(&RunMark::Ready) && self.0.iter().all(|mark| *mark == RunMark::Ready)
    }

    /// Whether the task was called by one of the processes.
    pub(crate) fn was_entered(&self) -> bool {
        self.0.iter().any(|mark| match mark {
            RunMark::Entered => true,
            RunMark::Ended { code, .. } => !exit::is_before_task(*code),
            RunMark::Ready | RunMark::Begun => false,
        })
    }

    /// Returns how the process `rank` ended, if its runner came to its end.
    pub(crate) fn exit_of(&self, rank: u32) -> Option<Exit> {
        self.0.iter().find_map(|mark| match mark {
            RunMark::Ended { rank: of, code } if *of == rank => {
                Some(Exit { code: (*code).into(), signal: 0 })
            }
            _ => None,
        })
    }
}

/// What a run has left whose processes have all ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    /// Whether it has left the wish to be run again, and no outcome.
    pub(crate) wants_another_run: bool,
    pub(crate) found: Found,
    /// Whether one of several processes has left an outcome, which is a failure then.
    pub(crate) failure: bool,
    /// How its files say that it ended, if they were looked at and tell.
    pub(crate) outcome: Option<JobState>,
}

/// What is left of a job that had not ended, for all that the journal says.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) job: JobId,
    /// How often the job was requeued before its latest run.
    pub(crate) restarts: u32,
    /// Runs before that one that have left marks.
    pub(crate) earlier: Vec<u32>,
    /// The latest run, if there was one.
    pub(crate) run: Option<SeenRun>,
}

/// A run that the supervisor before this one has started.
#[derive(Debug, Default)]
pub(crate) struct SeenRun {
    /// When its marks were prepared, in milliseconds since the Unix epoch.
    pub(crate) began_at: Option<u64>,
    /// The names of its GPUs, as one of its processes has them.
    pub(crate) gpus: Option<String>,
    /// All of its processes, those that the journal names and those that were found.
    pub(crate) processes: Vec<Process>,
    pub(crate) found: Found,
}

/// Which processes of a run have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    All,
    Ranks(Vec<u32>),
}
