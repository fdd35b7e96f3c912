//! What a job does before its task.

use std::collections::BTreeMap;

use slurm_core::variable::VariableName;

/// The shell lines and variables of the job before the task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prologue {
    /// The shell that runs the lines, by name or path; bash where there is one if nothing is said.
    pub(crate) shell: Option<String>,
    /// Whether it is a login shell.
    pub(crate) login: bool,
    pub(crate) env: BTreeMap<VariableName, String>,
    /// Lines of shell. One that fails ends the job.
    pub(crate) setup: Vec<String>,
}

impl Prologue {
    /// Adds the lines and variables of a task or a call: lines are appended, and variables replace earlier ones of
    /// the same name.
    pub(crate) fn add(&mut self, setup: &[String], env: &BTreeMap<VariableName, String>) {
        self.setup.extend_from_slice(setup);
        self.env.extend(env.clone());
    }
}

/// Says so if `shell` cannot be the name or the path of a shell that runs lines of `setup`.
pub(crate) fn check_shell(shell: &str) -> Result<(), String> {
    let name = shell.rsplit('/').next().unwrap_or(shell);
    if name.is_empty() || shell.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a shell is a name or a path, such as `bash` or `/usr/bin/zsh`".to_owned());
    }
    if ["csh", "tcsh", "fish", "nu", "xonsh", "elvish", "pwsh"].contains(&name) {
        return Err(format!("`{name}` does not read what sh reads; use bash, zsh, ksh or dash"));
    }
    Ok(())
}
