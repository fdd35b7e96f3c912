//! Removing the directories of submissions that came to nothing.
//!
//! A shell whose connection was lost may wake up at any time and go on with its submission. It makes a directory
//! only if there is none, and calls sbatch only with the claim. So a directory with which a shell may go
//! on is emptied but for the claim: then that shell finds neither.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::failure::verdict;
use super::host::SshHost;
use super::shell::Script;
use super::submit::CLAIM;
use crate::error::HostError;

impl SshHost {
    /// Notes the claims of submissions with which a shell may go on any time.
    pub(super) fn may_wake_up(&self, claims: impl Iterator<Item = PathBuf>) {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).extend(claims);
    }

    /// Forgets these claims: sbatch has taken the jobs, so nobody will remove their directories.
    pub(super) fn are_settled(&self, claims: impl Iterator<Item = PathBuf>) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        for claim in claims {
            sleepers.remove(&claim);
        }
    }

    /// Removes what failures have left behind, given the directories and the steps of `add_directory`.
    pub(super) fn clear_away<'a>(&self, failures: impl Iterator<Item = (&'a Path, usize)>) {
        // At 12 it was there already, or was made with others of which one could not be: what is in it
        // is somebody else's.
        let failures = failures.filter(|(_, step)| *step >= 12);
        let (empty, begun): (Vec<_>, Vec<_>) = failures.partition(|(_, step)| *step == 12);
        let dirs = |failures: Vec<(&'a Path, usize)>| -> Vec<&Path> {
            failures.into_iter().map(|(dir, _)| dir).collect()
        };
        let (empty, begun) = (dirs(empty), dirs(begun));
        if empty.is_empty() && begun.is_empty() {
            return;
        }
        if let Err(error) = self.remove_all(&empty, &begun) {
            log::warn!("a directory could not be removed: {error}");
        }
    }

    pub(super) fn withdraw_there(&self, dir: &Path) -> Result<(), HostError> {
        self.remove_all(&[], &[dir])
    }

    /// Removes the directories `empty` if they are, and `begun` with what is in them.
    fn remove_all(&self, empty: &[&Path], begun: &[&Path]) -> Result<(), HostError> {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut script = Script::new();
        script.add("t w; (LC_ALL=C; export LC_ALL; s=0\n");
        for dir in empty {
            script.add("rmdir -- ").path(dir)?.add(" 2>/dev/null\n");
        }
        for dir in begun {
            let claims: Vec<&PathBuf> =
                sleepers.iter().filter(|claim| claim.parent() == Some(*dir)).collect();
            if claims.is_empty() {
                script.add("rm -rf -- ").path(dir)?.add(" || s=1\n");
                continue;
            }
            for claim in claims {
                script.add("printf '' 2>/dev/null >").path(claim)?.add("\n");
            }
            script.add("find ").path(dir)?.add(" -mindepth 1 -maxdepth 1 ");
            script.add(format!("! -name '{CLAIM}*' -exec rm -rf -- {{}} + || s=1\n"));
        }
        script.add("exit $s) 2>&1 </dev/null; t \"s$?\"");
        let answer = self.ask("remove", &script)?;
        let first = begun.iter().chain(empty).next().map(|dir| dir.to_path_buf());
        verdict(&answer.parts(), |_| ("remove", first.clone().unwrap_or_default()))
    }
}
