//! The grammar of each kind of value, in Slurm's own terms.
//!
//! If the library reads parts of a value, the kind has a type, which reads a value with
//! [`FromStr`](std::str::FromStr) and writes it in canonical form with [`Display`](std::fmt::Display). Every other kind
//! has a function that checks a value and returns its canonical form.

pub(crate) mod array;
pub(crate) mod binding;
pub(crate) mod constraint;
pub(crate) mod datetime;
pub(crate) mod dependency;
pub(crate) mod distribution;
pub(crate) mod export;
pub(crate) mod frequencies;
pub(crate) mod host_list;
pub(crate) mod licenses;
pub(crate) mod memory;
pub(crate) mod name;
pub(crate) mod node_count;
pub(crate) mod node_layout;
pub(crate) mod number;
pub(crate) mod resources;
pub(crate) mod signal;
pub(crate) mod switches;
pub(crate) mod walltime;
pub(crate) mod words;

pub use array::{ArrayRange, ArraySpec};
pub use datetime::DateTime;
pub use dependency::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};
pub use host_list::{HostList, HostListError, HostPattern};
pub use memory::Memory;
pub use name::{AccountName, JobName, PartitionName, QosName};
pub use node_count::NodeCount;
pub use signal::Signal;
pub use walltime::Walltime;
