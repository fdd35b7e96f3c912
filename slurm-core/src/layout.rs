//! Where the files of a job lie.
//!
//! ```text
//! {job_base_dir}/
//!   .bin/{hash}/{name}          the binary, staged once per content, never changed; its folder's time is its last use
//!   .bin/{hash}/elsewhere-{hash}  a directory elsewhere whose jobs may need it
//!   {task}/{submission_id}/            one submission
//!     spec                      frame: arguments and settings          client, before sbatch
//!     job.json                  the same for people, without values    client, before sbatch
//!     script.sh                 the batch script                       client, before sbatch
//!     submitted.json            the id that the job was given          client, after sbatch
//!     .sbatch                   over SSH: who calls sbatch, and its answer
//!     slurm-{id}.out  .err      the output of the task                 the job
//!     events.jsonl              the diary, an event a line             runner
//!     events.{node}.jsonl       the same of the processes on the job's further nodes
//!     result                    frame: value or failure                runner, at the end
//!     value.{run}               of several processes: the outcome of the first, until all have ended
//!     exit-{id}.{run}           of several processes on Slurm: the exit code of the first that failed
//!     requeue                   a run's request to be run again           runner
//!     cancelled-{random}        the job was cancelled through the library      client, with scancel
//!     not-started               why the script did not start the task  the script
//!     .run/                     embedded: marks of the processes of a run, while it runs
//!     workflow.json             of a workflow: its cluster             client, before sbatch
//!     journal.jsonl             of a workflow: its submissions         workflow
//!     tasks/{task}/{submission_id}/    of a workflow: its jobs                workflow
//!     shared/                   of a workflow: files of its jobs       its jobs
//!     output/                   the task's own files                   task
//!     checkpoint/               files for the task's next run          task
//!
//! {task}/{submission_id}/            the submission of an array, beside spec, job.json, script.sh, submitted.json
//!     items                     the arguments of all calls             client, before sbatch
//!     script-{n}.sh             of the further arrays, if it takes several
//!     results/{element}         segment: values and failures           runner, item by item
//!     values/{element}.{run}    of several processes: the outcome of the first, until all have ended
//!     stdout/{id}_{n}           the output of elements                 the job
//!     stderr/{id}_{n}
//!     retry-{n}.json            handle of the submission that retries the failed items
//!     events-{id}_{n}.jsonl     the diary of an element that has asked for another run
//!     cancelled-{random}        elements that a client has cancelled   client, after scancel
//! ```
//!
//! Each file has one writer, or writers on one node alone: two hosts that append to a file of an NFS server may
//! overwrite each other's lines. Nothing is locked and nothing is rewritten.

use std::path::{Path, PathBuf};

use crate::ids::{JobId, SubmissionId};

/// The variable by which the embedded supervisor asks the processes of a job for marks; its value is
/// [`JobDir::run_marks`].
pub const RUN_MARKS: &str = "SLURM_SDK_RUN_MARKS";

/// The variable that names the file for the exit code of the first process of a run on Slurm that fails.
pub const FIRST_EXIT: &str = "SLURM_SDK_FIRST_EXIT";

/// The variable in which the batch script tells when the time limit ends the job, in seconds since the Unix epoch.
pub const END_TIME: &str = "SLURM_SDK_END_TIME";

/// A mark of a run of the embedded backend: an empty file beside the job's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMark {
    /// The supervisor has prepared the run, and its processes mark what they do from now on.
    Ready,
    /// A process is about to begin the job's script.
    Begun,
    /// A runner is about to call the task.
    Entered,
    /// The runner of a process ends.
    Ended {
        /// The rank of the process.
        rank: u32,
        /// Its exit code.
        code: u8,
    },
}

impl RunMark {
    /// Returns the path of the mark, where the paths of all marks of the run begin with `marks`.
    pub fn path(self, marks: &Path) -> PathBuf {
        marks.with_added_extension(match self {
            Self::Ready => "ready".to_owned(),
            Self::Begun => "begun".to_owned(),
            Self::Entered => "entered".to_owned(),
            Self::Ended { rank, code } => format!("{rank}-{code}"),
        })
    }

    /// Reads the end of a mark's path, after the dot.
    pub fn read(end: &str) -> Option<Self> {
        Some(match end {
            "ready" => Self::Ready,
            "begun" => Self::Begun,
            "entered" => Self::Entered,
            _ => {
                let (rank, code) = end.split_once('-')?;
                Self::Ended { rank: rank.parse().ok()?, code: code.parse().ok()? }
            }
        })
    }
}

/// The directory of one submission.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobDir(PathBuf);

impl JobDir {
    /// Returns the directory of the submission `submission_id` of `task` below `job_base_dir`.
    pub fn new(job_base_dir: &Path, task: &str, submission_id: &SubmissionId) -> Self {
        Self(job_base_dir.join(task_folder(task)).join(submission_id.as_str()))
    }

    /// Returns the job directory at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of the spec, which the runner reads.
    pub fn spec(&self) -> PathBuf {
        self.0.join("spec")
    }

    /// Returns the path of the description for people and other tools.
    pub fn job_json(&self) -> PathBuf {
        self.0.join("job.json")
    }

    /// Returns the path of the batch script.
    pub fn script(&self) -> PathBuf {
        self.script_of(0)
    }

    /// Returns the path of the batch script of the array `part` of a submission that takes several.
    pub fn script_of(&self, part: u32) -> PathBuf {
        self.0.join(match part {
            0 => "script.sh".to_owned(),
            part => format!("script-{part}.sh"),
        })
    }

    /// Returns the path of the arguments of an array's calls.
    pub fn items(&self) -> PathBuf {
        self.0.join("items")
    }

    /// Returns the directory of an array's result segments.
    pub fn segments(&self) -> PathBuf {
        self.0.join("results")
    }

    /// Returns the path of the segment of an element.
    pub fn segment(&self, element: u64) -> PathBuf {
        self.segments().join(element.to_string())
    }

    /// Returns where the first of several processes of an element puts its segment until all have ended
    /// well; `restarts` runs came before this one. The file is empty while the task runs.
    pub fn value_segment(&self, element: u64, restarts: u32) -> PathBuf {
        self.values().join(format!("{element}.{restarts}"))
    }

    /// Returns the directory of those files, which an array of jobs of several processes has.
    pub fn values(&self) -> PathBuf {
        self.0.join("values")
    }

    /// Returns the path of the handle of the `attempt`th retry, from 1 on.
    pub fn retry(&self, attempt: usize) -> PathBuf {
        self.0.join(format!("retry-{attempt}.json"))
    }

    /// The prefix of the names of notes about cancellations of a job, or of elements of an array.
    pub const CANCELLED: &str = "cancelled-";

    /// Returns the path of the note of one cancellation; `random` makes it unique.
    pub fn cancelled(&self, random: u64) -> PathBuf {
        self.0.join(format!("{}{random:016x}", Self::CANCELLED))
    }

    /// Returns the path of the note that the client leaves after sbatch.
    pub fn submitted(&self) -> PathBuf {
        self.0.join("submitted.json")
    }

    /// Returns the path of the runner's diary: what the processes on the job's first node have noted.
    pub fn events(&self) -> PathBuf {
        self.events_of(None, 0)
    }

    /// Returns the path of the diary of the processes on a node, by its index among the nodes of the job. With
    /// the id of an array and an index, returns the path for that element.
    pub fn events_of(&self, element: Option<(JobId, u32)>, node: u32) -> PathBuf {
        self.0.join(match node {
            0 => format!("{}{DIARY_END}", diary(element)),
            node => format!("{}.{node}{DIARY_END}", diary(element)),
        })
    }

    /// Returns whether a file with this name in the job's directory is a diary of the job, or of the element.
    pub fn is_diary(name: &str, element: Option<(JobId, u32)>) -> bool {
        let node =
            |middle: &str| middle.strip_prefix('.').is_some_and(|node| node.parse::<u32>().is_ok());
        let middle =
            name.strip_prefix(&diary(element)).and_then(|name| name.strip_suffix(DIARY_END));
        middle.is_some_and(|middle| middle.is_empty() || node(middle))
    }

    /// Returns the path of the outcome, which the runner writes.
    pub fn result(&self) -> PathBuf {
        self.0.join("result")
    }

    /// Returns where the first of several processes puts its outcome until all have ended well; `restarts` runs came
    /// before this one. Each run has a name of its own: a file server may show for a while that a file which was looked
    /// for is not there.
    pub fn value(&self, restarts: u32) -> PathBuf {
        self.0.join(format!("value.{restarts}"))
    }

    /// Returns the path of the note by which a run asks to be run again.
    pub fn requeue(&self) -> PathBuf {
        self.0.join("requeue")
    }

    /// Returns the path of that note of an element of an array, given the array and the index; without them, of the
    /// job's note.
    pub fn requeue_of(&self, element: Option<(JobId, u32)>) -> PathBuf {
        match element {
            None => self.requeue(),
            Some((array, index)) => self.0.join(format!("requeue-{array}_{index}")),
        }
    }

    /// Returns the path of the note of the batch script that did not start the task, given the array and the index of an
    /// element; without one, that of the job.
    pub fn not_started(&self, element: Option<(JobId, u32)>) -> PathBuf {
        match element {
            None => self.0.join("not-started"),
            Some((array, index)) => self.0.join(format!("not-started-{array}_{index}")),
        }
    }

    /// Returns the beginning of the paths at which the processes of a run of the embedded backend leave
    /// marks; `restarts` runs of the job came before it.
    pub fn run_marks(&self, id: JobId, restarts: u32) -> PathBuf {
        self.all_run_marks().join(format!("{id}.{restarts}"))
    }

    /// Returns the path of the directory of those marks, which is there while the job runs.
    pub fn all_run_marks(&self) -> PathBuf {
        self.0.join(".run")
    }

    /// Returns the path of the directory for files that a task leaves to its next run.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// Returns the path of the directory for the task's own files.
    pub fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// Returns the file name pattern for sbatch's `--output`.
    pub fn stdout_pattern(&self) -> PathBuf {
        self.0.join("slurm-%j.out")
    }

    /// Returns the file name pattern for sbatch's `--error`.
    pub fn stderr_pattern(&self) -> PathBuf {
        self.0.join("slurm-%j.err")
    }

    /// Returns the file name pattern of an array for sbatch's `--output`.
    pub fn element_stdout_pattern(&self) -> PathBuf {
        self.0.join("stdout/%A_%a")
    }

    /// Returns the file name pattern of an array for sbatch's `--error`.
    pub fn element_stderr_pattern(&self) -> PathBuf {
        self.0.join("stderr/%A_%a")
    }

    /// Returns where the element `index` of the array `id` writes its standard output, unless an option
    /// says otherwise.
    pub fn element_stdout(&self, id: JobId, index: u32) -> PathBuf {
        self.0.join(format!("stdout/{id}_{index}"))
    }

    /// Returns where the element `index` of the array `id` writes its standard error, unless an option
    /// says otherwise.
    pub fn element_stderr(&self, id: JobId, index: u32) -> PathBuf {
        self.0.join(format!("stderr/{id}_{index}"))
    }

    /// Returns where the job `id` writes its standard output, unless an option says otherwise.
    pub fn stdout(&self, id: JobId) -> PathBuf {
        self.0.join(format!("slurm-{id}.out"))
    }

    /// Returns where the job `id` writes its standard error, unless an option says otherwise.
    pub fn stderr(&self, id: JobId) -> PathBuf {
        self.0.join(format!("slurm-{id}.err"))
    }
}

const DIARY_END: &str = ".jsonl";

/// How the names of diaries begin.
fn diary(element: Option<(JobId, u32)>) -> String {
    match element {
        None => "events".to_owned(),
        Some((array, index)) => format!("events-{array}_{index}"),
    }
}

/// Returns the folder of the binary with the content hash `hash` below `job_base_dir`.
pub fn binary_folder(job_base_dir: &Path, hash: &str) -> PathBuf {
    job_base_dir.join(".bin").join(hash)
}

/// Returns the folder name of a task: the last segment of its name, with all but ASCII letters,
/// digits, `-` and `_` replaced by `_`.
pub fn task_folder(task: &str) -> String {
    let short = task.rsplit("::").next().unwrap_or(task);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = short.chars().map(plain).take(100).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_named() {
        let ended = RunMark::Ended { rank: 12, code: 116 };
        for mark in [RunMark::Ready, RunMark::Begun, RunMark::Entered, ended] {
            let path = mark.path(Path::new("/job/.run/7.1"));
            let end = path.to_str().unwrap().strip_prefix("/job/.run/7.1.").unwrap();
            assert_eq!(RunMark::read(end), Some(mark));
        }
        assert_eq!(RunMark::read("0-1000"), None);
    }

    #[test]
    fn diaries_are_known_by_their_names() {
        let dir = JobDir::at("/job");
        let (one, other) = (JobId::new(7).map(|id| (id, 1)), JobId::new(7).map(|id| (id, 12)));
        let elements = [None, one, other];
        for (writer, node) in elements.into_iter().flat_map(|element| [(element, 0), (element, 3)])
        {
            let path = dir.events_of(writer, node);
            let name = path.file_name().unwrap().to_str().unwrap();
            for element in elements {
                assert_eq!(
                    JobDir::is_diary(name, element),
                    element == writer,
                    "{name} {element:?}"
                );
            }
        }
        assert!(!JobDir::is_diary("events.old.jsonl", None));
    }

    #[test]
    fn a_task_name_cannot_leave_the_base_directory() {
        for (name, folder) in [
            ("app::deep::train", "train"),
            ("train", "train"),
            ("..", "__"),
            ("a/../../b", "a_______b"),
            ("größe", "gr__e"),
            ("", "_"),
        ] {
            assert_eq!(task_folder(name), folder);
        }
    }
}
