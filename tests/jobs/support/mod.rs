//! Code that tests share: clusters, tasks, programs, and the list of tests.

pub(crate) mod common;
pub(crate) mod logger;
pub(crate) mod proxy;
pub(crate) mod roles;
pub(crate) mod sshd;
pub(crate) mod tasks;

pub(crate) mod places;
