//! Running commands.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::host::SshHost;
use super::shell::{Part, Script};
use crate::command::{CommandLine, Output};
use crate::error::HostError;
use crate::order::NoteOfRun;

/// What the shell may need beyond the command's own limit before it says that it killed it.
pub(super) const SLACK: Duration = Duration::from_secs(20);

impl SshHost {
    /// Runs a command that may run twice: all but sbatch, which goes with its
    /// [submission](Self::submit_there).
    pub(super) fn run_there(&self, command: &CommandLine) -> Result<Output, HostError> {
        let command = &command.with_limit(self.settings.command_timeout);
        let mut script = Script::new();
        script.add("r ").word(command.program());
        add_command(&mut script, command, true)?;
        self.run_script(command, script)
    }

    /// Does so, and leaves a note in the same request.
    pub(super) fn run_and_note_there(
        &self,
        command: &CommandLine,
        note: &NoteOfRun<'_>,
    ) -> Result<Output, HostError> {
        let command = &command.with_limit(self.settings.command_timeout);
        let mut script = Script::new();
        script.add("w ").word(command.program());
        add_command(&mut script, command, true)?;
        script.add("\ncase $e in ");
        for words in note.unless {
            script.add("*").word(words).add("*) ;; ");
        }
        let beside = note.path.with_file_name(format!(".note-{:016x}", fastrand::u64(..)));
        script.add("*x0) { printf %s ").word(note.content).add(" >").path(&beside)?;
        script.add(" && mv -f -- ").path(&beside)?.add(" ").path(note.path)?;
        script.add("; } 2>/dev/null </dev/null;; esac");
        self.run_script(command, script)
    }

    fn run_script(&self, command: &CommandLine, mut script: Script) -> Result<Output, HostError> {
        script.quiet(command.limit() + SLACK);
        let began = Instant::now();
        let answer = if command.may_run_twice() {
            self.ask(command.program(), &script)?
        } else {
            self.ask_once(command.program(), &script)?
        };
        let parts = answer.parts();
        let took = began.elapsed();
        outcome(command, &parts, took)
            .unwrap_or_else(|| Err(self.lost("the answer is not complete")))
    }

    pub(super) fn missing(command: &CommandLine) -> HostError {
        HostError::CommandMissing {
            program: command.program().to_owned(),
            command: command.to_string(),
        }
    }
}

/// Adds the words that run a command; with `ended`, the host itself ends it when its limit is over.
pub(super) fn add_command(
    script: &mut Script,
    command: &CommandLine,
    ended: bool,
) -> Result<(), HostError> {
    let limit = command.limit().as_secs().max(1).to_string();
    let variables: Vec<String> =
        command.variables().iter().map(|(name, value)| format!("{name}={value}")).collect();
    if ended {
        script.words(["k", &limit]);
    }
    if !variables.is_empty() {
        script.words(["env"]).words(variables.iter().map(String::as_str));
    }
    script.words([command.program()]).words(command.arguments().iter().map(String::as_str));
    if command.arguments().iter().any(|argument| argument.contains('\0')) {
        let source =
            std::io::Error::new(std::io::ErrorKind::InvalidInput, "an argument holds a NUL");
        return Err(HostError::Start { command: command.to_string(), source });
    }
    Ok(())
}

/// Reads the parts that the function `r` or `b` of the prelude gives; `None` if they are not all there.
pub(super) fn outcome(
    command: &CommandLine,
    parts: &[Part<'_>],
    took: Duration,
) -> Option<Result<Output, HostError>> {
    match parts {
        [Part { kind: b'm', .. }, ..] => Some(Err(SshHost::missing(command))),
        [
            Part { kind: b'e', content: stderr, .. },
            Part { kind: b'o', content: stdout, .. },
            ..,
        ] => {
            let (stdout, status) = split_status(stdout)?;
            Some(ended(command, stdout, stderr, status, took))
        }
        _ => None,
    }
}

/// Takes the `x0` of the prelude off the end of what a command printed.
pub(super) fn split_status(stdout: &[u8]) -> Option<(&[u8], i32)> {
    let at = memchr::memrchr(b'x', stdout)?;
    let status = std::str::from_utf8(&stdout[at + 1..]).ok()?.trim_end().parse().ok()?;
    Some((&stdout[..at], status))
}

pub(super) fn ended(
    command: &CommandLine,
    stdout: &[u8],
    stderr: &[u8],
    status: i32,
    took: Duration,
) -> Result<Output, HostError> {
    const KILLED: i32 = 128 + 9;
    if status == KILLED && took >= command.limit() {
        return Err(HostError::Timeout { command: command.to_string(), limit: command.limit() });
    }
    // As the shell tells it: 128 and the signal that ended it.
    let raw = if (129..=192).contains(&status) { status - 128 } else { status << 8 };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Output { status: ExitStatus::from_raw(raw), stdout: text(stdout), stderr: text(stderr) })
}
