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

mod binary;
mod commands;
mod directory;
mod failure;
mod files;
mod host;
mod lane;
mod link;
mod shell;
mod stage;
mod submit;
mod way;
mod withdraw;

pub(crate) use host::{Manner, SshHost};

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    Binary, CommandLine, Found, Host, HostError, Look, NoteOfRun, Order, Output, Submitted,
};

impl Host for SshHost {
    fn run(&self, command: &CommandLine) -> Result<Output, HostError> {
        self.run_there(command)
    }

    fn run_noted(&self, command: &CommandLine, note: &NoteOfRun<'_>) -> Result<Output, HostError> {
        self.run_and_note_there(command, note)
    }

    fn submit(&self, orders: &[Order<'_>]) -> Vec<Result<Submitted, HostError>> {
        self.submit_there(orders)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        self.write_file(path, bytes)
    }

    fn write_first(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        self.write_first_file(path, bytes)?;
        Ok(self.read_file(path, 0)?.unwrap_or_default())
    }

    fn read(&self, path: &Path, offset: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.read_file(path, offset)
    }

    fn look(&self, looks: &[Look], most: u64) -> Result<Vec<Result<Found, HostError>>, HostError> {
        self.look_at(looks, most)
    }

    fn read_end(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.read_last(path, length)
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), HostError> {
        self.remove(dir)
    }

    fn withdraw(&self, dir: &Path) -> Result<(), HostError> {
        self.withdraw_there(dir)
    }

    fn spool_dir(&self, _job_base_dir: &Path) -> Result<PathBuf, HostError> {
        self.local_spool_dir()
    }

    fn staging_path(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        stage::staging_path(binary, job_base_dir)
    }

    fn mark_as_used(&self, staged: &Path) -> Result<bool, HostError> {
        self.mark_there(staged)
    }

    fn stage(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        self.stage_there(binary, job_base_dir)
    }

    fn name(&self) -> Option<&str> {
        Some(self.settings.host())
    }

    fn round_trip(&self) -> Duration {
        self.fastest_answer()
    }
}
