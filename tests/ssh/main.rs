//! Connections to real SSH servers, through the public interface.
//!
//! `tests/sshd/up` starts the servers. Without them, the tests that need one are ignored, and say so.

#[macro_use]
#[path = "../support/program.rs"]
mod program;

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
mod places;
mod proxies;
mod roles;
mod secrets;

fn main() {
    logs::collect();
    roles::play();
    if common::servers_are_missing() {
        eprintln!(
            "no servers are up, so tests that need one are ignored: eval \"$(tests/sshd/up)\""
        );
    }
    program::run(places::list());
}
