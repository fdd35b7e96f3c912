//! The kinds of values that options take.

use super::fault::Fault;
use super::grammar::{BURST_BUFFER, Grammar, PATH};
use super::release::Release;
use super::text::Text;
use super::types::{
    acctg_freq, array, constraint, cpu_freq, datetime, dependency, distribution, export, gpu_bind,
    gpu_freq, gpus, gres, host_list, licenses, mail_type, mem_bind, memory, name, node_count,
    node_layout, number, open_mode, priority, rlimits, signal, switches, tres_per_task, walltime,
    words,
};

/// The form of an option's value. Each kind has one grammar.
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
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::AcctgFreq,
        Self::Array,
        Self::BatchFeatures,
        Self::BurstBuffer,
        Self::ClusterFeatures,
        Self::Constraint,
        Self::CoreSpec,
        Self::Count,
        Self::CpuFreq,
        Self::DateTime,
        Self::Dependency,
        Self::Distribution,
        Self::Exclusive,
        Self::Export,
        Self::Flag,
        Self::GpuBind,
        Self::GpuFreq,
        Self::Gpus,
        Self::Gres,
        Self::GresFlags,
        Self::Hint,
        Self::HostList,
        Self::Licenses,
        Self::MailType,
        Self::MemBind,
        Self::Memory,
        Self::JobName,
        Self::Name,
        Self::Names,
        Self::Nice,
        Self::NoKill,
        Self::NodeCount,
        Self::NodeLayout,
        Self::OpenMode,
        Self::Path,
        Self::Power,
        Self::Priority,
        Self::Profile,
        Self::RLimits,
        Self::Requeue,
        Self::Signal,
        Self::SmallCount,
        Self::SmallNumber,
        Self::Switches,
        Self::Text,
        Self::ThreadSpec,
        Self::TresBind,
        Self::TresPerTask,
        Self::UserEnvironment,
        Self::Walltime,
        Self::YesNo,
        Self::ZeroOrOne,
    ];

    /// The grammar of the kind.
    pub(crate) const fn grammar(self) -> &'static Grammar {
        match self {
            Self::AcctgFreq => &acctg_freq::GRAMMAR,
            Self::Array => &array::GRAMMAR,
            Self::BatchFeatures => &constraint::BATCH,
            Self::BurstBuffer => &Grammar {
                expected: "a description of at most 8192 bytes",
                example: "#DW jobdw capacity=10GB access_mode=striped type=scratch",
                longest: BURST_BUFFER,
                ..Grammar::VERBATIM
            },
            Self::ClusterFeatures => &constraint::CLUSTER,
            Self::Constraint => &constraint::GRAMMAR,
            Self::CoreSpec => &number::CORE_SPEC,
            Self::Count => &number::COUNT,
            Self::CpuFreq => &cpu_freq::GRAMMAR,
            Self::DateTime => &datetime::GRAMMAR,
            Self::Dependency => &dependency::GRAMMAR,
            Self::Distribution => &distribution::GRAMMAR,
            Self::Exclusive => &words::EXCLUSIVE,
            Self::Export => &export::GRAMMAR,
            Self::Flag => &Grammar {
                expected: "no value",
                example: "",
                canonical: |text| {
                    Err(text.fault("this option is a flag, given alone and without a value"))
                },
                ..Grammar::ANY
            },
            Self::GpuBind => &gpu_bind::GRAMMAR,
            Self::GpuFreq => &gpu_freq::GRAMMAR,
            Self::Gpus => &gpus::GRAMMAR,
            Self::Gres => &gres::GRAMMAR,
            Self::GresFlags => &words::GRES_FLAGS,
            Self::Hint => &words::HINT,
            Self::HostList => &host_list::GRAMMAR,
            Self::JobName => &name::JOB,
            Self::Licenses => &licenses::GRAMMAR,
            Self::MailType => &mail_type::GRAMMAR,
            Self::MemBind => &mem_bind::GRAMMAR,
            Self::Memory => &memory::GRAMMAR,
            Self::Name => &name::ONE,
            Self::Names => &name::SEVERAL,
            Self::Nice => &priority::NICE,
            Self::NoKill => &words::NO_KILL,
            Self::NodeCount => &node_count::GRAMMAR,
            Self::NodeLayout => &node_layout::GRAMMAR,
            Self::OpenMode => &open_mode::GRAMMAR,
            Self::Path => &Grammar {
                expected: "a path of at most 4096 bytes",
                example: "logs/%j.out",
                longest: PATH,
                ..Grammar::VERBATIM
            },
            Self::Power => &words::POWER,
            Self::Priority => &priority::PRIORITY,
            Self::Profile => &words::PROFILE,
            Self::RLimits => &rlimits::GRAMMAR,
            Self::Requeue => &words::REQUEUE,
            Self::Signal => &signal::GRAMMAR,
            Self::SmallCount => &number::SMALL_COUNT,
            Self::SmallNumber => &number::SMALL_NUMBER,
            Self::Switches => &switches::GRAMMAR,
            Self::Text => &Grammar::VERBATIM,
            Self::ThreadSpec => &number::THREAD_SPEC,
            Self::TresBind => &gpu_bind::TRES,
            Self::TresPerTask => &tres_per_task::GRAMMAR,
            Self::UserEnvironment => &words::USER_ENVIRONMENT,
            Self::Walltime => &walltime::GRAMMAR,
            Self::YesNo => &words::YES_NO,
            Self::ZeroOrOne => &number::ZERO_OR_ONE,
        }
    }

    /// Returns the form and unit of a value, to follow "expected".
    #[must_use]
    pub const fn expected(self) -> &'static str {
        self.grammar().expected
    }

    /// Returns a valid value of this kind; empty for a flag.
    #[must_use]
    pub const fn example(self) -> &'static str {
        self.grammar().example
    }

    /// Returns the details of values of this kind: units, limits, and differences
    /// between releases. Empty where [`expected`](Self::expected) says it all.
    #[must_use]
    pub const fn details(self) -> &'static str {
        self.grammar().details
    }

    /// Checks a value; an empty one is always refused.
    ///
    /// # Errors
    ///
    /// Returns the problem of the value.
    pub fn check(self, value: &str) -> Result<(), Fault> {
        self.canonical(value).map(drop)
    }

    /// Reads a value and returns it in canonical form.
    pub(crate) fn canonical(self, value: &str) -> Result<String, Fault> {
        self.read(value, self.grammar().canonical)
    }

    /// Reads a value with `read` under the rules that hold for every value.
    pub(crate) fn read<'a, T>(
        self,
        value: &'a str,
        read: impl FnOnce(Text<'a>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // The grammars look at bytes and may stop within a letter.
        self.text(value).and_then(read).map_err(|fault| fault.widened(value))
    }

    fn text(self, value: &str) -> Result<Text<'_>, Fault> {
        let text = Text::new(value);
        if text.is_empty() {
            return Err(text.fault("an empty value means nothing here: leave the option out"));
        }
        if let Some(index) = text.find_any(b"\0\n") {
            return Err(text.at(index).fault(match text.byte(index) {
                b'\n' => "a line break cannot stand in an option of a job script",
                _ => "a NUL byte cannot be passed to sbatch",
            }));
        }
        let (longest, reason) = self.grammar().longest;
        if text.len() > longest {
            return Err(text.skip(longest).fault(reason));
        }
        Ok(text)
    }

    /// The words that a boolean stands for, if the values are a yes and a no.
    pub(crate) const fn boolean_words(self) -> Option<(&'static str, &'static str)> {
        self.grammar().booleans
    }

    /// Returns the separator, if the value is a list.
    pub(crate) const fn list_separator(self) -> Option<&'static str> {
        self.grammar().separator
    }

    /// The least and the largest integer, if the digits of every integer between them are a value.
    pub(crate) const fn integers(self) -> Option<(i128, i128)> {
        self.grammar().integers
    }

    /// The first release that takes this canonical value, if not all do.
    pub(crate) fn value_since(self, value: &str) -> Option<Release> {
        (self.grammar().since)(value)
    }

    /// The first release that no longer takes this canonical value.
    pub(crate) fn value_until(self, value: &str) -> Option<Release> {
        (self.grammar().until)(value)
    }
}
