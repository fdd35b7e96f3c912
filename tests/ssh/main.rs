//! Connections to real SSH servers, through the public face.
//!
//! The servers are those that `tests/sshd/up` starts; without them the tests that need one are ignored, and
//! say so.

mod answers;
mod certificates;
mod common;
mod configuration;
mod host_keys;
mod limits;
mod login;
mod logs;
mod masters;
mod people;
mod proxies;
mod roles;
mod secrets;

use libtest_mimic::Arguments;

fn main() {
    logs::collect();
    roles::play();
    let mut trials = Vec::new();
    trials.extend(answers::trials());
    trials.extend(certificates::trials());
    trials.extend(configuration::trials());
    trials.extend(host_keys::trials());
    trials.extend(limits::trials());
    trials.extend(login::trials());
    trials.extend(masters::trials());
    trials.extend(proxies::trials());
    trials.extend(secrets::trials());
    if common::servers_are_missing() {
        eprintln!(
            "no servers are up, so tests that need one are ignored: eval \"$(tests/sshd/up)\""
        );
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
