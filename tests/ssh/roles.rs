//! Other processes, for tests that need another environment or a terminal.
//!
//! A test starts this same binary with `SLURM_SDK_TEST_ROLE`. The binary then checks a connection and prints
//! the result.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use log::Level;
use slurm::{HostKeyPolicy, Ssh};

use crate::common::{Site, port, user};
use crate::logs;

const ROLE: &str = "SLURM_SDK_TEST_ROLE";
const SITE: &str = "SLURM_SDK_TEST_SITE";
const KEY: &str = "SLURM_SDK_TEST_KEY";

pub(crate) fn play() {
    if std::env::var(ROLE).as_deref() != Ok("check") {
        return;
    }
    let site = std::env::var(SITE).unwrap();
    let result = Ssh::to("127.0.0.1")
        .user(user())
        .port(port("keys"))
        .config_file(Path::new(&site).join("config"))
        .known_hosts_file(Path::new(&site).join("known_hosts"))
        .identity_file(std::env::var(KEY).unwrap())
        .host_key_policy(HostKeyPolicy::Reject)
        .check();
    match result {
        Ok(report) => println!("logged in as {}", report.user),
        Err(error) => println!("{error}"),
    }
    logs::at(Level::Warn).iter().for_each(|line| println!("{line}"));
    std::process::exit(0);
}

fn role(mut command: Command, site: &Site, key: &Path) -> Command {
    command.env(ROLE, "check").env(SITE, site.dir.path()).env(KEY, key).env_remove("SSH_AUTH_SOCK");
    command
}

/// Connects in a process without a terminal, in which PATH is `path`.
pub(crate) fn check(site: &Site, key: &Path, path: &str) -> String {
    let mut command = Command::new("setsid");
    command.args(["--wait", "env"]).arg(format!("PATH={path}"));
    command.arg(std::env::current_exe().unwrap());
    crate::common::run(&mut role(command, site, key))
}

/// Connects in a process with a terminal of its own. Types `typed` when the process asks for a passphrase.
pub(crate) fn check_on_terminal(site: &Site, key: &Path, typed: &str) -> String {
    let mut command = Command::new("script");
    let program = std::env::current_exe().unwrap();
    command.args(["--quiet", "--flush", "--command"]).arg(program).arg("/dev/null");
    let mut child =
        role(command, site, key).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut terminal = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut seen, mut answered) = (Vec::new(), false);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = std::io::Read::read(&mut output, &mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        if !answered && String::from_utf8_lossy(&seen).contains("Enter") {
            answered = true;
            writeln!(terminal, "{typed}").unwrap();
        }
    }
    child.wait().unwrap();
    String::from_utf8(seen).unwrap()
}
