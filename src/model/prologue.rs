//! The shell lines and variables of a job before its task.

use std::collections::BTreeMap;

use slurm_core::variable::VariableName;

/// The shell lines and variables of the job before the task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prologue {
    /// The shell that runs the lines, by name or path. The default is bash if it exists.
    pub(crate) shell: Option<String>,
    /// Whether it is a login shell.
    pub(crate) login: bool,
    pub(crate) env: BTreeMap<VariableName, String>,
    /// Lines of shell. A line that fails ends the job.
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

/// Returns an error if `shell` cannot be the name or path of a shell for lines of `setup`.
pub(crate) fn check_shell(shell: &str) -> Result<(), String> {
    let name = shell.rsplit('/').next().unwrap_or(shell);
    if name.is_empty() || shell.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(
            "give the shell as a name or a path, such as `bash` or `/usr/bin/zsh`".to_owned()
        );
    }
    if ["csh", "tcsh", "fish", "nu", "xonsh", "elvish", "pwsh"].contains(&name) {
        return Err(format!("`{name}` does not read the syntax of sh; use bash, zsh, ksh or dash"));
    }
    Ok(())
}
