//! Log messages of tasks, and warnings of the library.

use std::process::{Command, ExitCode, Output};

use slurm::Cluster;

use crate::common::{Site, result_of};
use crate::roles;

trials![
    all log_messages_of_a_task_reach_its_standard_error,
    local a_warning_is_shown_if_the_program_has_no_logger,
    local a_logger_of_the_program_stays,
];

#[slurm::task(time = "5:00")]
fn log_something(n: u32) -> u32 {
    log::info!("item {n} has begun\x1b[31m");
    tracing::warn!(n, "through tracing");
    log::debug!("detail of {n}");
    n
}

fn log_messages_of_a_task_reach_its_standard_error(site: &Site) {
    let job = log_something::job(7).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 7);
    let text = job.stderr().unwrap();
    assert!(text.contains("Z INFO  jobs::basics::log_messages: item 7 has begun?[31m\n"), "{text}");
    assert!(text.contains("WARN  jobs::basics::log_messages: through tracing n=7\n"), "{text}");
    assert!(!text.contains("detail"), "{text}");

    let with = |level: &str| {
        let builder = site.builder().job_base_dir(site.base.path()).env("SLURM_SDK_LOG", level);
        let cluster = builder.build().unwrap();
        let array = log_something::map([8]).submit(&cluster).unwrap();
        assert_eq!(array.results().unwrap(), [8]);
        array.stderr(0).unwrap()
    };
    let text = with("jobs::basics::log_messages=debug");
    assert!(text.contains("DEBUG jobs::basics::log_messages: detail of 8\n"), "{text}");
    assert_eq!(with("off"), "");
    let text = with("jobs=loud");
    assert!(
        text.contains("ignoring `jobs=loud` in SLURM_SDK_LOG") && text.contains("INFO"),
        "{text}"
    );
}

#[slurm::task(time = "5:00")]
fn take_secret(token: slurm::Secret<String>) -> usize {
    token.expose().len()
}

/// A user's program, which gets a warning about a secret in a file.
pub(crate) fn play(argument: &str) -> ExitCode {
    if argument == "own" {
        crate::logger::install();
    }
    slurm::__private::main_plain(|| {
        let cluster = Cluster::from_env().unwrap();
        if argument == "later" {
            crate::logger::install();
        }
        take_secret::job(slurm::Secret::new("hush".to_owned())).submit(&cluster).unwrap();
        ExitCode::SUCCESS
    })
}

fn warned(site: &Site, argument: &str, level: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    roles::cast(&mut command, site, "user", argument);
    command.envs(level.map(|level| ("SLURM_SDK_LOG", level)));
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{text}");
    text
}

fn a_warning_is_shown_if_the_program_has_no_logger(site: &Site) {
    let text = warned(site, "none", None);
    assert!(text.starts_with("warning: ") && text.contains("`token`"), "{text}");
    assert_eq!(warned(site, "none", Some("off")), "");
}

fn a_logger_of_the_program_stays(site: &Site) {
    // The tests' own logger prints nothing.
    assert_eq!(warned(site, "own", None), "");
    assert_eq!(warned(site, "later", None), "", "main has installed a logger");
}
