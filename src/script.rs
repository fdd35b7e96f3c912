//! The batch script.

use std::fmt::Write;
use std::path::Path;

use slurm_core::ids::PreId;
use slurm_core::layout::JobDir;
use slurm_core::options::OptionSet;

use crate::slurmfile::Environment;

/// How the script starts the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Launcher {
    /// One process: the runner is the batch step itself, so signals reach it and its exit code is the job's.
    Exec,
    /// One process per Slurm task.
    Srun,
}

/// What stands in a batch script.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    pub(crate) options: &'a OptionSet,
    pub(crate) task: &'a str,
    pub(crate) pre_id: &'a PreId,
    pub(crate) job_base_dir: &'a Path,
    pub(crate) binary: &'a Path,
    pub(crate) dir: &'a JobDir,
    /// Of an array: the element that has the index 0.
    pub(crate) first: Option<u64>,
    pub(crate) launcher: Launcher,
    /// Of the Slurmfile: variables, and lines of shell before the task.
    pub(crate) environment: &'a Environment,
}

/// The variable by which a process knows that it runs inside a job; its value is the submission's id.
pub(crate) const INSIDE_JOB: &str = "SLURM_SDK_JOB";

impl Script<'_> {
    /// Returns the text of the script.
    ///
    /// The `#SBATCH` lines repeat what is passed to sbatch as arguments, so that a person can read and
    /// resubmit the script.
    pub(crate) fn render(&self) -> String {
        let mut text = String::from("#!/bin/sh\n");
        for line in self.options.to_directives() {
            text.push_str(&line);
            text.push('\n');
        }
        let comment = |text: &str| text.replace(|c: char| c.is_control(), "?");
        let word = |path: &Path| shell_word(&path.to_string_lossy());
        let _ = writeln!(
            text,
            "\n# slurm-sdk: task {}, submission {}",
            comment(self.task),
            self.pre_id
        );
        for (name, value) in &self.environment.env {
            let _ = writeln!(text, "export {name}={}", shell_word(value));
        }
        let _ = writeln!(text, "export {INSIDE_JOB}={}", self.pre_id);
        let _ = writeln!(text, "export SLURM_SDK_JOB_BASE_DIR={}", word(self.job_base_dir));
        for line in &self.environment.setup {
            let _ = writeln!(text, "{line}");
        }
        let mut run = format!("{} __slurm run {}", word(self.binary), word(&self.dir.spec()));
        // What becomes the result once all of several processes have succeeded, and what it becomes.
        let (mut value, mut result) = (word(&self.dir.value()), word(&self.dir.result()));
        let mut requeue = word(&self.dir.requeue());
        let mut code = "$code".to_owned();
        if let Some(first) = self.first {
            // Elements share the directory.
            requeue += "-${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID";
            let _ = write!(run, " {first}");
            let _ = write!(code, " {first}");
            let element = format!("/$(({first} + SLURM_ARRAY_TASK_ID))");
            value = word(&self.dir.path().join("values")) + &element;
            result = word(&self.dir.segments()) + &element;
        }
        let _ = match self.launcher {
            Launcher::Exec => writeln!(text, "exec {run}"),
            // 22.05 to 23.02 do not hand the batch script's CPUs per task on to srun. A signal for the batch
            // script alone must not end it. The value of the first process counts once all have succeeded. What
            // the run before left is gone before any process of this one can leave something.
            Launcher::Srun => write!(
                text,
                "trap : USR1 USR2\n\
                 [ \"${{SLURM_RESTART_COUNT:-0}}\" = 0 ] || rm -f {value} {result}\n\
                 srun ${{SLURM_CPUS_PER_TASK:+--cpus-per-task=$SLURM_CPUS_PER_TASK}} --kill-on-bad-exit=1 {run} \\\n\
                 \x20   && exec mv -f {value} {result}\n\
                 code=$?\n\
                 [ ! -e {requeue} ] || exec {} __slurm requeue {} {code}\n\
                 exit $code\n",
                word(self.binary),
                word(&self.dir.spec()),
            ),
        };
        text
    }
}

/// Returns `text` as one word of a POSIX shell.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_takes_back_every_word() {
        let hostile = [
            "",
            "a b",
            "$(touch x)",
            "it's",
            "`id`",
            "a\nb",
            "\"",
            "\\",
            "*",
            "~",
            "#x",
            "ü",
            "-n",
        ];
        for text in hostile {
            let line = format!("printf %s {}", shell_word(text));
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{line}");
        }
    }
}
