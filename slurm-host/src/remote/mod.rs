//! A machine behind an SSH connection.
//!
//! | file | holds |
//! |---|---|
//! | `host` | [`SshHost`]: connections, and asking again when one was lost |
//! | `link`, `lane` | one connection with its thread; one channel with its shell |
//! | `way` | the transport of lanes: a session of our own, or the connection of an OpenSSH master |
//! | `shell`, `prelude.sh` | what is said to the shell, and how answers are taken apart |
//! | `files`, `directory`, `commands` | reading and writing, making directories, running commands |
//! | `failure` | errors, from the words of programs |
//! | `submit` | directories, sbatch and the note of the id, in one round trip |
//! | `withdraw` | removing the directory of a submission that came to nothing |
//! | `stage`, `binary` | the binary goes up; whether it can run there |
//! | `meter` | how uploads are made, and what shows how far they are |

mod binary;
mod commands;
mod directory;
mod failure;
mod files;
mod host;
mod lane;
mod link;
mod meter;
mod shell;
mod stage;
mod submit;
mod way;
mod withdraw;

pub use host::{Facts, SshHost};
pub use meter::{Meter, NewMeter, UploadSettings};

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary::Binary;
use crate::command::{CommandLine, Output};
use crate::error::HostError;
use crate::files::{Found, Look};
use crate::host::Host;
use crate::order::{NoteOfRun, Order, Submitted};

impl SshHost {
    /// Returns an error about a file with the host that has it.
    fn named(&self, error: HostError) -> HostError {
        error.on(self.settings.host())
    }

    /// Does so with the errors of an upload, which reads files of this machine.
    fn named_unless_read(&self, error: HostError) -> HostError {
        match error {
            HostError::File { action: "read", .. } => error,
            error => self.named(error),
        }
    }
}

impl Host for SshHost {
    fn run(&self, command: &CommandLine) -> Result<Output, HostError> {
        self.run_there(command)
    }

    fn run_noted(&self, command: &CommandLine, note: &NoteOfRun<'_>) -> Result<Output, HostError> {
        self.run_and_note_there(command, note)
    }

    fn submit(&self, orders: &[Order<'_>]) -> Vec<Result<Submitted, HostError>> {
        let answers = self.submit_there(orders).into_iter();
        answers.map(|answer| answer.map_err(|error| self.named_unless_read(error))).collect()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        self.write_file(path, bytes).map_err(|error| self.named(error))
    }

    fn write_first(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let written = self.write_first_file(path, bytes);
        let content = written.and_then(|()| self.read_file(path, 0));
        Ok(content.map_err(|error| self.named(error))?.unwrap_or_default())
    }

    fn read(&self, path: &Path, offset: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.read_file(path, offset).map_err(|error| self.named(error))
    }

    fn look(&self, looks: &[Look], most: u64) -> Result<Vec<Result<Found, HostError>>, HostError> {
        let mut found = self.look_at(looks, most).map_err(|error| self.named(error))?;
        for found in &mut found {
            let answer = std::mem::replace(found, Ok(Found::Nothing));
            *found = answer.map_err(|error| self.named(error));
        }
        Ok(found)
    }

    fn read_end(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.read_last(path, length).map_err(|error| self.named(error))
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), HostError> {
        self.remove(dir).map_err(|error| self.named(error))
    }

    fn withdraw(&self, dir: &Path) -> Result<(), HostError> {
        self.withdraw_there(dir).map_err(|error| self.named(error))
    }

    fn spool_dir(&self, _job_base_dir: &Path) -> Result<PathBuf, HostError> {
        self.local_spool_dir()
    }

    fn staging_path(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        stage::staging_path(binary, job_base_dir)
    }

    fn mark_as_used(&self, staged: &Path) -> Result<bool, HostError> {
        self.mark_there(staged).map_err(|error| self.named(error))
    }

    fn stage(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        self.stage_there(binary, job_base_dir).map_err(|error| self.named_unless_read(error))
    }

    fn name(&self) -> Option<&str> {
        Some(self.settings.host())
    }

    fn round_trip(&self) -> Duration {
        self.fastest_answer()
    }
}
