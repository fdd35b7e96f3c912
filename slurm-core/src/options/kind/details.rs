//! Each kind of value at length, for the reference page.

use super::ValueKind;

impl ValueKind {
    /// Every kind of value, by name.
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
        Self::JobName,
        Self::Licenses,
        Self::MailType,
        Self::MemBind,
        Self::Memory,
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

    /// Returns what there is to know about values of this kind: units, limits, and differences
    /// between releases. Empty where [`expected`](Self::expected) says it all.
    #[must_use]
    pub const fn details(self) -> &'static str {
        match self {
            Self::AcctgFreq => {
                "Whole seconds, at most 65533; 0 switches the sampling off. A number alone is for \
                 tasks."
            }
            Self::Array => {
                "`first-last`, `first-last:step` or single indices, from 0 to one less than the \
                 cluster's `MaxArraySize` (1001 unless configured, at most 4000001). `%limit` \
                 bounds how many tasks of the whole array run at once. Brackets around numbers are \
                 dropped."
            }
            Self::JobName => "No control characters.",
            Self::Name | Self::Names => {
                "No blanks, control characters, quotes, nor what shells know: `\\$|;&<>(){}#`."
            }
            Self::BatchFeatures | Self::ClusterFeatures => "Names without blanks or brackets.",
            Self::Constraint => {
                "`&` is and, `|` is or, a comma is `&`. Parentheses group, one level deep. One \
                 pair of brackets is allowed: `[a|b]` wants the same feature on all nodes, \
                 `[a*2&b*4]` so many nodes with each. A count outside brackets beside other \
                 features is refused from 23.02 on."
            }
            Self::CpuFreq => {
                "Frequencies are whole kHz or `low`, `medium`, `high`, `highm1`; governors are \
                 `Conservative`, `OnDemand`, `Performance`, `PowerSave`, `SchedUtil`, `UserSpace`, \
                 as far as the cluster's `CpuFreqGovernors` allows. Words may be shortened as \
                 sbatch allows (`perf`). From 23.11 on a range needs a governor unless the cluster \
                 sets `CpuFreqDef`, and `UserSpace` takes one frequency instead of a range."
            }
            Self::DateTime => {
                "A date (`2030-01-20`, `01/20`, `01/20/30`, `today`, `tomorrow`), a time of day \
                 (`16:00`, `16:00:30`, `4:00pm`, `midnight`, `noon`, `fika`, `teatime`, and \
                 `elevenses`, which is passed on as 11:00), or both, apart by `T`, `-` or a blank; \
                 `now`, `now+COUNT` with `seconds` (the default), `minutes`, `hours`, `days` or \
                 `weeks`; `uts` and the seconds since 1970. All in the time zone of the machine \
                 that submits."
            }
            Self::Dependency => {
                "Types are `after`, `afterany`, `afterok`, `afternotok`, `aftercorr`, \
                 `afterburstbuffer`, `expand`, and `singleton`, which names no job. A job is `id`, \
                 `id_index`, `id_*` or `id_[1-3,5]`; `after` takes `+minutes` behind it. Bare ids \
                 mean `afterany` and come last. `,` and `?` cannot be mixed."
            }
            Self::Distribution => {
                "Levels are `block`, `cyclic`, `fcyclic` (not for nodes) or `*` for Slurm's \
                 default; `,pack` or `,nopack` may follow. `plane` counts tasks."
            }
            Self::Exclusive => "`topo` needs 24.05 and `allocation` 26.05.",
            Self::Export => {
                "Quotes keep the commas of a value together; nothing else is interpreted. `NIL` \
                 needs 23.02."
            }
            Self::GpuBind => {
                "List entries are numbers of GPUs, or hexadecimal masks of them, perhaps with \
                 `*count`. `map:` and `mask:`, which 23.11 knows, are passed on in the long form."
            }
            Self::GpuFreq => "Whole MHz or words, in lower case; `verbose` may be added.",
            Self::Gpus => {
                "A type alone is one GPU of it. Counts may carry `K`, `M`, `G`, `T` or `P`."
            }
            Self::Gres => {
                "Names are case-sensitive. Without a count it is 1; counts may carry `K`, `M`, \
                 `G`, `T` or `P` (powers of 1024; with `B`, of 1000). `gres:` and `gres/` before \
                 the name and `=` before the count are read and not passed on, since no release \
                 knows them all."
            }
            Self::GresFlags => "Anything but one of the first two alone needs 23.11.",
            Self::HostList => {
                "A name may hold several brackets with numbers and ranges, of which leading zeros \
                 are kept; text after the last bracket needs 23.11, and `{block}` 24.11. A value \
                 with a `/` names a file."
            }
            Self::Licenses => {
                "Without a count it is 1. `=` may stand for `:` (23.11) and is passed on as `:`; \
                 `|` needs 25.05 and cannot be mixed with `,`."
            }
            Self::MailType => {
                "`NONE`, `ALL`, `BEGIN`, `END`, `FAIL`, `REQUEUE`, `INVALID_DEPEND`, `STAGE_OUT`, \
                 `TIME_LIMIT`, `TIME_LIMIT_90`, `TIME_LIMIT_80`, `TIME_LIMIT_50`, `ARRAY_TASKS`, \
                 in any case."
            }
            Self::MemBind => {
                "List entries are numbers of memory nodes, or hexadecimal masks, perhaps with \
                 `*count`. `sort` and `nosort` are gone in 25.11."
            }
            Self::Memory => {
                "`K`, `M`, `G` and `T` are KiB, MiB, GiB and TiB, and a `B` may follow them; \
                 without a unit it is MiB. KiB are rounded up to MiB."
            }
            Self::NodeCount => {
                "`-8` is one to eight. `k` and `m` multiply by 1024 and 1048576. Lists (`1,2,4`) \
                 and steps (`2-8:2`) of numbers up to 16383 need 23.02."
            }
            Self::NodeLayout => "`k` and `m` multiply by 1024 and 1048576.",
            Self::OpenMode => "Both may be shortened.",
            Self::RLimits => "Upper case only; `RLIMIT_` may stand before a name.",
            Self::Signal => {
                "`B` signals only the batch shell, `R` allows it for overlapping reservations. A \
                 signal is a number from 1 to 64 or one of `HUP`, `INT`, `QUIT`, `ABRT`, `KILL`, \
                 `ALRM`, `TERM`, `USR1`, `USR2`, `PIPE`, `CHLD`, `URG`, `CONT`, `STOP`, `TSTP`, \
                 `TTIN`, `TTOU`, `XCPU`, perhaps with `SIG` before it. Whole seconds before the \
                 end, at most 65535; 60 when they are not given."
            }
            Self::Switches => "The time is how long to wait for so few switches, as for `time`.",
            Self::TresBind => {
                "Bindings are those of `gpu_bind`; shares of GPUs take `none` and `per_task`."
            }
            Self::TresPerTask => {
                "`:` may stand for `=`. Nodes, memory and energy cannot be counted per task."
            }
            Self::Walltime => {
                "Whole seconds at the finest, which Slurm rounds up to minutes; a number alone is \
                 minutes. At most 24855 days. `UNLIMITED`, `INFINITE` and `-1` are no limit, and \
                 so is 0 for a time limit."
            }
            Self::BurstBuffer
            | Self::CoreSpec
            | Self::Count
            | Self::Flag
            | Self::Hint
            | Self::Nice
            | Self::NoKill
            | Self::Path
            | Self::Power
            | Self::Priority
            | Self::Profile
            | Self::Requeue
            | Self::SmallCount
            | Self::SmallNumber
            | Self::Text
            | Self::ThreadSpec
            | Self::UserEnvironment
            | Self::YesNo
            | Self::ZeroOrOne => "",
        }
    }
}
