//! Settings of all jobs of a cluster from the program, beside the Slurmfile.

use slurm_core::options::{OptionInput, Source};
use slurm_core::requeue::OnTimeout;
use slurm_core::variable::VariableName;

use super::ClusterBuilder;
use crate::callback::{Callback, OwnCallbacks};
use crate::error::{OptionProblem, Result};
use crate::model::check_shell;
use crate::slurmfile::{Compress, Environment, ProgramCheck};

/// The settings that the methods of the builder have made.
#[derive(Clone, Debug, Default)]
pub(super) struct EveryJob {
    environment: Environment,
    pub(super) callbacks: OwnCallbacks,
    problems: Vec<OptionProblem>,
}

impl EveryJob {
    /// Returns the Slurmfile's settings with these settings over them.
    ///
    /// # Errors
    /// [`Error::Options`](crate::Error::Options) with all problems.
    pub(super) fn over(&self, slurmfile: Environment) -> Result<Environment> {
        if self.problems.is_empty() {
            Ok(slurmfile.under(&self.environment))
        } else {
            Err(self.problems.clone().into())
        }
    }

    /// Notes a problem, which [`over`](Self::over) reports.
    fn refuse(&mut self, problem: impl Into<OptionProblem>) {
        self.problems.push(problem.into().set_in(Some(Source::Cluster)));
    }
}

/// Settings of all jobs, as in the sections of a [Slurmfile](crate::Slurmfile). [`build`](Self::build) reports
/// all problems with them.
impl ClusterBuilder {
    /// Sets the option `key` of all jobs, like the section `submit`. The attribute and the call take precedence
    /// over it.
    ///
    /// ```no_run
    /// # fn main() -> slurm::Result<()> {
    /// let builder = slurm::Cluster::builder().backend(slurm::BackendKind::Slurm);
    /// let cluster = builder.set("account", "proj1").set("time", 90).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set(mut self, key: &str, value: impl Into<OptionInput>) -> Self {
        if let Err(error) = self.every_job.environment.submit.put(key, value, Source::Cluster) {
            self.every_job.refuse(error);
        }
        self
    }

    /// Passes a flag to sbatch unchanged, for all jobs: `--my-plugin=value`.
    pub fn extra_flag(mut self, flag: impl Into<String>) -> Self {
        if let Err(error) = self.every_job.environment.submit.extra(flag.into()) {
            self.every_job.refuse(error);
        }
        self
    }

    /// Sets what happens at the time limit of a job. [`JobBuilder::on_timeout`](crate::JobBuilder::on_timeout)
    /// explains it and takes precedence.
    pub fn on_timeout(mut self, action: OnTimeout) -> Self {
        self.every_job.environment.on_timeout = Some(action);
        self
    }

    /// Limits how often a job may be run again at its own request.
    /// [`JobBuilder::max_requeues`](crate::JobBuilder::max_requeues) explains it and takes precedence.
    pub fn max_requeues(mut self, times: u32) -> Self {
        self.every_job.environment.max_requeues = Some(times);
        self
    }

    /// Sets the shell that runs the lines of `setup`, by name or path. The default is bash if it exists,
    /// otherwise sh.
    pub fn shell(mut self, shell: impl Into<String>) -> Self {
        let shell = shell.into();
        if let Err(message) = check_shell(&shell) {
            self.every_job.refuse(OptionProblem::with_value("shell", &shell, message));
        }
        self.every_job.environment.shell = Some(shell);
        self
    }

    /// Sets whether that shell is a login shell. A login shell reads `/etc/profile` and so has functions such
    /// as `module`, from whatever environment the program submits.
    pub fn login(mut self, login: bool) -> Self {
        self.every_job.environment.login = Some(login);
        self
    }

    /// Adds a line of shell that every job runs before the task, after the lines of the Slurmfile. If a line
    /// fails, the job ends as [`NotStarted`](crate::JobErrorKind::NotStarted), unless the line ends in `||
    /// true`.
    pub fn setup(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        if line.contains('\0') {
            self.every_job.refuse(OptionProblem::setup_with_nul());
        }
        self.every_job.environment.setup.push(line);
        self
    }

    /// Sets an environment variable of every job.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        match name.parse::<VariableName>() {
            Ok(_) if value.contains('\0') => {
                self.every_job.refuse(OptionProblem::variable_with_nul(name));
            }
            Ok(name) => drop(self.every_job.environment.env.insert(name, value)),
            Err(error) => self.every_job.refuse(OptionProblem::with("env", error.to_string())),
        }
        self
    }

    /// Adds a callback, after the callbacks of the Slurmfile. It needs no name.
    pub fn callback<C: Callback + 'static>(mut self, callback: C) -> Self {
        self.every_job.callbacks.add(callback);
        self
    }

    /// Sets whether the program is compressed on its way to a remote cluster. By default it is compressed where
    /// that helps.
    pub fn compress(mut self, compress: Compress) -> Self {
        self.every_job.environment.compress = Some(compress);
        self
    }

    /// Sets whether the program must fit the machine from which jobs are submitted. By default it must.
    pub fn check_program(mut self, check: ProgramCheck) -> Self {
        self.every_job.environment.check = Some(check);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;
    use crate::slurmfile::Slurmfile;

    fn builder() -> ClusterBuilder {
        let text = "[default]\nsetup = ['a']\n[default.env]\nA = '1'\nB = '2'\n\
                    [default.submit]\naccount = 'one'\nmem_per_cpu = '1G'\nmax_requeues = 1\n\
                    [default.packaging]\ncompress = 'auto'\n";
        let file = Slurmfile::parse(text, "Slurmfile").unwrap();
        let environment = file.environment("default").unwrap();
        let base = std::env::temp_dir();
        Cluster::builder().job_base_dir(base).environment(environment)
    }

    #[test]
    fn the_builder_takes_precedence_over_the_slurmfile() {
        let cluster = builder()
            .set("account", "two")
            .set("mem", "2G")
            .extra_flag("--plugin=x")
            .on_timeout(OnTimeout::Requeue)
            .max_requeues(2)
            .shell("zsh")
            .login(true)
            .setup("b")
            .env("A", "3")
            .compress(Compress::Never)
            .check_program(ProgramCheck::Off)
            .build()
            .unwrap();
        // This pattern is exhaustive, so a new setting of the Slurmfile needs a method of the builder.
        let Environment {
            backend: _,
            job_base_dir: _,
            runner_binary: _,
            script_permissions: _,
            job_dir_permissions: _,
            callbacks: _,
            #[cfg(feature = "ssh")]
                ssh: _,
            submit,
            on_timeout,
            max_requeues,
            shell,
            login,
            setup,
            env,
            compress,
            check,
        } = cluster.environment();
        assert_eq!(submit.to_args(), ["--account=two", "--mem=2G", "--plugin=x"]);
        assert_eq!((*on_timeout, *max_requeues), (Some(OnTimeout::Requeue), Some(2)));
        assert_eq!(
            (setup.join(" "), env["A"].as_str(), env["B"].as_str()),
            ("a b".into(), "3", "2")
        );
        assert_eq!((*compress, *check), (Some(Compress::Never), Some(ProgramCheck::Off)));
        assert_eq!((shell.as_deref(), *login), (Some("zsh"), Some(true)));
    }

    #[test]
    fn all_problems_are_reported_together() {
        let wrong = builder().set("tiem", 1).set("time", "4 h").env("2X", "").shell("fish");
        let told = wrong.setup("a\0b").extra_flag("x").build().unwrap_err().to_string();
        for part in ["did you mean `time`", "04:00:00", "`2X`", "NUL", "fish"] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}
