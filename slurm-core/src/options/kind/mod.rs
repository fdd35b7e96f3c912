//! The kinds of values that options take.

mod canonical;
mod check;
mod describe;
mod details;
mod releases;

/// What an option's value looks like. Each kind is one grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// Sampling intervals: [`AcctgFreq`](super::AcctgFreq).
    AcctgFreq,
    /// Indices of a job array: [`ArraySpec`](super::ArraySpec).
    Array,
    /// Features of the node of the batch script.
    BatchFeatures,
    /// A description of a burst buffer.
    BurstBuffer,
    /// Features of a cluster, perhaps negated.
    ClusterFeatures,
    /// Features of nodes: [`Constraint`](super::Constraint).
    Constraint,
    /// Reserved cores, 0 to 32767.
    CoreSpec,
    /// A whole number from 1 to 2147483646.
    Count,
    /// Frequencies of processors: [`CpuFreq`](super::CpuFreq).
    CpuFreq,
    /// A point in time: [`DateTime`](super::DateTime).
    DateTime,
    /// What must have happened before: [`Dependency`](super::Dependency).
    Dependency,
    /// How tasks are spread: [`Distribution`](super::Distribution).
    Distribution,
    /// With whom nodes are shared.
    Exclusive,
    /// Environment variables: [`Export`](super::Export).
    Export,
    /// No value at all.
    Flag,
    /// How tasks are bound to GPUs: [`GpuBind`](super::GpuBind).
    GpuBind,
    /// Frequencies of GPUs: [`GpuFreq`](super::GpuFreq).
    GpuFreq,
    /// Numbers of GPUs: [`Gpus`](super::Gpus).
    Gpus,
    /// Generic resources: [`Gres`](super::Gres).
    Gres,
    /// How generic resources are tied to processors.
    GresFlags,
    /// What an application is limited by.
    Hint,
    /// Names of nodes: [`HostList`](super::HostList).
    HostList,
    /// Licences: [`Licenses`](super::Licenses).
    Licenses,
    /// Occasions for mail: [`MailType`](super::MailType).
    MailType,
    /// How tasks are bound to memory: [`MemBind`](super::MemBind).
    MemBind,
    /// A size: [`Memory`](super::Memory).
    Memory,
    /// The name of a job: [`JobName`](super::JobName).
    JobName,
    /// One name, of an account for example: [`AccountName`](super::AccountName).
    Name,
    /// Names separated by commas: [`PartitionName`](super::PartitionName), [`QosName`](super::QosName).
    Names,
    /// A change of priority: [`Nice`](super::Nice).
    Nice,
    /// Whether a failed node ends the job.
    NoKill,
    /// A number of nodes: [`NodeCount`](super::NodeCount).
    NodeCount,
    /// Sockets, cores and threads: [`NodeLayout`](super::NodeLayout).
    NodeLayout,
    /// Whether log files are appended to: [`OpenMode`](super::OpenMode).
    OpenMode,
    /// A path of a file or directory.
    Path,
    /// Power management.
    Power,
    /// A priority: [`Priority`](super::Priority).
    Priority,
    /// What is profiled.
    Profile,
    /// Resource limits.
    RLimits,
    /// How a job is requeued.
    Requeue,
    /// A signal before the end: [`Signal`](super::Signal).
    Signal,
    /// A whole number from 1 to 65533.
    SmallCount,
    /// A whole number from 0 to 65533.
    SmallNumber,
    /// Network switches: [`Switches`](super::Switches).
    Switches,
    /// Free text.
    Text,
    /// Reserved threads, 1 to 32767.
    ThreadSpec,
    /// How tasks are bound to resources.
    TresBind,
    /// Resources of each task: [`TresPerTask`](super::TresPerTask).
    TresPerTask,
    /// How the login environment is loaded.
    UserEnvironment,
    /// A time span: [`Walltime`](super::Walltime).
    Walltime,
    /// `yes` or `no`.
    YesNo,
    /// `0` or `1`.
    ZeroOrOne,
}

impl ValueKind {
    /// The words that a boolean stands for, if the values are a yes and a no.
    pub(crate) const fn boolean_words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::YesNo => Some(("yes", "no")),
            Self::ZeroOrOne => Some(("1", "0")),
            _ => None,
        }
    }

    /// What joins several values, if the value is a list.
    pub(crate) const fn list_separator(self) -> Option<&'static str> {
        match self {
            Self::BatchFeatures | Self::ClusterFeatures | Self::Constraint => Some("&"),
            Self::AcctgFreq
            | Self::Array
            | Self::Dependency
            | Self::Export
            | Self::Gpus
            | Self::Gres
            | Self::GresFlags
            | Self::Hint
            | Self::HostList
            | Self::Licenses
            | Self::MailType
            | Self::MemBind
            | Self::Names
            | Self::Profile
            | Self::RLimits
            | Self::TresPerTask => Some(","),
            _ => None,
        }
    }
}
