//! One type for each kind of value, in Slurm's own terms.
//!
//! Every type reads a value with [`FromStr`](std::str::FromStr) and writes it in canonical form
//! with [`Display`](std::fmt::Display); reading back what was written gives the same value.

pub(crate) mod acctg_freq;
pub(crate) mod array;
pub(crate) mod bind_list;
pub(crate) mod constraint;
pub(crate) mod cpu_freq;
pub(crate) mod datetime;
pub(crate) mod dependency;
pub(crate) mod distribution;
pub(crate) mod export;
pub(crate) mod gpu_bind;
pub(crate) mod gpu_freq;
pub(crate) mod gpus;
pub(crate) mod gres;
pub(crate) mod host_list;
pub(crate) mod licenses;
pub(crate) mod mail_type;
pub(crate) mod mem_bind;
pub(crate) mod memory;
pub(crate) mod name;
pub(crate) mod node_count;
pub(crate) mod node_layout;
pub(crate) mod number;
pub(crate) mod open_mode;
pub(crate) mod priority;
pub(crate) mod resource;
pub(crate) mod rlimits;
pub(crate) mod signal;
pub(crate) mod switches;
pub(crate) mod tres_per_task;
pub(crate) mod walltime;
pub(crate) mod words;

pub use acctg_freq::AcctgFreq;
pub use array::{ArrayRange, ArraySpec};
pub use constraint::Constraint;
pub use cpu_freq::{CpuClock, CpuFreq, Governor};
pub use datetime::DateTime;
pub use dependency::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};
pub use distribution::{Distribution, Layout, Spread};
pub use export::Export;
pub use gpu_bind::{Binding, GpuBind};
pub use gpu_freq::{GpuClock, GpuFreq};
pub use gpus::{GpuCount, Gpus};
pub use gres::{Gres, GresItem};
pub use host_list::{HostList, HostListError, HostPattern};
pub use licenses::{License, Licenses};
pub use mail_type::MailType;
pub use mem_bind::MemBind;
pub use memory::Memory;
pub use name::{AccountName, JobName, PartitionName, QosName};
pub use node_count::{NodeCount, NodeRange};
pub use node_layout::NodeLayout;
pub use open_mode::OpenMode;
pub use priority::{Nice, Priority};
pub use signal::Signal;
pub use switches::Switches;
pub use tres_per_task::{TresItem, TresPerTask};
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
