//! Running the user's own commands on the cluster's host.

use std::time::Duration;

use slurm_host::CommandLine;

use super::Cluster;
use crate::error::{HostError, Result};

pub use slurm_host::Output as CommandOutput;

/// The time limit of a command.
const LIMIT: Duration = Duration::from_secs(3600);

impl Cluster {
    /// Runs a program with its arguments on the host where sbatch runs, and returns its output and exit status.
    ///
    /// The first item is the program. No shell reads the words, so each reaches the program unchanged. Standard
    /// input is empty; Slurm's variables (`SLURM_*`, `SBATCH_*`, …) are not passed on. After an hour the
    /// program is killed.
    ///
    /// ```no_run
    /// # fn main() -> slurm::Result<()> {
    /// # let (cluster, partition) = (slurm::Cluster::local()?, "gpu");
    /// let nodes = cluster.command(["sinfo", "-h", "-o", "%n %T", "-p", partition])?;
    /// assert!(nodes.status.success(), "{}", nodes.stderr);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the program does not exist, a word holds a NUL, or the program took too long. A non-zero exit status
    /// is not an error.
    pub fn command<I: IntoIterator<Item: Into<String>>>(&self, words: I) -> Result<CommandOutput> {
        let mut words = words.into_iter().map(Into::into);
        let program = words.next().unwrap_or_default();
        self.run(CommandLine::new(&program).args(words))
    }

    /// Runs a line of shell (`/bin/sh`) on the host where sbatch runs, and returns its output and exit status.
    ///
    /// <div class="warning">
    ///
    /// This is the only method that runs text as shell. Put nothing into `line` that you have not written
    /// yourself: a path or a name from another source can hold `; rm -rf ~`. [`command`](Self::command) takes
    /// the words one by one and does not have this problem.
    ///
    /// </div>
    ///
    /// ```no_run
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = slurm::Cluster::local()?;
    /// let free = cluster.shell("df -h ~ | tail -1")?;
    /// println!("{}", free.stdout);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn shell(&self, line: &str) -> Result<CommandOutput> {
        self.run(CommandLine::new("/bin/sh").args(["-c", line]))
    }

    fn run(&self, command: CommandLine) -> Result<CommandOutput> {
        let command = command.within(LIMIT).once();
        if let Some(reason) = command.refusal() {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
            return Err(HostError::Start { command: command.to_string(), source }.into());
        }
        Ok(self.backend().host().run(&command)?)
    }
}
