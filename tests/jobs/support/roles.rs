//! Other processes of tests, which run this program in a role.
//!
//! A test starts this program with `SLURM_SDK_TEST_ROLE`; the role prints its result.

use std::path::Path;
use std::process::{Command, Output};

use slurm::{BackendKind, Cluster, Job, JobHandle};

use crate::tasks::{abort, add, exit_with, wait_for};

const ROLE: &str = "SLURM_SDK_TEST_ROLE";
const ARGUMENT: &str = "SLURM_SDK_TEST_ARGUMENT";

/// Runs this program in `role`, with the environment of `site` and the changes of `adjust`.
pub(crate) fn run(
    site: &crate::common::Site,
    role: &str,
    argument: &str,
    adjust: impl FnOnce(&mut Command),
) -> String {
    run_program(&std::env::current_exe().unwrap(), site, role, argument, adjust)
}

/// Runs another copy of this program in `role`.
pub(crate) fn run_program(
    program: &Path,
    site: &crate::common::Site,
    role: &str,
    argument: &str,
    adjust: impl FnOnce(&mut Command),
) -> String {
    let mut command = Command::new(program);
    cast(&mut command, site, role, argument);
    adjust(&mut command);
    let Output { stdout, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(
        !text.is_empty(),
        "the role {role} printed nothing: {}",
        String::from_utf8_lossy(&stderr)
    );
    text.trim_end().to_owned()
}

/// Sets the role of a command that starts this program.
pub(crate) fn cast(command: &mut Command, site: &crate::common::Site, role: &str, argument: &str) {
    command
        .env(ROLE, role)
        .env(ARGUMENT, argument)
        .env("SLURM_SDK_BACKEND", site.kind.as_str())
        .env("SLURM_SDK_JOB_BASE_DIR", site.base.path());
    if site.kind == BackendKind::Ssh {
        command.env("SLURMFILE", crate::common::slurmfile(site.base.path()));
    }
}

/// Runs this program in a role that panics on a failure.
pub(crate) fn run_alone(role: &str, argument: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.env(ROLE, role).env(ARGUMENT, argument).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn play_without_init() {
    if std::env::var(ROLE).as_deref() == Ok("submit-without-init") {
        println!("{:?}", add::job(1, 2).submit(&Cluster::local().unwrap()).map(|job| job.id()));
        std::process::exit(0);
    }
}

pub(crate) fn is_user() -> bool {
    std::env::var(ROLE).as_deref() == Ok("user")
}

/// Plays a program that runs no code before its `#[slurm::main]`.
pub(crate) fn play_user() {
    let code = crate::basics::log_messages::play(&std::env::var(ARGUMENT).unwrap_or_default());
    std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
}

pub(crate) fn play() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let argument = std::env::var(ARGUMENT).unwrap_or_default();
    if role == "trial" {
        super::places::run_here(&argument);
        std::process::exit(0);
    }
    if role == "progress" {
        crate::basics::progress::play(&argument);
        std::process::exit(0);
    }
    let cluster = Cluster::from_env().unwrap();
    match role.as_str() {
        "add" => println!("{:?}", add::job(20, 22).submit(&cluster).and_then(|job| job.result())),
        "wait-then-add" => {
            std::fs::write(format!("{argument}.ready"), "").unwrap();
            while !Path::new(&argument).exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            println!("{:?}", add::job(20, 22).submit(&cluster).and_then(|job| job.result()));
        }
        "exit" => println!("{:?}", exit_with::job(9).submit(&cluster).and_then(|job| job.result())),
        "wait-a-while" => {
            // The job ends without a result, so the queue has to report the end.
            let job = abort::job().submit(&cluster).unwrap();
            let waited = job.result_timeout(std::time::Duration::from_secs(8));
            println!("{:?}", waited.map_err(|error| error.to_string()));
        }
        "hundred" => {
            let jobs: Vec<Job<i64>> =
                (0..100).map(|n| add::job(n, 0).submit(&cluster).unwrap()).collect();
            let sum: i64 = std::thread::scope(|scope| {
                let waiting: Vec<_> =
                    jobs.iter().map(|job| scope.spawn(|| job.result().unwrap())).collect();
                waiting.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            println!("{sum}");
        }
        "submit-and-die" => {
            let job = wait_for::job(Path::new(&argument)).submit(&cluster).unwrap();
            println!("{}", serde_json::to_string(job.handle()).unwrap());
            std::process::abort();
        }
        "attach-and-cancel" => {
            let handle: JobHandle = serde_json::from_str(&argument).unwrap();
            let job: Job<bool> = cluster.attach::<wait_for>(handle).unwrap();
            println!("{:?}", job.cancel());
        }
        "attach-by-id" => {
            let job = cluster.attach::<add>(argument.as_str()).unwrap();
            println!("{:?}", job.result());
        }
        "array-of-twenty" | "states-in-a-loop" | "array-of-three" | "array-of-processes"
        | "many-items" => {
            crate::arrays::calls_and_memory::play(&role, &argument, &cluster);
        }
        "variable" | "alone" => crate::basics::processes::play(&role, &argument, &cluster),
        "every-option" => crate::basics::options::submit_each(&cluster),
        other => crate::security::single_jobs::play(other, &argument, &cluster),
    }
    std::process::exit(0);
}
