//! SSH servers of `tests/sshd/up`, and settings to reach them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use slurm::error::SshError;
use slurm::{HostKeyPolicy, Ssh};
use tempfile::TempDir;

pub(crate) const POLICIES: [HostKeyPolicy; 3] =
    [HostKeyPolicy::Auto, HostKeyPolicy::Warn, HostKeyPolicy::Reject];

pub(crate) fn servers_are_missing() -> bool {
    std::env::var_os("SLURM_SDK_TEST_SSHD").is_none()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/sshd/up"))
}

pub(crate) fn user() -> String {
    variable("SLURM_SDK_TEST_USER")
}

pub(crate) fn password() -> String {
    variable("SLURM_SDK_TEST_SSHD_PASSWORD")
}

pub(crate) fn code() -> String {
    variable("SLURM_SDK_TEST_SSHD_CODE")
}

pub(crate) fn jump_host() -> String {
    variable("SLURM_SDK_TEST_SSHD_JUMP_HOST")
}

/// Returns the port of a server: its position in the list of tests/sshd/lib.sh, added to the first port.
pub(crate) fn port(server: &str) -> u16 {
    const SERVERS: [&str; 12] = [
        "keys",
        "password",
        "keyboard",
        "onesession",
        "jump",
        "inner",
        "changed",
        "noisy",
        "rsa",
        "twofactor",
        "pam",
        "slow",
    ];
    let place = SERVERS.iter().position(|name| *name == server).expect("a server");
    let base: u16 = variable("SLURM_SDK_TEST_SSHD_PORT_BASE").parse().unwrap();
    base + u16::try_from(place).unwrap()
}

/// Returns the path of the log of a server.
pub(crate) fn log_of(server: &str) -> PathBuf {
    Path::new(&variable("SLURM_SDK_TEST_SSHD")).join("log").join(format!("{server}.out"))
}

/// Returns the path of a key of the servers or of the user.
pub(crate) fn key(name: &str) -> PathBuf {
    Path::new(&variable("SLURM_SDK_TEST_SSHD")).join("keys").join(name)
}

/// Returns the type and the base64 text of a public key.
pub(crate) fn public_key(name: &str) -> String {
    let text = fs::read_to_string(key(&format!("{name}.pub"))).unwrap();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Returns the type and the fingerprint of a key, from the line that `ssh-keygen -lf` prints: bits,
/// fingerprint, comment and type.
pub(crate) fn fingerprint(name: &str) -> (String, String) {
    let output = run(Command::new("ssh-keygen").arg("-lf").arg(key(&format!("{name}.pub"))));
    let words: Vec<&str> = output.split_whitespace().collect();
    (words[words.len() - 1].trim_matches(['(', ')']).to_owned(), words[1].to_owned())
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The OpenSSH configuration and the known hosts of one test.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        // The agent and the known hosts of this machine are not used.
        site.write("config", "IdentityAgent none\nGlobalKnownHostsFile none\n");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Adds lines at the top of the OpenSSH configuration, because ssh uses the first value of an option.
    pub(crate) fn configure(&self, lines: &str) {
        let before = self.read("config");
        self.write("config", &format!("{lines}\nMatch all\n{before}"));
    }

    /// Adds a line for a server on 127.0.0.1 to known_hosts.
    pub(crate) fn know(&self, server: &str, key: &str) {
        self.know_as(&format!("[127.0.0.1]:{}", port(server)), key);
    }

    pub(crate) fn know_as(&self, name: &str, key: &str) {
        let before = self.read("known_hosts");
        self.write("known_hosts", &format!("{before}{name} {}\n", public_key(key)));
    }

    /// Creates a private key that the servers do not know. Returns its path.
    pub(crate) fn new_key(&self, name: &str, passphrase: &str) -> PathBuf {
        let file = self.path(name);
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"])
            .arg(&file));
        file
    }

    /// Copies a private key that the servers know. Returns the path of the copy.
    pub(crate) fn copy_of_key(&self, name: &str) -> PathBuf {
        let file = self.path(name);
        fs::copy(key(name), &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    /// Returns settings for a host under its name, without keys and without prompts.
    pub(crate) fn to(&self, host: &str) -> Ssh {
        Ssh::to(host)
            .config_file(self.path("config"))
            .known_hosts_file(self.path("known_hosts"))
            .no_prompts()
    }

    /// Returns settings for a server on 127.0.0.1, without keys and without prompts.
    pub(crate) fn server(&self, server: &str) -> Ssh {
        self.to("127.0.0.1").user(user()).port(port(server))
    }

    /// Returns settings with a key that the server accepts. They work if the key of the host is known.
    pub(crate) fn with_key(&self, server: &str) -> Ssh {
        self.server(server)
            .identity_file(self.copy_of_key("id_ed25519"))
            .host_key_policy(HostKeyPolicy::Reject)
    }
}

pub(crate) fn error_of(settings: &Ssh) -> SshError {
    match settings.check() {
        Err(error) => error,
        Ok(report) => panic!("expected no connection, found {report:?}"),
    }
}

/// A running ssh-agent.
pub(crate) struct Agent {
    child: std::process::Child,
    pub(crate) socket: PathBuf,
}

impl Agent {
    pub(crate) fn with(site: &Site, keys: &[PathBuf]) -> Self {
        let socket = site.path("agent");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { child, socket };
        until("the agent answers", || agent.socket.exists());
        for key in keys {
            run(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &agent.socket));
        }
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
