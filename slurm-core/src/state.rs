//! Job states as Slurm prints them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $long:literal / $compact:literal,)*) => {
        /// What Slurm says a job is doing.
        ///
        /// squeue, sacct and scontrol print one word: a base state, or a flag in its place. Both are
        /// variants here. A word that this version does not know is kept in [`JobState::Unknown`] and
        /// is never taken for an end. Source: `job_state_string()` in Slurm's
        /// `slurm_protocol_defs.c`, 20.11 to 26.05.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum JobState {
            $($(#[$doc])* $variant,)*
            /// A word that this version of the library does not know.
            Unknown(String),
        }

        impl JobState {
            /// Every known state.
            pub const ALL: &'static [JobState] = &[$(JobState::$variant,)*];

            /// Returns the state's long name, as `squeue -o %T` and sacct print it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $long,)*
                    Self::Unknown(word) => word,
                }
            }

            fn from_word(word: &str) -> Option<Self> {
                $(if word.eq_ignore_ascii_case($long) || (!$compact.is_empty() && word.eq_ignore_ascii_case($compact)) {
                    return Some(Self::$variant);
                })*
                None
            }
        }
    };
}

states! {
    /// Waiting for resources, a dependency or a start time.
    Pending = "PENDING" / "PD",
    /// Running.
    Running = "RUNNING" / "R",
    /// Stopped, with its resources given to another job.
    Suspended = "SUSPENDED" / "S",
    /// Ended with exit code 0.
    Completed = "COMPLETED" / "CD",
    /// Cancelled by its user or an administrator.
    Cancelled = "CANCELLED" / "CA",
    /// Ended with another exit code, or by a signal.
    Failed = "FAILED" / "F",
    /// Ended by its time limit.
    Timeout = "TIMEOUT" / "TO",
    /// Ended because a node failed; often requeued.
    NodeFail = "NODE_FAIL" / "NF",
    /// Ended in favour of a job of higher priority; often requeued.
    Preempted = "PREEMPTED" / "PR",
    /// Ended because a node did not boot; often requeued.
    BootFail = "BOOT_FAIL" / "BF",
    /// Ended because it could not finish before its deadline.
    Deadline = "DEADLINE" / "DL",
    /// Ended by the kernel or Slurm for using more memory than it asked for.
    OutOfMemory = "OUT_OF_MEMORY" / "OOM",
    /// Finishing: processes are being cleaned up.
    Completing = "COMPLETING" / "CG",
    /// Its nodes are booting.
    Configuring = "CONFIGURING" / "CF",
    /// Its cloud nodes are being prepared ahead of time (25.11).
    Expediting = "EXPEDITING" / "",
    /// Its allocation is changing size.
    Resizing = "RESIZING" / "RS",
    /// Back in the queue after it had started.
    Requeued = "REQUEUED" / "RQ",
    /// Requeued by the federation.
    RequeueFed = "REQUEUE_FED" / "RF",
    /// Requeued and held.
    RequeueHold = "REQUEUE_HOLD" / "RH",
    /// Requeued and held with a special exit code.
    SpecialExit = "SPECIAL_EXIT" / "SE",
    /// A scrontab job that waits for its next run (20.11).
    RequeuedCron = "REQUEUED_CRON" / "RC",
    /// Stopped by a signal, keeping its resources.
    Stopped = "STOPPED" / "ST",
    /// A sibling of it started on another cluster of the federation.
    Revoked = "REVOKED" / "RV",
    /// Held because its reservation was deleted.
    ResvDelHold = "RESV_DEL_HOLD" / "RD",
    /// Being signalled.
    Signaling = "SIGNALING" / "SI",
    /// Copying its files out of a burst buffer.
    StageOut = "STAGE_OUT" / "SO",
    /// Could not be launched on its nodes.
    LaunchFailed = "LAUNCH_FAILED" / "",
    /// The login environment could not be loaded (25.05).
    GetenvFailed = "GETENV_FAILED" / "",
    /// Its nodes could not be reconfigured.
    ReconfigFail = "RECONFIG_FAIL" / "",
    /// Its nodes are being powered up.
    PowerUpNode = "POWER_UP_NODE" / "",
}

impl JobState {
    /// Reads a state as any of Slurm's commands print it: long or compact, in any case, with
    /// sacct's `CANCELLED by 1000` and with the `+` of a column that was cut.
    pub fn parse(text: &str) -> Self {
        let word = text.split_whitespace().next().unwrap_or("");
        if let Some(state) = Self::from_word(word) {
            return state;
        }
        if let Some(cut) = word.strip_suffix('+') {
            let mut fitting = Self::ALL.iter().filter(|state| state.as_str().starts_with(cut));
            if let (Some(state), None) = (fitting.next(), fitting.next()) {
                return state.clone();
            }
        }
        Self::Unknown(word.to_owned())
    }

    /// Returns whether a job in this state has ended.
    ///
    /// `NODE_FAIL`, `PREEMPTED` and `BOOT_FAIL` are ends too, but see [`may_return`](Self::may_return).
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Completed
                | Self::Cancelled
                | Self::Failed
                | Self::Timeout
                | Self::NodeFail
                | Self::Preempted
                | Self::BootFail
                | Self::Deadline
                | Self::OutOfMemory
                | Self::Revoked
        )
    }

    /// Returns whether Slurm may put a job in this terminal state back into the queue under the
    /// same id.
    pub fn may_return(&self) -> bool {
        matches!(self, Self::NodeFail | Self::Preempted | Self::BootFail)
    }

    /// Returns whether the job is waiting, for any reason.
    pub fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::Requeued
                | Self::RequeueFed
                | Self::RequeueHold
                | Self::SpecialExit
                | Self::RequeuedCron
                | Self::ResvDelHold
        )
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<String> for JobState {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<JobState> for String {
    fn from(state: JobState) -> Self {
        state.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back_from_what_it_prints() {
        for state in JobState::ALL {
            assert_eq!(&JobState::parse(state.as_str()), state);
            assert_eq!(&JobState::parse(&state.as_str().to_lowercase()), state);
        }
    }

    #[test]
    fn the_spellings_of_each_command_are_read() {
        assert_eq!(JobState::parse("CANCELLED by 1000"), JobState::Cancelled);
        assert_eq!(JobState::parse("CANCELLED+"), JobState::Cancelled);
        assert_eq!(JobState::parse("OUT_OF_ME+"), JobState::OutOfMemory);
        assert_eq!(JobState::parse("CG"), JobState::Completing);
        assert_eq!(JobState::parse("REQUEUE+"), JobState::Unknown("REQUEUE+".to_owned()));
    }

    #[test]
    fn an_unknown_word_is_not_an_end() {
        for text in ["", "?", "HIBERNATING", "COMPLETELY"] {
            let state = JobState::parse(text);
            assert_eq!(state, JobState::Unknown(text.to_owned()));
            assert!(!state.is_terminal() && !state.is_pending());
        }
    }

    #[test]
    fn states_on_the_way_are_not_ends() {
        for state in
            [JobState::Completing, JobState::StageOut, JobState::Requeued, JobState::SpecialExit]
        {
            assert!(!state.is_terminal(), "{state}");
        }
    }
}
