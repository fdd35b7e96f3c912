//! Reasons why a wait can never end.

#[cfg(feature = "ssh")]
use std::sync::Arc;

#[cfg(feature = "ssh")]
use slurm_host::ssh::SshError;

use crate::error::{Error, HostError};

/// A reason why no wait can end, however often the backend is asked.
#[derive(Clone, Debug)]
pub(crate) enum Obstacle {
    /// The backend's commands are not installed.
    MissingCommand { program: String, command: String },
    /// The login node refuses this process. Further attempts would lock the account at many sites.
    #[cfg(feature = "ssh")]
    Refused(Arc<SshError>),
}

impl Obstacle {
    /// Returns the obstacle of an error, or `None` if asking again may help.
    pub(super) fn of(error: &HostError) -> Option<Self> {
        match error {
            HostError::CommandMissing { program, command } => {
                Some(Self::MissingCommand { program: program.clone(), command: command.clone() })
            }
            #[cfg(feature = "ssh")]
            HostError::Ssh(error) if !error.may_pass() => Some(Self::Refused(error.clone())),
            _ => None,
        }
    }

    /// Returns the obstacle of an error of any kind.
    pub(crate) fn of_error(error: &Error) -> Option<Self> {
        match error {
            Error::Host(error) => Self::of(error),
            #[cfg(feature = "ssh")]
            Error::Ssh(error) if !error.may_pass() => Some(Self::Refused(error.clone())),
            _ => None,
        }
    }
}

impl From<Obstacle> for Error {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::MissingCommand { program, command } => {
                HostError::CommandMissing { program, command }.into()
            }
            #[cfg(feature = "ssh")]
            Obstacle::Refused(error) => Self::Ssh(error),
        }
    }
}
