//! Why waiting is in vain.

#[cfg(feature = "ssh")]
use std::sync::Arc;

use crate::error::{Error, HostError};
#[cfg(feature = "ssh")]
use crate::host::ssh::SshError;

/// Why no wait can end, however often the backend is asked.
#[derive(Clone, Debug)]
pub(crate) enum Obstacle {
    /// The backend's commands are not installed.
    MissingCommand { program: String, command: String },
    /// The login node does not let this process in any more. To try again and again would lock the account at
    /// many a site.
    #[cfg(feature = "ssh")]
    Refused(Arc<SshError>),
}

impl Obstacle {
    /// Returns the obstacle that an error tells of; `None` if asking again may help.
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

    /// Returns the obstacle that an error of any kind tells of.
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
