//! The kinds of values that options take.

use super::fault::Fault;
use super::grammar::{BURST_BUFFER, Grammar, PATH};
use super::types::{
    array, binding, constraint, datetime, dependency, distribution, export, frequencies, host_list,
    licenses, memory, name, node_count, node_layout, number, resources, signal, switches, walltime,
    words,
};

/// Defines the kinds, each with its grammar.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $grammar:expr,)*) => {
        /// The form of an option's value. Each kind has one grammar.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ValueKind {
            $($(#[$doc])* $kind,)*
        }

        impl ValueKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The grammar of the kind.
            pub(crate) const fn grammar(self) -> &'static Grammar {
                match self {
                    $(Self::$kind => &$grammar,)*
                }
            }
        }
    };
}

kinds! {
    /// Sampling intervals.
    AcctgFreq: frequencies::SAMPLING,
    /// Indices of a job array.
    Array: array::GRAMMAR,
    /// Features of the node of the batch script.
    BatchFeatures: constraint::BATCH,
    /// A description of a burst buffer.
    BurstBuffer: Grammar {
        expected: "a description of at most 8192 bytes",
        example: "#DW jobdw capacity=10GB access_mode=striped type=scratch",
        longest: BURST_BUFFER,
        ..Grammar::VERBATIM
    },
    /// Features of a cluster, perhaps negated.
    ClusterFeatures: constraint::CLUSTER,
    /// Features of nodes.
    Constraint: constraint::GRAMMAR,
    /// Reserved cores, 0 to 32767.
    CoreSpec: number::CORE_SPEC,
    /// A whole number from 1 to 2147483646.
    Count: number::COUNT,
    /// Frequencies of processors.
    CpuFreq: frequencies::CPU,
    /// A point in time.
    DateTime: datetime::GRAMMAR,
    /// Conditions on other jobs.
    Dependency: dependency::GRAMMAR,
    /// How tasks are spread.
    Distribution: distribution::GRAMMAR,
    /// The jobs that nodes are shared with.
    Exclusive: words::EXCLUSIVE,
    /// Environment variables.
    Export: export::GRAMMAR,
    /// No value.
    Flag: Grammar {
        expected: "no value",
        example: "",
        canonical: |text| {
            Err(text.fault("this option is a flag, given alone and without a value"))
        },
        ..Grammar::ANY
    },
    /// How tasks are bound to GPUs.
    GpuBind: binding::GPU,
    /// Frequencies of GPUs.
    GpuFreq: frequencies::GPU,
    /// Numbers of GPUs.
    Gpus: resources::GPUS,
    /// Generic resources.
    Gres: resources::GRES,
    /// How generic resources are tied to processors.
    GresFlags: words::GRES_FLAGS,
    /// The resource that limits an application.
    Hint: words::HINT,
    /// Names of nodes.
    HostList: host_list::GRAMMAR,
    /// Licences.
    Licenses: licenses::GRAMMAR,
    /// Occasions for mail.
    MailType: words::MAIL_TYPE,
    /// How tasks are bound to memory.
    MemBind: binding::MEMORY,
    /// A size.
    Memory: memory::GRAMMAR,
    /// The name of a job.
    JobName: name::JOB,
    /// One name, of an account for example.
    Name: name::ONE,
    /// Names separated by commas.
    Names: name::SEVERAL,
    /// A change of priority.
    Nice: number::NICE,
    /// Whether a failed node ends the job.
    NoKill: words::NO_KILL,
    /// A number of nodes.
    NodeCount: node_count::GRAMMAR,
    /// Sockets, cores and threads.
    NodeLayout: node_layout::GRAMMAR,
    /// Whether log files are appended to.
    OpenMode: words::OPEN_MODE,
    /// A path of a file or directory.
    Path: Grammar {
        expected: "a path of at most 4096 bytes",
        example: "logs/%j.out",
        longest: PATH,
        ..Grammar::VERBATIM
    },
    /// Power management.
    Power: words::POWER,
    /// A priority.
    Priority: number::PRIORITY,
    /// The profiled resources.
    Profile: words::PROFILE,
    /// Resource limits.
    RLimits: words::RLIMITS,
    /// How a job is requeued.
    Requeue: words::REQUEUE,
    /// A signal before the end.
    Signal: signal::GRAMMAR,
    /// A whole number from 1 to 65533.
    SmallCount: number::SMALL_COUNT,
    /// A whole number from 0 to 65533.
    SmallNumber: number::SMALL_NUMBER,
    /// Network switches.
    Switches: switches::GRAMMAR,
    /// Free text.
    Text: Grammar::VERBATIM,
    /// Reserved threads, 1 to 32767.
    ThreadSpec: number::THREAD_SPEC,
    /// How tasks are bound to resources.
    TresBind: binding::TRES,
    /// Resources of each task.
    TresPerTask: resources::TRES_PER_TASK,
    /// How the login environment is loaded.
    UserEnvironment: words::USER_ENVIRONMENT,
    /// A time span.
    Walltime: walltime::GRAMMAR,
    /// `yes` or `no`.
    YesNo: words::YES_NO,
    /// `0` or `1`.
    ZeroOrOne: number::ZERO_OR_ONE,
}

impl ValueKind {
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
        self.grammar().check(value).map(drop)
    }
}
