//! Clusters behind an SSH connection.

pub(crate) mod cut_arrays;
pub(crate) mod cut_connections;
pub(crate) mod logins;
pub(crate) mod remote_host;
pub(crate) mod repeated_requests;
pub(crate) mod round_trips;
