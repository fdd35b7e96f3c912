//! What a program says of every job of a cluster, as its Slurmfile may.

use slurm_core::options::{OptionInput, Source};
use slurm_core::requeue::OnTimeout;
use slurm_core::variable::VariableName;

use super::ClusterBuilder;
use crate::callback::{Callback, OwnCallbacks};
use crate::error::{OptionProblem, Result};
use crate::model::check_shell;
use crate::slurmfile::{Compress, Environment, ProgramCheck};

/// What the methods of the builder have set.
#[derive(Clone, Debug, Default)]
pub(super) struct EveryJob {
    environment: Environment,
    pub(super) callbacks: OwnCallbacks,
    problems: Vec<OptionProblem>,
}

impl EveryJob {
    /// Returns what a Slurmfile says with this in its place.
    ///
    /// # Errors
    /// [`Error::Options`](crate::Error::Options) with all that is wrong with what was set.
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

/// What holds for every job, as the sections of a [Slurmfile](crate::Slurmfile) say it. What is wrong is told by
/// [`build`](Self::build).
impl ClusterBuilder {
    /// Sets the option `key` of every job, as the section `submit` does; what the attribute or the call sets
    /// beats it.
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

    /// Passes a flag to sbatch as it is, for every job: `--my-plugin=value`.
    pub fn extra_flag(mut self, flag: impl Into<String>) -> Self {
        if let Err(error) = self.every_job.environment.submit.extra(flag.into()) {
            self.every_job.refuse(error);
        }
        self
    }

    /// Sets what happens to jobs that come near their time limit; see
    /// [`JobBuilder::on_timeout`](crate::JobBuilder::on_timeout), which beats it.
    pub fn on_timeout(mut self, action: OnTimeout) -> Self {
        self.every_job.environment.on_timeout = Some(action);
        self
    }

    /// Sets how often jobs may be run again at their own request; see
    /// [`JobBuilder::max_requeues`](crate::JobBuilder::max_requeues), which beats it.
    pub fn max_requeues(mut self, times: u32) -> Self {
        self.every_job.environment.max_requeues = Some(times);
        self
    }

    /// Sets the shell that runs the lines of `setup`, by name or path. By default it is bash where there is one,
    /// and sh elsewhere.
    pub fn shell(mut self, shell: impl Into<String>) -> Self {
        let shell = shell.into();
        if let Err(message) = check_shell(&shell) {
            self.every_job.refuse(OptionProblem::with_value("shell", &shell, message));
        }
        self.every_job.environment.shell = Some(shell);
        self
    }

    /// Sets whether that shell is a login shell, which reads `/etc/profile` and so has functions such as
    /// `module` wherever the program submits from.
    pub fn login(mut self, login: bool) -> Self {
        self.every_job.environment.login = Some(login);
        self
    }

    /// Adds a line of shell that every job runs before the task, after the lines of the Slurmfile. A line that
    /// fails ends the job as [`NotStarted`](crate::JobErrorKind::NotStarted), unless it ends in `|| true`.
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

    /// Adds a callback to those of the Slurmfile. It needs no name.
    pub fn callback<C: Callback + 'static>(mut self, callback: C) -> Self {
        self.every_job.callbacks.add(callback);
        self
    }

    /// Sets whether what is sent to a remote cluster is compressed; by default where it helps.
    pub fn compress(mut self, compress: Compress) -> Self {
        self.every_job.environment.compress = Some(compress);
        self
    }

    /// Sets whether the program has to fit the machine from which jobs are submitted; by default it does.
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
    fn what_the_builder_says_beats_the_slurmfile() {
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
        // Whoever adds a setting to the Slurmfile adds a method to the builder.
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
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = builder().set("tiem", 1).set("time", "4 h").env("2X", "").shell("fish");
        let told = wrong.setup("a\0b").extra_flag("x").build().unwrap_err().to_string();
        for part in ["did you mean `time`", "04:00:00", "`2X`", "NUL", "fish"] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}
