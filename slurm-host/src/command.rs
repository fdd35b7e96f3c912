//! Commands as argument vectors.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use slurm_core::layout::RUN_MARKS;

use crate::error::HostError;

/// A program and its arguments, never a line of shell.
#[derive(Clone, Debug)]
#[must_use]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
    limit: Duration,
    once: bool,
}

/// What a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output; bytes that are not UTF-8 are replaced, and over SSH a NUL is lost.
    pub stdout: String,
    /// What it wrote to standard error; bytes that are not UTF-8 are replaced, and over SSH a NUL is lost.
    pub stderr: String,
}

/// sbatch itself retries for about two minutes when the controller is busy; a shorter limit would kill
/// it in the middle.
const LIMIT: Duration = Duration::from_secs(180);

impl CommandLine {
    /// Returns the command of a program without arguments. It is looked for in `PATH` unless it is a path.
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            limit: LIMIT,
            once: false,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds arguments before the others.
    pub fn args_first<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.splice(0..0, arguments.map(str::to_owned));
        self
    }

    /// Sets a variable for this command alone.
    pub fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// Sets how long the command may take.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Forbids to run the command a second time, also when the answer to the first was lost.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    #[cfg(feature = "ssh")]
    pub(crate) fn may_run_twice(&self) -> bool {
        !self.once
    }

    /// Returns why the command cannot be run, or `None` if it can.
    pub fn refusal(&self) -> Option<&'static str> {
        if self.program.is_empty() {
            Some("there is no program to run")
        } else if std::iter::once(&self.program)
            .chain(&self.arguments)
            .any(|word| word.contains('\0'))
        {
            Some("a word of it holds a NUL")
        } else {
            None
        }
    }

    /// Runs the command on this machine, without the variables that would change what Slurm's commands
    /// submit and print.
    pub(crate) fn run_here(&self) -> Result<Output, HostError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        scrub(&mut command);
        command.envs(self.variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = command.spawn().map_err(|error| self.cannot_start(error))?;
        self.collect(child)
    }

    #[cfg(feature = "ssh")]
    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    #[cfg(feature = "ssh")]
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    #[cfg(feature = "ssh")]
    pub(crate) fn variables(&self) -> &[(&'static str, &'static str)] {
        &self.variables
    }

    #[cfg(feature = "ssh")]
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns the command with `most` in the place of the usual limit; a shorter one stays.
    #[cfg(feature = "ssh")]
    pub(crate) fn with_limit(&self, most: Duration) -> Self {
        let limit = if self.limit == LIMIT { most } else { self.limit.min(most) };
        Self { limit, ..self.clone() }
    }

    fn collect(&self, mut child: Child) -> Result<Output, HostError> {
        let (sender, events) = mpsc::channel();
        let stdout = drain(child.stdout.take(), sender.clone());
        let stderr = drain(child.stderr.take(), sender.clone());
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        thread::spawn(move || sender.send(Event::Ended(child.wait())));
        let deadline = Instant::now() + self.limit;
        let (mut status, mut open, mut until) = (None, 2, deadline);
        while status.is_none() || open > 0 {
            match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Closed) => open -= 1,
                Ok(Event::Ended(result)) => {
                    status = Some(result.map_err(|source| self.failed(source))?);
                    // Something that it left in the background may hold the pipes for ever.
                    until = deadline.min(Instant::now() + LAST_WORDS);
                }
                Err(_) if status.is_some() => break,
                Err(_) => {
                    // All of it: a wrapper's sbatch must not go on and submit.
                    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                    return Err(HostError::Timeout {
                        command: self.to_string(),
                        limit: self.limit,
                    });
                }
            }
        }
        let text = |bytes: &Mutex<Vec<u8>>| {
            String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner))
                .into_owned()
        };
        let status =
            status.ok_or_else(|| self.failed(io::Error::other("its end was not noticed")))?;
        Ok(Output { status, stdout: text(&stdout), stderr: text(&stderr) })
    }

    fn failed(&self, source: io::Error) -> HostError {
        HostError::Start { command: self.to_string(), source }
    }

    fn cannot_start(&self, error: io::Error) -> HostError {
        let command = self.to_string();
        if error.kind() == io::ErrorKind::NotFound {
            HostError::CommandMissing { program: self.program.clone(), command }
        } else {
            HostError::Start { command, source: error }
        }
    }
}

/// For people: words with anything unusual in them are quoted so that a shell would take them back.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(f, " {}", crate::word::shell_word(argument)))
    }
}

/// What can happen while a command runs.
enum Event {
    Closed,
    Ended(io::Result<ExitStatus>),
}

/// How long the output of a command that has ended is waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn drain(
    pipe: Option<impl Read + Send + 'static>,
    done: mpsc::Sender<Event>,
) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bytes);
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        if let Some(mut pipe) = pipe {
            // What was read before an error is still the best there is.
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&buffer[..read]);
            }
        }
        let _ = done.send(Event::Closed);
    });
    bytes
}

/// Variables of Slurm's own commands change what they submit and print, and a submitter that itself
/// runs in a job would pass its own job's `SLURM_*` on.
fn scrub(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_scrubbed) {
            command.env_remove(name);
        }
    }
}

/// What the names of variables begin with that change what Slurm's commands do.
pub(crate) const SCRUBBED_PREFIXES: &[&str] = &[
    "SLURM_",
    "SLURMD_",
    "SLURMCTLD_",
    "SBATCH_",
    "SRUN_",
    "SQUEUE_",
    "SACCT_",
    "SCANCEL_",
    "SINFO_",
    "SALLOC_",
    "PMI_",
    "PMIX_",
    "OMPI_",
];

/// Returns whether a variable must not reach Slurm's commands or a job.
pub fn is_scrubbed(name: &str) -> bool {
    // The path of a job's marks would be wrong for the jobs that it submits.
    name == RUN_MARKS
        || name != "SLURM_CONF"
            && !name.starts_with("SLURM_SDK_")
            && SCRUBBED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_larger_than_a_pipe_is_drained() {
        let command =
            CommandLine::new("sh").args(["-c", "head -c 300000 /dev/zero; echo oops >&2; exit 3"]);
        let output = command.run_here().unwrap();
        assert_eq!((output.stdout.len(), output.stderr.as_str()), (300_000, "oops\n"));
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn a_command_that_hangs_is_given_up() {
        let command = CommandLine::new("sleep").arg("60").within(Duration::from_millis(50));
        let error = command.run_here().unwrap_err();
        assert_eq!(error.to_string(), "`sleep 60` did not end within 0 s");
    }

    #[test]
    fn a_missing_program_is_named_with_its_command_line() {
        let error = CommandLine::new("no-such-sbatch").arg("a b").run_here().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot run `no-such-sbatch 'a b'`: no-such-sbatch was not found"
        );
    }
}
