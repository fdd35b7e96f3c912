//! The grammar of each kind of value, in Slurm's own terms.
//!
//! Values of which the library reads parts have a type, which reads a value with
//! [`FromStr`](std::str::FromStr) and writes it in canonical form with [`Display`](std::fmt::Display). The others only
//! have a check that returns the canonical form.

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

/// Makes a type that has `read` one that texts are parsed into, under the rules of one kind of value, and that
/// options can be set to.
macro_rules! typed {
    ($type:ty, $kind:ident) => {
        impl ::std::str::FromStr for $type {
            type Err = $crate::options::InvalidValue;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                let kind = $crate::options::ValueKind::$kind;
                kind.read(value, Self::read)
                    .map_err(|fault| $crate::options::InvalidValue::of_kind(kind, value, fault))
            }
        }

        impl From<$type> for $crate::options::OptionInput {
            fn from(value: $type) -> Self {
                Self::from(value.to_string())
            }
        }
    };
}
pub(crate) use typed;
