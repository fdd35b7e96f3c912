//! The kinds of backends.

use slurm_core::word_enum;

/// The system that runs the jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendKind {
    /// The embedded backend: processes on this machine.
    #[default]
    Local,
    /// The Slurm of this host.
    Slurm,
    /// The Slurm of another host, over SSH.
    Ssh,
}

word_enum!(BackendKind, "backend", { Local: "local", Slurm: "slurm", Ssh: "ssh" });
