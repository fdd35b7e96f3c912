//! SSH servers with special configurations.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{until, variable};

/// A server for this user. Dropping it ends the server.
pub(crate) struct Sshd {
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Sshd {
    /// Starts a server with these lines of `sshd_config` before the usual ones. The first value of an option
    /// holds.
    pub(crate) fn start(dir: &Path, lines: &[&str]) -> Self {
        let key = dir.join("host_key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = format!(
            "{}\nListenAddress 127.0.0.1\nPort {}\nHostKey {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             AuthorizedKeysFile {}/ssh/authorized_keys\nSetEnv SLURM_CONF={}\nMaxStartups 200\n",
            lines.join("\n"),
            free.port(),
            key.display(),
            variable("SLURM_SDK_TEST_CLUSTER"),
            variable("SLURM_CONF"),
        );
        let file = dir.join("sshd_config");
        std::fs::write(&file, config).unwrap();
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the server answers", || TcpStream::connect(free).is_ok());
        Self { address: free, process }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
