//! Wrappers of Slurm's commands.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::plan::{Answer, CALLS, Plan};
use crate::shared_fs;

/// A directory of wrappers.
pub(crate) struct Wrappers {
    dir: PathBuf,
}

impl Wrappers {
    /// Creates the wrappers that the plan needs.
    pub(crate) fn make(plan: &Plan, round: &Path) -> anyhow::Result<Option<Self>> {
        if plan.fixed.answers.is_empty() {
            return Ok(None);
        }
        let dir = round.join("wrappers");
        fs::create_dir_all(&dir)?;
        let hits = round.join("hits");
        for (command, call, answer) in &plan.fixed.answers {
            let hit = hit(command, *call, &answer.name(command), &hits);
            fs::write(dir.join(format!("{command}.answer.{call}")), hit + &script(answer))?;
            let real = Command::new("which").arg(command).output()?;
            anyhow::ensure!(real.status.success(), "{command} was not found");
            let real = String::from_utf8_lossy(&real.stdout).trim().to_owned();
            let path = dir.join(command);
            fs::write(&path, wrapper(&dir.join(command), &real))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Some(Self { dir }))
    }

    /// Returns a search path that begins with the wrappers.
    pub(crate) fn path(&self) -> OsString {
        let mut path = self.dir.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }
}

/// Returns a script that counts its calls, and gives the planned answer to each of them.
fn wrapper(place: &Path, real: &str) -> String {
    format!(
        "#!/bin/sh\nreal={real}\nplace='{}'\n\
         [ -d \"$place.{CALLS}\" ] && exec \"$real\" \"$@\"\n\
         n=1\nwhile ! mkdir \"$place.$n\" 2>/dev/null; do\n  n=$((n + 1))\n\
         [ $n -gt {CALLS} ] && exec \"$real\" \"$@\"\ndone\n\
         [ -e \"$place.answer.$n\" ] && . \"$place.answer.$n\"\n\
         exec \"$real\" \"$@\"\n",
        place.display()
    )
}

/// Returns a script that notes the planned answer to a call. The note has the name of the job that sbatch
/// submits, or in which the command runs.
fn hit(command: &str, call: usize, fault: &str, hits: &Path) -> String {
    format!(
        "job=${{SLURM_JOB_NAME-}}\n\
         [ {command} != sbatch ] || for job do :; done\n\
         [ {command} != sbatch ] || job=$(sed -n 's/^#SBATCH --job-name=//p' \"$job\")\n\
         now=$(date +%s%3N)\n\
         printf '{{\"fault\":\"{fault}\",\"at\":%s,\"until\":%s,\"what\":{{\"Answered\":{{\"command\":\"{command}\",\"call\":{call},\"job\":\"%s\"}}}}}}\\n' \
         \"$now\" \"$now\" \"$job\" >> '{}'\n",
        hits.display()
    )
}

fn script(answer: &Answer) -> String {
    let run = "\"$real\" \"$@\" >/dev/null 2>&1\n";
    // It hangs until its parent ends.
    let hang = "while kill -0 $PPID 2>/dev/null; do sleep 0.5; done\nexit 1\n";
    match answer {
        Answer::Fails(text) => format!("echo '{text}' >&2\nexit 1\n"),
        Answer::FailsAfter(text) => format!("{run}echo '{text}' >&2\nexit 1\n"),
        Answer::FailsWith(text) => format!("\"$real\" \"$@\"\necho '{text}' >&2\nexit 1\n"),
        Answer::Slow(seconds) => format!("sleep {seconds}\n"),
        Answer::Hangs => hang.to_owned(),
        Answer::HangsAfter => format!("{run}{hang}"),
        Answer::Dies => "kill -9 $$\n".to_owned(),
        Answer::DiesAfter => format!("{run}kill -9 $$\n"),
    }
}

/// Cancels the jobs of a round that are still in the queue. The round may have failed, and Slurm keeps jobs
/// whose dependency can never be satisfied.
pub(crate) fn cancel_jobs(round: &Path) {
    let Ok(listed) = Command::new("squeue").args(["--me", "-h", "-o", "%A %o"]).output() else {
        return;
    };
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let place = format!("{}/", shared_fs::job_base_dir(round).display());
    let jobs = text.lines().filter_map(|line| line.split_once(' '));
    let jobs = jobs.filter(|(_, script)| script.starts_with(&place)).map(|(id, _)| id);
    let jobs: Vec<&str> = jobs.collect();
    if !jobs.is_empty() {
        let _ = Command::new("scancel").arg("--quiet").args(jobs).status();
    }
}
