//! The places where tests run. Each file lists its tests with `trials![…]`.
//!
//! `local`, `slurm` and `ssh` are one backend each, `both` the two whose files are on this machine, `all` the
//! three. `ssh_servers` also needs the servers of `tests/sshd/up`; `ssh_alone` runs in a separate process.

use libtest_mimic::Trial;
use slurm::BackendKind;

use super::common::{Site, cluster_is_missing};
use super::roles;

pub(crate) type Body = fn(&Site);

/// A function that is a test on each of some backends.
pub(crate) struct Test {
    module: &'static str,
    name: &'static str,
    body: Body,
    kinds: &'static [BackendKind],
    /// Returns why it cannot run, if it cannot.
    missing: fn() -> Option<&'static str>,
    /// Whether it runs in a separate process.
    alone: bool,
}

inventory::collect!(Test);

const fn test(
    module: &'static str,
    name: &'static str,
    body: Body,
    kinds: &'static [BackendKind],
) -> Test {
    Test { module, name, body, kinds, missing: no_cluster, alone: false }
}

pub(crate) const fn local(module: &'static str, name: &'static str, body: Body) -> Test {
    test(module, name, body, &[BackendKind::Local])
}

pub(crate) const fn slurm(module: &'static str, name: &'static str, body: Body) -> Test {
    test(module, name, body, &[BackendKind::Slurm])
}

pub(crate) const fn ssh(module: &'static str, name: &'static str, body: Body) -> Test {
    test(module, name, body, &[BackendKind::Ssh])
}

pub(crate) const fn ssh_alone(module: &'static str, name: &'static str, body: Body) -> Test {
    Test { alone: true, ..ssh(module, name, body) }
}

pub(crate) const fn ssh_servers(module: &'static str, name: &'static str, body: Body) -> Test {
    Test { missing: no_servers, ..ssh(module, name, body) }
}

pub(crate) const fn both(module: &'static str, name: &'static str, body: Body) -> Test {
    test(module, name, body, &[BackendKind::Local, BackendKind::Slurm])
}

pub(crate) const fn all(module: &'static str, name: &'static str, body: Body) -> Test {
    test(module, name, body, &[BackendKind::Local, BackendKind::Slurm, BackendKind::Ssh])
}

fn no_cluster() -> Option<&'static str> {
    cluster_is_missing().then_some("no cluster: run tests/cluster/up")
}

fn no_servers() -> Option<&'static str> {
    let missing = std::env::var_os("SLURM_SDK_TEST_SSHD").is_none();
    no_cluster().or(missing.then_some("no servers: run tests/sshd/up"))
}

impl Test {
    /// Returns the name: the backend, the folder and the file, and the function. A folder for one backend does
    /// not repeat its name.
    fn name_on(&self, kind: BackendKind) -> String {
        let (_, path) = self.module.split_once("::").expect("a module of this program");
        let backend = ["slurm::", "ssh::", "embedded::"];
        let path = backend.iter().find_map(|folder| path.strip_prefix(folder)).unwrap_or(path);
        format!("{kind}::{path}::{}", self.name)
    }

    fn trial_on(&'static self, kind: BackendKind) -> Trial {
        let name = self.name_on(kind);
        let trial = crate::program::trial(name.clone(), move || {
            if self.alone {
                roles::run_alone("trial", &name);
            } else {
                (self.body)(&Site::new(kind));
            }
        });
        match (self.missing)() {
            Some(reason) if kind != BackendKind::Local => {
                trial.with_kind(reason).with_ignored_flag(true)
            }
            _ => trial,
        }
    }
}

/// Returns each test on each of its backends.
pub(crate) fn list() -> Vec<Trial> {
    let tests = inventory::iter::<Test>.into_iter();
    tests.flat_map(|test| test.kinds.iter().map(|kind| test.trial_on(*kind))).collect()
}

/// Runs the body of a test in this process.
pub(crate) fn run_here(name: &str) {
    let mut tests = inventory::iter::<Test>.into_iter();
    let known = tests.find_map(|test| {
        let kind = test.kinds.iter().find(|kind| test.name_on(**kind) == name)?;
        Some((test.body, *kind))
    });
    let (body, kind) = known.expect("the name of a test");
    body(&Site::new(kind));
}
