//! The output of a program for the error that its `main` returns, and on Ctrl-C.
//!
//! This is a program and not a set of `#[test]` functions because it starts itself again, with one of its mains.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use slurm::{Cluster, ProgressMode};
use tempfile::TempDir;

/// The variable with the name of the main for a process.
const ROLE: &str = "SLURM_SDK_TEST_MAIN";

/// Returns an error of the library that has a hint.
fn fails() -> slurm::Result<()> {
    "none".parse::<ProgressMode>().map(drop).map_err(slurm::Error::from)
}

mod with_anyhow {
    #[slurm::main]
    pub(crate) fn main() -> anyhow::Result<()> {
        Ok(super::fails()?)
    }
}

mod with_context {
    use anyhow::Context;

    #[slurm::main]
    pub(crate) fn main() -> anyhow::Result<()> {
        super::fails().context("the settings are wrong").context("nothing was done")
    }
}

mod with_eyre {
    use eyre::WrapErr;

    #[slurm::main]
    pub(crate) fn main() -> eyre::Result<()> {
        super::fails().wrap_err("nothing was done")
    }
}

mod with_box {
    #[slurm::main]
    pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
        Ok(super::fails()?)
    }
}

mod with_ours {
    #[slurm::main]
    pub(crate) fn main() -> slurm::Result<()> {
        super::fails()
    }
}

mod without_ours {
    #[slurm::main]
    pub(crate) fn main() -> anyhow::Result<()> {
        anyhow::bail!("the disk is full")
    }
}

/// The variable with the file that the job waits for.
const GO: &str = "SLURM_SDK_TEST_GO";

#[slurm::task(time = "5:00")]
fn wait_for(file: PathBuf) -> bool {
    let began = Instant::now();
    while !file.exists() && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    file.exists()
}

mod that_waits {
    use super::{GO, wait_for};

    #[slurm::main]
    pub(crate) fn main(cluster: slurm::Cluster) -> anyhow::Result<()> {
        let file = std::env::var(GO)?;
        let job = wait_for::job(std::path::Path::new(&file)).submit(&cluster)?;
        println!("{}", job.result()?);
        Ok(())
    }
}

#[slurm::task(time = "5:00")]
fn both(one: bool, other: bool) -> bool {
    one && other
}

mod that_submits {
    use anyhow::Context;

    use super::{both, wait_for};

    #[slurm::main]
    pub(crate) fn main(cluster: slurm::Cluster) -> anyhow::Result<()> {
        let one = wait_for::job(std::path::Path::new("/nowhere")).submit(&cluster)?;
        let many = wait_for::map([std::path::Path::new("/a"), std::path::Path::new("/b")])
            .submit(&cluster)?;
        let last = both::job(&one, many.item(1)).submit(&cluster)?;
        println!("{}", last.result().context("no result")?);
        both::job(true, true).submit(&cluster)?;
        Ok(())
    }
}

/// Returns an error from a `main` without the attribute.
fn by_hand() -> slurm::Result<()> {
    slurm::init()?;
    fails()
}

fn play(role: &str) -> ExitCode {
    match role {
        "anyhow" => with_anyhow::main(),
        "context" => with_context::main(),
        "eyre" => with_eyre::main(),
        "box" => with_box::main(),
        "ours" => with_ours::main(),
        "without_ours" => without_ours::main(),
        "waits" => that_waits::main(),
        "submits" => that_submits::main(),
        "by_hand" => std::process::Termination::report(by_hand()),
        other => panic!("there is no main `{other}`"),
    }
}

fn run(role: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role).output().unwrap()
}

fn stderr_of(role: &str) -> String {
    let output = run(role);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

const WORDS: &str = "unknown progress mode `none`";
const HINT: &str = "\nhint: choose `auto`, `bar`, `plain`, `log` or `off`\n";

fn every_kind_of_error_keeps_the_hint() {
    for role in ["anyhow", "box", "ours"] {
        assert_eq!(stderr_of(role), format!("error: {WORDS}{HINT}"), "{role}");
    }
    let eyre = format!("error: nothing was done\n  caused by: {WORDS}{HINT}");
    assert_eq!(stderr_of("eyre"), eyre);
    let context = format!(
        "error: nothing was done\n  caused by: the settings are wrong\n  caused by: {WORDS}{HINT}"
    );
    assert_eq!(stderr_of("context"), context);
    assert_eq!(stderr_of("without_ours"), "error: the disk is full\n");
}

fn a_dry_run_shows_all_submissions_before_the_first_result() {
    let base = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, "submits").args(["--dry-run", "--job-base-dir"]).arg(base.path());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{stderr}");
    let told = "dry run: it ends where the program needs the job of `mains::both`\n";
    assert_eq!(stderr, told);
    let tasks: Vec<&str> =
        stdout.lines().filter_map(|line| line.strip_prefix("task       ")).collect();
    let names: Vec<&str> = tasks.iter().map(|task| task.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["mains::wait_for", "mains::wait_for", "mains::both"], "{stdout}");
    assert!(
        stdout.starts_with("submission 1\n") && stdout.contains("\nsubmission 3\n"),
        "{stdout}"
    );
    assert!(stdout.contains("waits for  afterok:1 (mains::wait_for)"), "{stdout}");
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
}

fn a_main_without_the_attribute_prints_error_and_hint() {
    assert_eq!(stderr_of("by_hand"), format!("Error: {WORDS}{HINT}"));
}

/// On a working machine, no step takes longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program that waits for a job, and its output so far.
struct Waiting {
    child: Child,
    written: Receiver<Vec<u8>>,
    text: String,
    base: TempDir,
}

impl Waiting {
    /// Starts the program with the disposition of SIGINT that this option of `env` sets.
    fn begin(signal: &str, arguments: &[&str]) -> Self {
        let base = tempfile::tempdir().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("env");
        command.args([signal, std::env::current_exe().unwrap().to_str().unwrap()]).args(arguments);
        command.args(["--progress", "plain"]).env(ROLE, "waits").env(GO, base.path().join("go"));
        command.env("SLURM_SDK_JOB_BASE_DIR", base.path().join("jobs"));
        let path = format!("{}:{}", base.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env_remove("SLURM_SDK_BACKEND").stdin(Stdio::null());
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        // A slow sbatch, and no other command of Slurm.
        let sbatch = base.path().join("sbatch");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && exec echo slurm 22.05.8\necho sbatch began >&2; echo > {0}/began\n\
             n=0; while [ ! -e {0}/go ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done\necho 4711\n",
            base.path().display()
        );
        std::fs::write(&sbatch, script).unwrap();
        std::fs::set_permissions(&sbatch, std::fs::Permissions::from_mode(0o755)).unwrap();
        let child = command.spawn().unwrap();
        drop(command);
        let (sender, written) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let _ = sender.send(buffer[..length].to_vec());
            }
        });
        Self { child, written, text: String::new(), base }
    }

    fn until(&mut self, word: &str) {
        while !self.text.contains(word) {
            let Ok(bytes) = self.written.recv_timeout(PATIENCE) else {
                panic!("{word:?} did not appear in {:?}", self.text)
            };
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    fn go(&self) {
        std::fs::write(self.base.path().join("go"), "").unwrap();
    }

    /// Returns the directory of the only submission.
    fn submission(&self) -> PathBuf {
        let only = |dir: &Path| {
            let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            let hidden =
                |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
            entries.filter(|path| !hidden(path)).collect::<Vec<_>>().pop().unwrap()
        };
        only(&only(&self.base.path().join("jobs")))
    }
}

fn ctrl_c_prints_which_jobs_keep_running_and_how_to_find_them() {
    let mut waiting = Waiting::begin("--default-signal=INT", &[]);
    waiting.until("wait_for: running on ");
    waiting.interrupt();
    let status = waiting.child.wait().unwrap();
    assert_eq!(status.signal(), Some(2), "{status:?}");
    waiting.until(" and ends it with `cancel`");
    let submission_id = waiting.submission().file_name().unwrap().to_str().unwrap().to_owned();
    let told = format!("finds it with `cluster.attach::<wait_for>(\"{submission_id}\")`");
    assert!(waiting.text.contains(&told), "{:?}", waiting.text);
    let cluster =
        Cluster::builder().job_base_dir(waiting.base.path().join("jobs")).build().unwrap();
    let job = cluster.attach::<wait_for>(submission_id.as_str()).unwrap();
    waiting.go();
    assert!(job.result().unwrap());
}

fn a_program_that_ignores_ctrl_c_continues() {
    let mut waiting = Waiting::begin("--ignore-signal=INT", &[]);
    waiting.until("wait_for: running on ");
    waiting.interrupt();
    waiting.go();
    waiting.until("true\n");
    assert!(waiting.child.wait().unwrap().success());
    assert!(!waiting.text.contains("cancel"), "{:?}", waiting.text);
}

fn an_interrupted_submission_is_completed() {
    let mut waiting = Waiting::begin("--default-signal=INT", &["--backend", "slurm"]);
    let began = Instant::now();
    while !waiting.base.path().join("began").exists() {
        assert!(began.elapsed() < PATIENCE, "sbatch was never called");
        std::thread::sleep(Duration::from_millis(10));
    }
    waiting.interrupt();
    waiting.until("a submission has begun");
    waiting.go();
    assert_eq!(waiting.child.wait().unwrap().signal(), Some(2));
    waiting.until(" and ends it with `cancel`");
    assert!(waiting.text.contains("wait_for: job 4711 on slurm, in "), "{:?}", waiting.text);
    let note = std::fs::read_to_string(waiting.submission().join("submitted.json")).unwrap();
    assert!(note.contains("4711"), "{note}");
}

fn trial(name: &str, body: fn()) -> Trial {
    Trial::test(name, move || {
        body();
        Ok(())
    })
}

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(ROLE) {
        return play(&role);
    }
    slurm::init().unwrap();
    let trials = vec![
        trial(
            "ctrl_c_prints_which_jobs_keep_running_and_how_to_find_them",
            ctrl_c_prints_which_jobs_keep_running_and_how_to_find_them,
        ),
        trial("a_program_that_ignores_ctrl_c_continues", a_program_that_ignores_ctrl_c_continues),
        trial("an_interrupted_submission_is_completed", an_interrupted_submission_is_completed),
        trial(
            "a_dry_run_shows_all_submissions_before_the_first_result",
            a_dry_run_shows_all_submissions_before_the_first_result,
        ),
        trial("every_kind_of_error_keeps_the_hint", every_kind_of_error_keeps_the_hint),
        trial(
            "a_main_without_the_attribute_prints_error_and_hint",
            a_main_without_the_attribute_prints_error_and_hint,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
