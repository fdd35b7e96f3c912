//! The steps of the batch script before the task: setup lines, shell, variables, working directory.

use std::fs;

use std::time::{Duration, Instant};

use slurm::error::JobErrorKind;
use slurm::{BackendKind, Cluster, ClusterBuilder, Error, Job, JobError, Workflow};

use crate::common::{Site, error_of, result_of};

use crate::tasks::*;

trials![
    all a_line_of_setup_that_fails_ends_the_job,
    all lines_of_setup_are_for_bash,
    both a_shell_can_be_chosen,
    both a_missing_working_directory_is_reported,
    slurm a_working_directory_may_vanish_before_the_start,
    all a_task_may_have_lines_and_variables,
    slurm variables_reach_all_processes_whatever_is_exported,
    both the_time_that_setup_takes_counts,
];

/// Long enough for a loaded machine, but shorter than the time for which a file server may hide a result.
pub(crate) const SOON: Duration = Duration::from_secs(55);

pub(crate) fn with(site: &Site, change: impl FnOnce(ClusterBuilder) -> ClusterBuilder) -> Cluster {
    change(site.builder().job_base_dir(site.base.path()).local_cpus(4)).build().unwrap()
}

/// Returns the errors of jobs, each of which must appear soon.
pub(crate) fn soon<T: std::fmt::Debug>(jobs: &[Job<T>]) -> Vec<JobError> {
    let mut errors = Vec::new();
    for job in jobs {
        let waits = Instant::now();
        errors.push(error_of(job));
        assert!(waits.elapsed() < SOON, "{:?} for {:?}", waits.elapsed(), errors.last());
    }
    errors
}

fn a_line_of_setup_that_fails_ends_the_job(site: &Site) {
    let lines = [
        ("modul load x", "exit code 127"),
        ("false", "exit code 1"),
        ("cd /nonexistent && true", "exit code"),
        (". /nonexistent/file", "exit code"),
        ("exit 0", "exit code 0"),
        ("if true; then", "exit code"),
        ("true; (exit 7)", "exit code 7"),
    ];
    let submit = |(line, _): &(&str, &str)| {
        let cluster =
            with(site, |builder| builder.setup("true").setup("false || true").setup(*line));
        add::job(1, 2).submit(&cluster).unwrap()
    };
    let jobs: Vec<_> = lines.iter().map(submit).collect();
    for (error, (line, code)) in soon(&jobs).iter().zip(lines) {
        let text = error.to_string();
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{text}");
        let named = format!("started: line 3 of `setup`, `{line}`, ended with {code}");
        assert!(text.contains(&named), "{named:?} in {text}");
    }
    assert!(error_of(&jobs[0]).hint().unwrap().contains("login = true"));
    assert!(error_of(&jobs[1]).hint().unwrap().contains("|| true"));
    // The same for a job of two processes and for array elements.
    let cluster = with(site, |builder| builder.setup("(exit 3)"));
    let job = add::job(1, 2).ntasks(2).submit(&cluster).unwrap();
    let error = soon(std::slice::from_ref(&job)).remove(0);
    assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
    assert!(error.to_string().contains("`(exit 3)`, ended with exit code 3"), "{error}");
    let waits = Instant::now();
    let array = square::map(0..2).submit(&cluster).unwrap();
    for item in array.try_results().unwrap() {
        let Err(Error::Job(error)) = item else { panic!("{item:?}") };
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
        assert!(error.to_string().contains("ended with exit code 3"), "{error}");
    }
    assert!(waits.elapsed() < SOON, "{:?}", waits.elapsed());
}

fn lines_of_setup_are_for_bash(site: &Site) {
    // `conda activate` and `module load` are such functions, which change the shell itself.
    let functions = site.path("functions");
    let text = "function tool() {\n  local -a words=(\"$@\")\n  [[ ${words[0]} == activate ]] || return 4\n  \
                export TOOL=\"${words[1]}\"\n}\n";
    fs::write(&functions, text).unwrap();
    let source = format!("source {}", functions.display());
    let cluster = with(site, |builder| {
        builder
            .env("GREETING", "it's $HOME")
            .setup(source.as_str())
            .setup("tool activate '3.1'\nexport SECOND=\"$TOOL $GREETING\"")
            .setup("set -eu")
            .setup("unset NOTHING; cd /")
    });
    let expected = Some("3.1 it's $HOME".to_owned());
    let jobs = [
        variable::job("SECOND").submit(&cluster).unwrap(),
        variable::job("SECOND").ntasks(2).submit(&cluster).unwrap(),
    ];
    for job in &jobs {
        assert_eq!(result_of(job), expected);
        assert_eq!(job.stderr().unwrap(), "", "successful lines print nothing");
    }
    let array = variable::map(["SECOND", "TOOL"]).submit(&cluster).unwrap();
    assert_eq!(array.results().unwrap(), [expected, Some("3.1".to_owned())]);
}

fn a_shell_can_be_chosen(site: &Site) {
    let shell = |shell: &str| {
        let cluster = with(site, |builder| {
            builder.shell(shell).setup("export WHICH=\"${BASH_VERSION:+bash} ${0##*/} $-\"")
        });
        variable::job("WHICH").submit(&cluster).unwrap()
    };
    let (dash, bash, missing) = (shell("dash"), shell("/bin/bash"), shell("nosuchshell"));
    assert!(!result_of(&dash).unwrap().contains("bash"));
    assert!(result_of(&bash).unwrap().starts_with("bash "));
    let error = error_of(&missing);
    assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
    assert!(error.to_string().contains("the shell `nosuchshell` is not on"), "{error}");
    // A login shell reads the profile.
    let home = site.path("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".profile"), "tool() { TOOL=$1; export TOOL; }\n").unwrap();
    let profile = |login| {
        let slurmfile = site.path(if login { "login" } else { "plain" });
        let text = format!("[default]\nlogin = {login}\nsetup = ['tool 7']\n");
        fs::write(&slurmfile, text).unwrap();
        crate::roles::run(site, "variable", "TOOL", |command| {
            command.env("HOME", &home).env("SLURMFILE", &slurmfile);
        })
    };
    assert_eq!(profile(true), "Ok(Some(\"7\"))");
    assert!(profile(false).contains("login = true"));
}

fn the_time_that_setup_takes_counts(site: &Site) {
    let cluster = with(site, |builder| builder.setup("sleep 5"));
    let jobs = [
        look_around::job().submit(&cluster).unwrap(),
        look_around::job().ntasks(2).submit(&cluster).unwrap(),
    ];
    for job in &jobs {
        let left = result_of(job).seconds_left.unwrap();
        assert!((150..=295).contains(&left), "{left} s of 300 are left after 5 s");
    }
    // Limits of Slurm are minutes.
    let job = look_around::job().time("0:30").submit(&cluster).unwrap();
    let (left, limit) = (
        result_of(&job).seconds_left.unwrap(),
        match site.kind {
            BackendKind::Local => 30,
            _ => 60,
        },
    );
    assert!(left <= limit - 5, "{left} s of {limit} are left after 5 s");
}

fn a_missing_working_directory_is_reported(site: &Site) {
    let missing = site.path("not there");
    let missing = missing.to_str().unwrap();
    let jobs = [
        variable::job("PWD").set("chdir", missing).submit(&site.cluster).unwrap(),
        variable::job("PWD").set("chdir", missing).ntasks(2).submit(&site.cluster).unwrap(),
    ];
    for error in soon(&jobs) {
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
        assert!(error.to_string().contains("not there"), "{error}");
        assert!(error.hint().unwrap().contains("chdir"), "{:?}", error.hint());
    }
    let array = variable::map(["PWD"]).set("chdir", missing).submit(&site.cluster).unwrap();
    let Err(Error::Job(error)) = array.try_results().unwrap().remove(0) else { panic!() };
    assert!(error.to_string().contains("not there"), "{error}");
    // An existing directory is the task's working directory.
    fs::create_dir(missing).unwrap();
    let job = variable::job("PWD").set("chdir", missing).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job).as_deref(), Some(missing));
}

fn a_working_directory_may_vanish_before_the_start(site: &Site) {
    let dir = site.path("vanishing");
    fs::create_dir(&dir).unwrap();
    let text = dir.to_str().unwrap();
    let raw = format!("-D{text}");
    let jobs = [
        variable::job("PWD").set("chdir", text).set("hold", true).submit(&site.cluster).unwrap(),
        variable::job("PWD").extra_flag(raw).set("hold", true).submit(&site.cluster).unwrap(),
    ];
    fs::remove_dir(&dir).unwrap();
    for job in &jobs {
        site.cluster.command(["scontrol", "release", &job.id().to_string()]).unwrap();
    }
    for error in soon(&jobs) {
        assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

fn a_task_may_have_lines_and_variables(site: &Site) {
    let cluster = with(site, |builder| {
        builder.env("SHARED", "cluster").env("OF_CLUSTER", "1").setup("export LINES=cluster")
    });
    let text = |values: Vec<Option<String>>| {
        values.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|")
    };
    let job = prepared::job().submit(&cluster).unwrap();
    assert_eq!(text(result_of(&job)), "task|1|cluster it's the task's||");
    let call = || {
        prepared::job()
            .env("SHARED", "call")
            .env("OF_CALL", "$2")
            .setup("export MORE=\"$LINES $OF_CALL\"")
    };
    for job in [call(), call().ntasks(2)] {
        let job = job.submit(&cluster).unwrap();
        assert_eq!(
            text(result_of(&job)),
            "call|1|cluster it's the task's|$2|cluster it's the task's $2"
        );
        let explained = job.explain().unwrap();
        assert_eq!(explained.setup.len(), 3, "{explained}");
        assert!(explained.to_string().contains("variable   OF_CALL = $2"), "{explained}");
    }
    // Problems are reported before anything is submitted.
    let error = prepared::job().env("2X", "").setup("a\0b").submit(&cluster).unwrap_err();
    assert!(error.to_string().contains("`2X`") && error.to_string().contains("NUL"), "{error}");
    let failing = prepared::job().setup("(exit 9)").submit(&cluster).unwrap();
    let error = error_of(&failing);
    assert!(
        error.to_string().contains("line 3 of `setup`, `(exit 9)`, ended with exit code 9"),
        "{error}"
    );
    // A retry of an array keeps them.
    let marker = site.path("marker");
    let calls = (0..2).map(|_| marker.clone());
    let array = once_marked::map(calls).env("OF_CALL", "kept").submit(&cluster).unwrap();
    assert!(array.try_results().unwrap().iter().all(Result::is_err));
    fs::write(&marker, "").unwrap();
    array.retry_failed().unwrap();
    assert_eq!(array.results().unwrap(), ["kept cluster", "kept cluster"]);
    // A workflow passes on the settings of all jobs.
    let flow = submits_prepared::job().submit(&cluster).unwrap();
    assert_eq!(result_of(&flow), "task|1|cluster it's the task's||");
}

fn variables_reach_all_processes_whatever_is_exported(site: &Site) {
    let cluster = with(site, |builder| {
        builder.env("GREETING", "hi").setup("export LOADED=\"$GREETING yes\"")
    });
    let mut jobs = Vec::new();
    for export in [None, Some("ALL"), Some("NONE"), Some("HOME")] {
        for tasks in [1, 2] {
            for name in ["GREETING", "LOADED"] {
                let job = variable::job(name).ntasks(tasks);
                let job = match export {
                    Some(export) => job.set("export", export),
                    None => job.extra_flag("--export=NONE"),
                };
                jobs.push((format!("{export:?} {tasks}"), name, job.submit(&cluster).unwrap()));
            }
        }
    }
    for (case, name, job) in jobs {
        let expected = if name == "GREETING" { "hi" } else { "hi yes" };
        assert_eq!(result_of(&job).as_deref(), Some(expected), "{case} {name}");
    }
    let array =
        variable::map(["GREETING", "LOADED"]).ntasks(2).set("export", "NONE").submit(&cluster);
    let values = array.unwrap().results().unwrap();
    assert_eq!(values, [Some("hi".to_owned()), Some("hi yes".to_owned())]);
}

/// Returns the variables that the lines of the task, the cluster and the call have set.
#[slurm::task(
    time = "5:00",
    setup = ["export LINES=\"${LINES-} $OF_TASK\""],
    env = { OF_TASK = "it's the task's", SHARED = "task" }
)]
fn prepared() -> Vec<Option<String>> {
    ["SHARED", "OF_CLUSTER", "LINES", "OF_CALL", "MORE"].map(|name| std::env::var(name).ok()).into()
}

/// Fails until the file exists.
#[slurm::task(time = "5:00")]
fn once_marked(marker: std::path::PathBuf) -> Result<String, String> {
    if !marker.exists() {
        return Err("not yet".to_owned());
    }
    let variable = |name| std::env::var(name).unwrap_or_default();
    Ok(format!("{} {}", variable("OF_CALL"), variable("LINES")))
}

#[slurm::workflow(time = "5:00")]
fn submits_prepared(flow: &Workflow) -> slurm::Result<String> {
    let values = prepared::job().submit(flow)?.result()?;
    Ok(values.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|"))
}
