//! What a program prints of the error that its `main` returns.
//!
//! This is a program and not a set of `#[test]` functions because it starts itself again, with one of its mains.

use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Trial};
use slurm::ProgressMode;

/// Names the main that a process is started for.
const ROLE: &str = "SLURM_SDK_TEST_MAIN";

/// An error of the library that has a hint.
fn fails() -> slurm::Result<()> {
    "none".parse::<ProgressMode>().map(drop)
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

/// Returns one that the attribute did not write.
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

const WORDS: &str = "`none` is no way to show progress";
const HINT: &str = "\nhint: choose `auto`, `bar`, `plain` or `off`\n";

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

fn a_main_without_the_attribute_prints_words_and_hint() {
    assert_eq!(stderr_of("by_hand"), format!("Error: {WORDS}{HINT}"));
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
    let trials = vec![
        trial("every_kind_of_error_keeps_the_hint", every_kind_of_error_keeps_the_hint),
        trial(
            "a_main_without_the_attribute_prints_words_and_hint",
            a_main_without_the_attribute_prints_words_and_hint,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
