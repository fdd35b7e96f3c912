//! `module load` as a line of `setup`, with the module systems that clusters have: Debian's environment-modules and Lmod.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use slurm::JobErrorKind;

use crate::basics::batch_script::{soon, with};
use crate::common::{Site, result_of, variable as setting};
use crate::tasks::*;

trials![
    slurm environment_modules_set_variables_of_tasks,
    slurm lmod_sets_variables_of_tasks,
];

/// A module system below the directory of the test cluster.
struct System {
    /// The file that every login shell reads on Debian.
    profile: PathBuf,
    /// The message about a missing module.
    complaint: &'static str,
}

fn system(profile: &str, complaint: &'static str) -> System {
    let modules = Path::new(&setting("SLURM_SDK_TEST_CLUSTER")).join("modules");
    let profile = modules.join(profile);
    assert!(profile.exists(), "{} is missing: run tests/cluster/up", profile.display());
    System { profile, complaint }
}

fn environment_modules_set_variables_of_tasks(site: &Site) {
    let complaint = "ERROR: Unable to locate a modulefile for 'probe/9.9'";
    let system = system("environment-modules/etc/profile.d/modules.sh", complaint);
    check(site, &system, &["probe/1.0"]);
}

fn lmod_sets_variables_of_tasks(site: &Site) {
    let complaint = "The following module(s) are unknown:\n  \"probe/9.9\"";
    let system = system("lmod/etc/profile.d/lmod.sh", complaint);
    check(site, &system, &["probe/1.0", "probe-lua/2.0"]);
}

fn check(site: &Site, system: &System, modules: &[&str]) {
    for module in modules {
        let version = module.rsplit('/').next().unwrap();
        in_a_login_shell(site, system, module, version);
        from_a_login_shell(site, system, module, version);
        with_the_function_from_a_file(site, system, module, version);
    }
    without_the_module(site, system);
}

/// Runs a task that returns `PROBE_VERSION`, submitted by another process.
fn submitted(site: &Site, login: bool, module: &str, change: impl FnOnce(&mut Command)) -> String {
    let slurmfile = site.path("Slurmfile");
    let text = format!("[default]\nlogin = {login}\nsetup = ['module load {module}']\n");
    fs::write(&slurmfile, text).unwrap();
    crate::roles::run(site, "variable", "PROBE_VERSION", |command| {
        command.env("SLURMFILE", &slurmfile);
        change(command);
    })
}

/// Only a login shell has the function.
fn in_a_login_shell(site: &Site, system: &System, module: &str, version: &str) {
    let home = site.path("home");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join(".profile"), format!(". {}\n", system.profile.display())).unwrap();
    let submitted = |login| {
        submitted(site, login, module, |command| {
            command.env("HOME", &home);
        })
    };
    assert_eq!(submitted(true), format!("Ok(Some({version:?}))"));
    let refused = submitted(false);
    let line = format!("line 1 of `setup`, `module load {module}`, ended with exit code 127");
    assert!(refused.contains(&line) && refused.contains("login = true"), "{refused}");
}

/// The submitter has a login shell, whose functions and variables reach the job.
fn from_a_login_shell(site: &Site, system: &System, module: &str, version: &str) {
    let print = format!(". {}; env -0", system.profile.display());
    let shell = Command::new("bash").args(["-c", &print]).output().unwrap();
    let variables = shell.stdout.split(|byte| *byte == 0).filter_map(|variable| {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        Some((&variable[..at], &variable[at + 1..]))
    });
    let variables: Vec<_> = variables.collect();
    assert!(variables.iter().any(|(name, _)| *name == b"BASH_FUNC_module%%"));
    let value = submitted(site, false, module, |command| {
        for (name, value) in variables {
            let text = std::ffi::OsStr::from_bytes;
            command.env(text(name), text(value));
        }
    });
    assert_eq!(value, format!("Ok(Some({version:?}))"));
}

/// A line of `setup` reads the file with the function.
fn with_the_function_from_a_file(site: &Site, system: &System, module: &str, version: &str) {
    let source = format!(". {}", system.profile.display());
    let cluster =
        with(site, |builder| builder.setup(source.as_str()).setup(format!("module load {module}")));
    let expected = Some(version.to_owned());
    let jobs = [
        variable::job("PROBE_VERSION").submit(&cluster).unwrap(),
        variable::job("PROBE_VERSION").ntasks(2).submit(&cluster).unwrap(),
    ];
    let array = variable::map(["PROBE_VERSION"; 2]).submit(&cluster).unwrap();
    for job in &jobs {
        assert_eq!(result_of(job), expected);
    }
    assert_eq!(array.results().unwrap(), [expected.clone(), expected]);
}

/// The loaded module does not exist.
fn without_the_module(site: &Site, system: &System) {
    let source = format!(". {}", system.profile.display());
    let cluster =
        with(site, |builder| builder.setup(source.as_str()).setup("module load probe/9.9"));
    let jobs = [
        variable::job("PROBE_VERSION").submit(&cluster).unwrap(),
        variable::job("PROBE_VERSION").ntasks(2).submit(&cluster).unwrap(),
    ];
    for error in soon(&jobs) {
        let text = error.to_string();
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{text}");
        let line = "line 2 of `setup`, `module load probe/9.9`, ended with exit code 1";
        assert!(text.contains(line), "{text}");
        assert!(text.contains(system.complaint), "{text}");
    }
}
