//! The connection to the login node, and its faults.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use slurm::{Cluster, ClusterBuilder, Error, Ssh};

use crate::inject::Target;
use crate::plan::Fault;
use crate::processes;
use crate::proxy::Proxy;

/// The variable that has the port of the round's proxy.
pub(crate) const PORT: &str = "SLURM_FAULTS_PORT";

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: eval \"$(tests/cluster/up)\""))
}

/// Starts a proxy in front of the SSH server of the test cluster.
pub(crate) fn proxy() -> anyhow::Result<Proxy> {
    let port: u16 = variable("SLURM_SDK_TEST_SSH_PORT")?.parse()?;
    Ok(Proxy::new(([127, 0, 0, 1], port).into(), Duration::ZERO))
}

/// Returns the SSH settings of a client.
fn login_node(round: &Path) -> anyhow::Result<Ssh> {
    Ok(Ssh::to("127.0.0.1")
        .port(variable(PORT)?.parse()?)
        .user(variable("SLURM_SDK_TEST_USER")?)
        .identity_file(variable("SLURM_SDK_TEST_SSH_KEY")?)
        .known_hosts_file(round.join("known_hosts"))
        .no_prompts())
}

/// Opens the cluster of a client. A cut during the first connection is an error for the program, so this tries
/// again, as a person would start the program again.
pub(crate) fn open(builder: ClusterBuilder, round: &Path) -> anyhow::Result<Cluster> {
    let mut tries = 0;
    loop {
        match builder.clone().ssh(login_node(round)?).build() {
            Err(Error::Ssh(error)) if tries < 5 => {
                eprintln!("trying again, because the connection failed: {error}");
                tries += 1;
            }
            result => return Ok(result?),
        }
    }
}

/// Applies a fault to the connections of a round. Returns the target.
pub(crate) fn happen(proxy: &Proxy, fault: &Fault) -> Option<Target> {
    match fault {
        Fault::CutConnection { bytes, to_host: true } => proxy.cut_after(*bytes),
        Fault::CutConnection { bytes, to_host: false } => proxy.cut_after_received(*bytes),
        Fault::FreezeConnection { bytes, ms } => {
            proxy.freeze_after(*bytes);
            std::thread::sleep(Duration::from_millis(*ms));
            // On a slow machine, fewer bytes have passed.
            proxy.thaw();
        }
        Fault::KillShell { pick, sshd } => {
            let ports = proxy.server_ports();
            let shells = processes::with_variable("SSH_CONNECTION", |value| {
                value
                    .split(' ')
                    .nth(1)
                    .and_then(|port| port.parse().ok())
                    .is_some_and(|port| ports.contains(&port))
            });
            let pid = *shells.get(pick.checked_rem(shells.len())?)?;
            let pid = if *sshd { processes::parent(pid)? } else { pid };
            processes::kill(pid);
            return Some(Target::Shell { pid });
        }
        _ => return None,
    }
    Some(Target::Connection)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_frost_that_comes_late_does_not_stay() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Proxy::new(server.local_addr().unwrap(), Duration::ZERO);
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        happen(&proxy, &Fault::FreezeConnection { bytes: 100, ms: 1 });
        client.write_all(&[7; 200]).unwrap();
        accepted.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        accepted.read_exact(&mut [0; 200]).unwrap();
    }
}
