//! Connections that an `ssh` of the user keeps open (`ControlMaster`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use log::Level;
use slurm::error::SshError;

use crate::common::{Site, code, error_of, password, port, until, user};
use crate::logs;
use crate::people::{Person, to};

trials![
    servers an_open_master_is_used_without_a_login,
    servers control_master_false_ignores_a_master,
    servers a_dead_master_is_skipped,
    servers a_master_that_does_not_answer_is_skipped,
    servers a_path_that_is_not_a_socket_is_skipped,
];

/// An `ssh` that keeps a connection open, after a login with both factors.
struct Master {
    socket: PathBuf,
    pid: String,
}

impl Master {
    fn to(site: &Site, server: &str) -> Self {
        // `ssh -G` replaces %C with a hash.
        site.configure(&format!("ControlPath {}/cm-%C", site.dir.path().display()));
        let answers = site.write(
            "answers",
            &format!(
                "#!/bin/sh\ncase $1 in *code*) echo {};; *) echo '{}';; esac\n",
                code(),
                password()
            ),
        );
        fs::set_permissions(&answers, fs::Permissions::from_mode(0o700)).unwrap();
        let status = Command::new("ssh")
            .args(["-M", "-N", "-f", "-l", &user(), "-p", &port(server).to_string(), "-F"])
            .arg(site.path("config"))
            .arg("-i")
            .arg(site.copy_of_key("id_ed25519"))
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .arg("127.0.0.1")
            .env("SSH_ASKPASS", answers)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let mut names = fs::read_dir(site.dir.path()).unwrap().flatten();
        let socket = names.find(|entry| entry.file_name().to_string_lossy().starts_with("cm-"));
        let socket = socket.map(|entry| entry.path());
        let socket = socket.expect("the master has a socket");
        let answer = control(&socket, "check");
        let pid = answer.split("pid=").nth(1).unwrap().split(')').next().unwrap().to_owned();
        Self { socket, pid }
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid]).status().unwrap().success());
    }
}

fn control(socket: &Path, order: &str) -> String {
    let output = Command::new("ssh")
        .args(["-F", "none", "-O", order, "-S"])
        .arg(socket)
        .arg("master")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Drop for Master {
    fn drop(&mut self) {
        control(&self.socket, "exit");
    }
}

fn an_open_master_is_used_without_a_login(site: &Site) {
    let master = Master::to(site, "twofactor");
    let report = to(site, "twofactor").check().unwrap();
    assert_eq!(report.method, format!("OpenSSH master ({})", master.socket.display()));
    assert_eq!(report.user, user());
}

fn control_master_false_ignores_a_master(site: &Site) {
    let _master = Master::to(site, "twofactor");
    let settings = to(site, "twofactor").identity_file(site.path("id_ed25519"));
    let error = error_of(&settings.control_master(false));
    assert!(matches!(error, SshError::Authentication { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("ControlMaster"), "{:?}", error.hint());
}

fn warned(what: &str) {
    let logged = logs::at(Level::Warn);
    let skipped = "cannot be used, connecting without it";
    assert!(logged.iter().any(|line| line.contains(skipped) && line.contains(what)), "{logged:?}");
}

fn a_dead_master_is_skipped(site: &Site) {
    let master = Master::to(site, "twofactor");
    master.signal("-KILL");
    until("its socket refuses", || !control(&master.socket, "check").contains("running"));
    assert!(master.socket.exists(), "its socket is left");
    let person = Person::default();
    let settings = to(site, "twofactor").identity_file(site.path("id_ed25519"));
    let answer = |prompt: &slurm::ssh::Prompt<'_>| {
        if prompt.text.contains("code") { code() } else { password() }
    };
    let report = person.answers(settings, answer).check().unwrap();
    assert_eq!(report.method, "keyboard-interactive");
    assert_eq!(person.asked().len(), 2);
    warned("refused");
}

fn a_master_that_does_not_answer_is_skipped(site: &Site) {
    let master = Master::to(site, "keys");
    master.signal("-STOP");
    let before = Instant::now();
    let settings = to(site, "keys").identity_file(site.path("id_ed25519"));
    let report = settings.connect_timeout(Duration::from_secs(3)).check();
    master.signal("-CONT");
    let report = report.unwrap();
    assert!(report.method.starts_with("publickey"), "{report:?}");
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    warned("no answer within 3 s");
}

fn a_path_that_is_not_a_socket_is_skipped(site: &Site) {
    let socket = site.path("socket");
    site.configure(&format!("ControlPath {}", socket.display()));
    let settings = || to(site, "keys").identity_file(site.copy_of_key("id_ed25519"));
    // A file, a socket without a listener, and a missing path.
    fs::write(&socket, "").unwrap();
    assert!(settings().check().unwrap().method.starts_with("publickey"));
    fs::remove_file(&socket).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    assert!(settings().check().unwrap().method.starts_with("publickey"));
    warned("socket");
    fs::remove_file(&socket).unwrap();
    assert!(settings().check().unwrap().method.starts_with("publickey"));
}
