//! Clusters for tests, and waiting for conditions.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use slurm::{BackendKind, Cluster, ClusterBuilder, Error, Job, JobError, JobErrorKind, Ssh};
use tempfile::TempDir;

/// On a working machine, no step of a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn cluster_is_missing() -> bool {
    std::env::var_os("SLURM_SDK_TEST_CLUSTER").is_none()
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/cluster/up)\""))
}

/// Returns the settings for the SSH server of the test cluster.
pub(crate) fn login_node() -> Ssh {
    Ssh::to("127.0.0.1")
        .port(variable("SLURM_SDK_TEST_SSH_PORT").parse().unwrap())
        .user(variable("SLURM_SDK_TEST_USER"))
        .identity_file(variable("SLURM_SDK_TEST_SSH_KEY"))
        .known_hosts_file(variable("SLURM_SDK_TEST_SSH_KNOWN_HOSTS"))
        .no_prompts()
}

/// Returns a Slurmfile with the same settings, for another process.
pub(crate) fn slurmfile(dir: &Path) -> PathBuf {
    let path = dir.join("Slurmfile");
    let text = format!(
        "[default.cluster.ssh]\nhost = '127.0.0.1'\nport = {}\nuser = '{}'\nidentity_file = '{}'\n\
         known_hosts_file = '{}'\nprompts = false\nhost_key_policy = 'reject'\n",
        variable("SLURM_SDK_TEST_SSH_PORT"),
        variable("SLURM_SDK_TEST_USER"),
        variable("SLURM_SDK_TEST_SSH_KEY"),
        variable("SLURM_SDK_TEST_SSH_KNOWN_HOSTS"),
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// A cluster with its own job base directory.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) base: TempDir,
    pub(crate) kind: BackendKind,
}

impl Site {
    pub(crate) fn new(kind: BackendKind) -> Self {
        // Below the home directory, which all nodes of a cluster and the users of jobs see.
        let parent = std::env::home_dir().expect("a home directory");
        let base = tempfile::Builder::new().prefix("slurm-sdk-test-").tempdir_in(parent).unwrap();
        let cluster = builder_of(kind).job_base_dir(base.path()).local_cpus(4).build().unwrap();
        Self { cluster, base, kind }
    }

    /// Returns a builder for other clusters of the same kind.
    pub(crate) fn builder(&self) -> ClusterBuilder {
        builder_of(self.kind)
    }

    /// Returns a path that jobs and the test see.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// Returns the existing directories of submissions.
    pub(crate) fn submissions(&self) -> Vec<PathBuf> {
        let list = |dir: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
        };
        let hidden = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with('.');
        list(self.base.path())
            .into_iter()
            .filter(|path| !hidden(path))
            .flat_map(|task| list(&task))
            .collect()
    }
}

fn builder_of(kind: BackendKind) -> ClusterBuilder {
    match kind {
        BackendKind::Ssh => Cluster::builder().ssh(login_node()),
        _ => Cluster::builder().backend(kind),
    }
}

pub(crate) fn result_of<T>(job: &Job<T>) -> T {
    match job.result_timeout(PATIENCE) {
        Ok(value) => value,
        Err(error) => panic!("{error}\nstderr: {:?}\nscript: {:?}", job.stderr(), job.script()),
    }
}

pub(crate) fn error_of<T: std::fmt::Debug>(job: &Job<T>) -> JobError {
    match job.result_timeout(PATIENCE) {
        Err(Error::Job(error)) => *error,
        other => panic!("expected the job to fail, found {other:?}"),
    }
}

pub(crate) fn kind_of<T: std::fmt::Debug>(job: &Job<T>) -> JobErrorKind {
    error_of(job).kind
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
