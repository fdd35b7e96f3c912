//! The batch script.

use std::fmt::Write;
use std::path::Path;

use slurm_core::ids::SubmissionId;
use slurm_core::layout::{END_TIME, FIRST_EXIT, JobDir};
use slurm_core::options::{OptionSet, OptionValue, Signal};
use slurm_host::{quoted_word, shell_word};
use slurm_runner::exit;
use slurm_runner::warning::{WARNED, WARNING};

use crate::model::Prologue;

/// How the script starts the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Launcher {
    /// One process: the runner is the batch step itself, so signals reach it and its exit code is the job's.
    Exec,
    /// One process per Slurm task, started by srun.
    Srun,
    /// One process per task; the supervisor starts the script once for each.
    Each,
}

/// The parts of a batch script.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    pub(crate) options: &'a OptionSet,
    pub(crate) task: &'a str,
    pub(crate) submission_id: &'a SubmissionId,
    pub(crate) job_base_dir: &'a Path,
    pub(crate) binary: &'a Path,
    pub(crate) dir: &'a JobDir,
    /// The number of the element with the index 0, for an array.
    pub(crate) first: Option<u64>,
    pub(crate) launcher: Launcher,
    /// Whether `SLURM_SUBMIT_DIR` is the working directory, whatever `chdir` says.
    pub(crate) starts_in_submit_dir: bool,
    /// Whether the script tries whether the program runs on the node. A trial takes some milliseconds.
    pub(crate) tries_program: bool,
    /// Whether the job's host has [`BASH`], as far as this program can know.
    pub(crate) has_bash: bool,
    pub(crate) prologue: &'a Prologue,
}

/// The path of bash on clusters.
pub(crate) const BASH: &str = "/bin/bash";

/// The variable that marks a process inside a job. Its value is the submission's id.
pub(crate) const INSIDE_JOB: &str = "SLURM_SDK_JOB";

/// The argument with which the script restarts itself in the shell for the lines of `setup`.
pub(crate) const AGAIN: &str = "slurm-sdk";

/// The beginning of the line in which a script says why it did not start the task.
pub(crate) const NOT_STARTED: &str = "slurm-sdk: not started: ";

impl Script<'_> {
    /// Returns the text of the script.
    ///
    /// The `#SBATCH` lines repeat the arguments of sbatch, so that a person can read and resubmit the script.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("#!{}\n", if self.begins_in_bash() { BASH } else { "/bin/sh" });
        for line in self.options.to_directives() {
            text.push_str(&line);
            text.push('\n');
        }
        let comment = |text: &str| text.replace(|c: char| c.is_control(), "?");
        let _ = writeln!(
            text,
            "\n# slurm-sdk: task {}, submission {}",
            comment(self.task),
            self.submission_id
        );
        let element = if self.first.is_some() {
            "\"-${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\""
        } else {
            ""
        };
        // A task may end its process with the same exit code, so the script also writes a note with the run and
        // the reason. The log may be anywhere. Lines of `setup` may have set `-e` and `-C`, which must not
        // affect this.
        let _ = write!(
            text,
            "slurm_sdk_fail() {{\n\
             \x20   slurm_sdk_line=\n\
             \x20   printf '{NOT_STARTED}%s\\n' \"$1\" >&2 || :\n\
             \x20   {{ printf '%s\\n%s\\n' \"${{SLURM_RESTART_COUNT:-0}}\" \"$1\" >|{}{element}; }} 2>/dev/null || :\n\
             \x20   exit \"${{2-{}}}\"\n\
             }}\n",
            word(&self.dir.not_started(None)),
            exit::SETUP
        );
        self.note_times(&mut text);
        self.change_shell(&mut text);
        self.change_dir(&mut text);
        for (name, value) in &self.prologue.env {
            let _ = writeln!(text, "export {name}={}", shell_word(value));
        }
        let _ = writeln!(text, "export {INSIDE_JOB}={}", self.submission_id);
        let _ = writeln!(text, "export SLURM_SDK_JOB_BASE_DIR={}", word(self.job_base_dir));
        self.set_up(&mut text);
        if self.tries_program {
            self.try_program(&mut text);
        }
        self.start(&mut text);
        text
    }

    /// Notes a warning signal that comes before the runner can handle it. With a short limit it comes as soon as the
    /// job starts, because Slurm may send it too early. Notes the end of the job, too, which Slurm up to 22.05 does not
    /// tell: `setup` may take long.
    fn note_times(&self, text: &mut String) {
        let _ = write!(
            text,
            "[ \"${{1-}}\" = {AGAIN} ] || unset {WARNED} {WARNING} {END_TIME}\n\
             trap 'export {WARNED}=$(date +%s)' USR1 USR2\n"
        );
        let Some(limit) = self.limit() else { return };
        let _ = write!(
            text,
            "if [ \"${{1-}}\" != {AGAIN} ]; then\n\
             \x20   slurm_sdk_began=${{SLURM_JOB_START_TIME:-$(date +%s)}}\n\
             \x20   export {END_TIME}=\"${{SLURM_JOB_END_TIME:-$((slurm_sdk_began + {limit}))}}\"\n"
        );
        // A signal is lost while a login shell reads its files, between `exec` and the runner's handler, and before
        // srun has started the steps that it is for. The runner then goes by the time.
        if let Some((lead, early)) = self.warning(limit) {
            let _ = writeln!(
                text,
                "    export {WARNING}=\"$slurm_sdk_began $((slurm_sdk_began + {lead})) $((slurm_sdk_began + {}))\"",
                lead.saturating_sub(early)
            );
        }
        text.push_str("fi\n");
    }

    /// Returns the time limit in seconds. slurmctld counts limits in minutes.
    fn limit(&self) -> Option<u64> {
        let limit = self.options.time_limit()?.as_secs();
        Some(if self.starts_in_submit_dir { limit } else { limit.div_ceil(60) * 60 })
    }

    /// Returns how many seconds after the start the warning signal is due, and how many seconds before that it may be
    /// sent.
    fn warning(&self, limit: u64) -> Option<(u64, u64)> {
        let Some(OptionValue::Value(signal)) = self.options.get("signal") else { return None };
        let signal: Signal = signal.parse().ok()?;
        // slurmctld looks at limits every 30 s.
        let early = if self.starts_in_submit_dir { 0 } else { 30 };
        let is_warning = [10, 12].contains(&signal.number());
        is_warning.then(|| (limit.saturating_sub(signal.seconds().into()), early))
    }

    /// Whether the first shell of the script is bash. dash, which is `/bin/sh` on Debian, drops the functions that a
    /// submitter has exported, such as `module`, so a bash that it starts does not get them.
    fn begins_in_bash(&self) -> bool {
        let Prologue { shell, setup, .. } = self.prologue;
        let is_bash = |shell: &String| Path::new(shell).ends_with("bash");
        self.has_bash && !setup.is_empty() && shell.as_ref().is_none_or(is_bash)
    }

    /// Restarts the script in the shell for the lines of `setup`.
    fn change_shell(&self, text: &mut String) {
        let Prologue { shell, login, setup, .. } = self.prologue;
        let is_right = setup.is_empty() || self.begins_in_bash();
        if is_right && !login && shell.is_none() {
            return;
        }
        let name = shell_word(shell.as_deref().unwrap_or("bash"));
        // The files of a login shell may take seconds, in which a signal would end the shell. So signals are
        // ignored during that time; they cannot be noted either.
        let (login, ignore) = if *login { (" -l", "trap '' USR1 USR2; ") } else { ("", "") };
        let otherwise = match shell {
            None => String::new(),
            Some(shell) => {
                let message = shell_word(&format!("the shell `{shell}` is not on "));
                format!("    slurm_sdk_fail {message}\"${{SLURMD_NODENAME:-this node}}\"\n")
            }
        };
        let _ = write!(
            text,
            "if [ \"${{1-}}\" != {AGAIN} ]; then\n\
             \x20   slurm_sdk_shell=$(command -v {name}) && {{ {ignore}exec \"$slurm_sdk_shell\"{login} \"$0\" {AGAIN}; }}\n\
             {otherwise}\
             fi\n\
             set --\n"
        );
    }

    /// Changes to the working directory. If slurmstepd cannot enter it, it starts the script in `/tmp`.
    fn change_dir(&self, text: &mut String) {
        let options = self.options.with_flags();
        let dir = match options.get("chdir") {
            Some(OptionValue::Value(dir)) if !self.starts_in_submit_dir => {
                let within = if dir.starts_with('/') { "" } else { "\"$SLURM_SUBMIT_DIR\"/" };
                format!("{within}{}", shell_word(dir))
            }
            _ => "\"$SLURM_SUBMIT_DIR\"".to_owned(),
        };
        let _ = write!(
            text,
            "[ -z \"${{SLURM_SUBMIT_DIR-}}\" ] || cd -- {dir} ||\n\
             \x20   slurm_sdk_fail 'the working directory '{dir}\" cannot be entered on ${{SLURMD_NODENAME:-this node}}\"\n"
        );
    }

    /// Runs the lines of `setup`, until one fails or ends the shell.
    fn set_up(&self, text: &mut String) {
        if self.prologue.setup.is_empty() {
            return;
        }
        text.push_str(
            "slurm_sdk_ended() {\n\
             \x20   [ -z \"$slurm_sdk_line\" ] || slurm_sdk_fail \"$slurm_sdk_line ended with exit code $1\"\n\
             }\n\
             trap 'slurm_sdk_ended $?' EXIT\n",
        );
        for (index, line) in self.prologue.setup.iter().enumerate() {
            let number = index + 1;
            let _ = write!(
                text,
                "slurm_sdk_line={}\n\
                 eval {} || slurm_sdk_ended $?\n",
                shell_word(&format!("line {number} of `setup`, `{}`,", shown(line))),
                quoted_word(line)
            );
        }
        text.push_str("slurm_sdk_line=\n");
    }

    /// Tries whether the program runs on this node and is a program of this library.
    fn try_program(&self, text: &mut String) {
        let binary = word(self.binary);
        let _ = write!(
            text,
            "slurm_sdk_code=0\n\
             (trap '' USR1 USR2; exec {binary} __slurm ready) || slurm_sdk_code=$?\n\
             if [ $slurm_sdk_code != {} ]; then\n\
             \x20   slurm_sdk_fail {binary}\" cannot run on ${{SLURMD_NODENAME:-this node}}: it ended with exit code $slurm_sdk_code\" {}\n\
             fi\n",
            exit::READY,
            exit::UNFIT
        );
    }

    /// Starts the runner.
    fn start(&self, text: &mut String) {
        let (binary, spec) = (word(self.binary), word(&self.dir.spec()));
        let first = self.first.map(|first| format!(" {first}")).unwrap_or_default();
        let run = format!("{binary} __slurm run {spec}{first}");
        let _ = match self.launcher {
            // A signal before the runner's handler is installed must not end the process.
            Launcher::Exec => writeln!(text, "trap '' USR1 USR2\nexec {run}"),
            Launcher::Each => writeln!(text, "trap '' USR1 USR2\nexec {run} several"),
            Launcher::Srun => write!(text, "{}", self.start_several(&run, &first)),
        };
    }

    /// Returns the lines that start several processes, and publish the value of the first one when all have
    /// succeeded.
    fn start_several(&self, run: &str, first: &str) -> String {
        // The files of each run have their own names, because a file server may show for a while that a name
        // does not exist if a process has looked for it.
        let restarts = "${SLURM_RESTART_COUNT:-0}";
        // The processes may have run on other nodes. NFS hides their new files for as long as it caches a
        // directory, and asks the server when the directory is opened.
        let mut fresh = format!("true <{}", word(self.dir.path()));
        let (value, result) = match self.first {
            Some(first) => {
                let element = format!("/$(({first} + SLURM_ARRAY_TASK_ID))");
                let (values, segments) = (word(&self.dir.values()), word(&self.dir.segments()));
                let _ = write!(fresh, "; true <{values}; true <{segments}");
                (values + &element, segments + &element)
            }
            None => (word(&self.dir.path().join("value")), word(&self.dir.result())),
        };
        // In an array, the names of these files prove that the runs before have reached the task.
        let clear = match self.first {
            Some(_) => format!(
                "for slurm_sdk_left in {value}.*; do [ ! -e \"$slurm_sdk_left\" ] || : >|\"$slurm_sdk_left\"; done"
            ),
            None => format!("rm -f {value}.*"),
        };
        let first_exit = word(&self.dir.path().join("exit-"));
        let (binary, spec) = (word(self.binary), word(&self.dir.spec()));
        // From 22.05 to 23.02, srun does not get the CPUs per task of the batch script, and gets none of its
        // variables if `export` names others. Files of earlier runs are removed before any process of this run
        // can write its own. A file server may have renamed the value although mv reports that it does not
        // exist.
        format!(
            "unset SLURM_EXPORT_ENV\n\
             export {FIRST_EXIT}={first_exit}\"$SLURM_JOB_ID.{restarts}\"\n\
             [ \"{restarts}\" = 0 ] || {{ rm -f {result}; {clear}; }}\n\
             slurm_sdk_code=0\n\
             srun ${{SLURM_CPUS_PER_TASK:+--cpus-per-task=$SLURM_CPUS_PER_TASK}} --kill-on-bad-exit=1 \\\n\
             \x20   /bin/sh -c {} slurm-sdk {run} several || slurm_sdk_code=$?\n\
             {{ {fresh}; }} 2>/dev/null\n\
             if [ $slurm_sdk_code = 0 ]; then\n\
             \x20   [ -s {value}.{restarts} ] && [ ! -e {result} ] || exit {}\n\
             \x20   mv -f {value}.{restarts} {result} ||\n\
             \x20       {{ [ ! -e {value}.{restarts} ] && [ -e {result} ]; }} || exit {}\n\
             \x20   exit 0\n\
             fi\n\
             exec {binary} __slurm conclude {spec} $slurm_sdk_code{first}\n",
            quoted_word(&one_of_several()),
            exit::EXITED,
            exit::OUTCOME,
        )
    }
}

/// Returns the script of the shell around each of several processes. If one process fails, srun ends the
/// others, and may return the exit code of one of those. So this shell notes the exit code of the first process that
/// failed by itself. A process that ends with 0 before its task has returned has failed too, because the others
/// may wait for it.
fn one_of_several() -> String {
    format!(
        "\n\
         trap : HUP INT QUIT ABRT USR1 USR2 PIPE ALRM XCPU\n\
         ended_by=\n\
         trap \"ended_by=another\" TERM\n\
         \"$@\"\n\
         code=$?\n\
         [ $code != {} ] || exit 0\n\
         [ $code != 0 ] || code={}\n\
         [ \"$ended_by\" ] || (set -C; echo $code >\"${FIRST_EXIT}\") 2>/dev/null\n\
         exit $code\n",
        exit::PART_DONE,
        exit::EXITED,
    )
}

fn word(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// Returns the first line of a `setup` entry, shortened for a message.
fn shown(line: &str) -> String {
    let mut lines = line.trim().lines();
    let first = lines.next().unwrap_or_default();
    let mut shown: String = first.chars().filter(|c| !c.is_control()).take(100).collect();
    if lines.next().is_some() || first.chars().count() > 100 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_warning_does_not_end_the_script_before_the_task_starts() {
        let dir = tempfile::tempdir().unwrap();
        let dir = JobDir::at(dir.path());
        let setup = vec!["kill -USR2 $$; kill -USR1 $$".to_owned()];
        let prologue = Prologue { setup, ..Prologue::default() };
        let text = Script {
            options: &OptionSet::new(),
            task: "task",
            submission_id: &"20261123_094611_0a1b2c3d".parse().unwrap(),
            job_base_dir: dir.path(),
            binary: Path::new("/bin/false"),
            dir: &dir,
            first: None,
            launcher: Launcher::Exec,
            starts_in_submit_dir: true,
            tries_program: true,
            has_bash: false,
            prologue: &prologue,
        };
        std::fs::write(dir.script(), text.render()).unwrap();
        let status = Command::new("sh").arg(dir.script()).env_remove("SLURM_SUBMIT_DIR").status();
        // The script reached the program, which is not of this library.
        assert_eq!(status.unwrap().code(), Some(exit::UNFIT.into()));
    }
}
