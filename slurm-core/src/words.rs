//! Phrases of Slurm's commands.

/// Phrases that leave open whether the controller carried out a command: it was asked, and its answer did not
/// come. Source: `slurm_errno.c`, 20.11 to 25.11.
pub const LEAVE_OPEN: &[&str] = &[
    "Socket timed out",
    "Unable to contact slurm controller",
    "Transport endpoint is not connected",
    "Zero Bytes were transmitted",
    "Unexpected message received",
    "Connection refused",
    "Connection reset",
    "Slurm backup controller in standby mode",
    "Communication connection failure",
];
