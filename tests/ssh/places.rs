//! The requirements of tests. Each file lists its tests with `trials![…]`.
//!
//! `servers` needs the servers of `tests/sshd/up`, and `alone` needs them while no other test uses them. `sink`
//! needs an address that drops all packets, and `anywhere` needs nothing.

use std::sync::{PoisonError, RwLock};

use libtest_mimic::Trial;

use crate::common::{Site, servers_are_missing};

pub(crate) struct Test {
    module: &'static str,
    name: &'static str,
    body: fn(&Site),
    /// Whether no other test may use the servers meanwhile.
    alone: bool,
    /// Returns why the test cannot run, if it cannot.
    missing: fn() -> Option<&'static str>,
}

inventory::collect!(Test);

/// Locked by one test that needs the servers alone, or by many tests that share them.
static USE: RwLock<()> = RwLock::new(());

pub(crate) const fn anywhere(module: &'static str, name: &'static str, body: fn(&Site)) -> Test {
    Test { module, name, body, alone: false, missing: || None }
}

pub(crate) const fn servers(module: &'static str, name: &'static str, body: fn(&Site)) -> Test {
    let missing = || servers_are_missing().then_some("no servers: run tests/sshd/up");
    Test { missing, ..anywhere(module, name, body) }
}

/// For a test that counts lines in the log of a server.
pub(crate) const fn alone(module: &'static str, name: &'static str, body: fn(&Site)) -> Test {
    Test { alone: true, ..servers(module, name, body) }
}

pub(crate) const fn sink(module: &'static str, name: &'static str, body: fn(&Site)) -> Test {
    let missing = || {
        let sink = std::env::var_os("SLURM_SDK_TEST_SSHD_SINK").unwrap_or_default();
        sink.is_empty().then_some("no address that drops packets: run tests/sshd/up")
    };
    Test { missing, ..anywhere(module, name, body) }
}

impl Test {
    fn trial(&'static self) -> Trial {
        let (_, file) = self.module.split_once("::").expect("a module of this program");
        let trial = crate::program::trial(format!("{file}::{}", self.name), || {
            // A poisoned lock is usable: a test that failed no longer uses the servers.
            let lock = || USE.read().unwrap_or_else(PoisonError::into_inner);
            let together = (!self.alone).then(lock);
            let alone = self.alone.then(|| USE.write().unwrap_or_else(PoisonError::into_inner));
            crate::logs::begin();
            (self.body)(&Site::new());
            drop((together, alone));
        });
        match (self.missing)() {
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            None => trial,
        }
    }
}

pub(crate) fn list() -> Vec<Trial> {
    inventory::iter::<Test>.into_iter().map(Test::trial).collect()
}
