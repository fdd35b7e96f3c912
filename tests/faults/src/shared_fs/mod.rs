//! A shared file system for tests: a server, and clients with the caches of NFS clients. Each mount is a
//! client, so two mounts on one machine behave like two hosts.
//!
//! One behaviour differs from NFS. The kernel may answer the lookup before `open` with `O_EXCL`, `mkdir` or
//! `link` from the cache of the client, which does not know the purpose of a lookup. So an exclusive creation
//! can find a name that another client has removed.

mod attributes;
mod client;
mod mount;
mod policy;
mod round;
mod server;
#[cfg(test)]
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, SessionACL};

use client::{Client, Clock};
use mount::Mount;
use policy::Realms;
pub(crate) use policy::{Locks, Policy};
pub(crate) use round::{Directory, job_base_dir, on_server, traces};
use server::Server;

/// A server with its mounted clients.
#[derive(Debug)]
pub(crate) struct SharedFs {
    server: Arc<Server>,
    clock: Arc<Clock>,
    clients: Vec<(Arc<Client>, BackgroundSession)>,
}

impl SharedFs {
    /// Serves a directory. `control` may have the settings of each directory in it, as `{name}.json`.
    pub(crate) fn new(dir: &Path, control: PathBuf, clock: Clock) -> io::Result<Self> {
        let server = Arc::new(Server::new(dir, Realms::new(control))?);
        Ok(Self { server, clock: Arc::new(clock), clients: Vec::new() })
    }

    /// Mounts the file system for another host. This needs root. Each request that waits for the server takes a
    /// thread.
    pub(crate) fn mount(&mut self, place: &Path, threads: usize) -> io::Result<()> {
        let client = Arc::new(Client::new(Arc::clone(&self.server), Arc::clone(&self.clock)));
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("slurm-faults".to_owned()),
            MountOption::Subtype("nfs-like".to_owned()),
            MountOption::DefaultPermissions,
            MountOption::Exec,
        ];
        config.acl = SessionACL::All;
        config.n_threads = Some(threads);
        let session = fuser::spawn_mount(Mount(Arc::clone(&client)), place, &config)?;
        self.clients.push((client, session));
        Ok(())
    }

    /// Does the regular work of the clients and the server. Must be called again and again.
    pub(crate) fn tidy(&self) {
        for (client, _) in &self.clients {
            client.tidy();
        }
        self.server.sweep();
    }

    #[cfg(test)]
    fn put_clock_forward(&self, by: Duration) {
        self.clock.put_forward(by);
        self.tidy();
    }
}

const THREADS: usize = 64;

/// Serves `{dir}/server` at `{dir}/login` and at `{dir}/{node}` for each node of the test cluster, with the
/// settings in `{dir}/control`. Ends with the standard input.
pub(crate) fn serve(dir: &Path) -> anyhow::Result<()> {
    let mut shared = SharedFs::new(&dir.join("server"), dir.join("control"), Clock::real())?;
    for client in ["login", "n1", "n2", "n3", "n4"] {
        shared.mount(&dir.join(client), THREADS)?;
    }
    println!("mounted");
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let shared = &shared;
        scope.spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
                shared.tidy();
            }
        });
        io::copy(&mut io::stdin(), &mut io::sink())?;
        let _ = stop.send(());
        Ok(())
    })
}
