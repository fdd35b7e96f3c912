//! A program without the features `cli`, `progress` and `ssh` runs its jobs, and says what it lacks.

use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let base = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_slurm-sdk-bare"))
        .args(arguments)
        .current_dir(base.path())
        .env("SLURM_SDK_JOB_BASE_DIR", base.path().join("jobs"))
        .env_remove("SLURM_SDK_BACKEND")
        .env_remove("SLURM_SDK_PROGRESS")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_job_runs_and_progress_is_shown_as_lines() {
    let output = run(&[], &[("SLURM_SDK_PROGRESS", "bar")]);
    let shown = stderr(&output);
    assert!(output.status.success(), "{shown}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n");
    assert!(shown.lines().any(|line| line.starts_with("add: ended after ")), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_flag_that_cannot_be_read_is_refused() {
    let output = run(&["--backend", "slurm"], &[]);
    let shown = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("cannot read `--backend`"), "{shown}");
    assert!(shown.contains("hint: choose the cluster with SLURM_SDK_BACKEND"), "{shown}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_backend_that_is_not_built_in_is_named() {
    let output = run(&[], &[("SLURM_SDK_BACKEND", "ssh")]);
    let shown = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("this program was built without SSH"), "{shown}");
}
