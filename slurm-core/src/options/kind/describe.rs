//! Each kind of value in words.

use super::ValueKind;

impl ValueKind {
    /// Returns what a value looks like and in which unit, to follow "expected".
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::AcctgFreq => {
                "`task`, `energy`, `network` or `filesystem`, each with `=seconds`, joined by commas"
            }
            Self::Array => "indices and ranges joined by commas, with `:step` and a last `%limit`",
            Self::BatchFeatures => "features joined by `&` or `|`",
            Self::BurstBuffer => "a description of at most 8192 bytes",
            Self::ClusterFeatures => "features joined by `&` or `|`, perhaps after `!`",
            Self::Constraint => "features joined by `&` or `|`, in `(…)` or one `[…]`",
            Self::CoreSpec => "a whole number from 0 to 32767",
            Self::Count => "a whole number from 1 to 2147483646",
            Self::CpuFreq => "`low[-high][:governor]` in kHz or words, or a governor",
            Self::DateTime => "`YYYY-MM-DD[THH:MM[:SS]]`, `HH:MM`, `now+COUNTunit` or a word",
            Self::Dependency => "`type:job[:job]` joined by `,` (all of) or `?` (any of)",
            Self::Distribution => "`nodes[:sockets[:cores]]`, `plane=SIZE` or `arbitrary`",
            Self::Exclusive => {
                "`exclusive`, `user`, `mcs`, `oversubscribe`, `topo` or `allocation`"
            }
            Self::Export => "`ALL`, `NONE`, `NIL`, or `NAME` and `NAME=value` joined by commas",
            Self::Flag => "no value",
            Self::GpuBind => {
                "`closest`, `none`, `single:tasks`, `per_task:gpus`, `map_gpu:list` or \
                 `mask_gpu:list`, perhaps after `verbose,`"
            }
            Self::GpuFreq => "`[memory=]low|medium|high|highm1|MHz` joined by commas",
            Self::Gpus => "`[type:]count` joined by commas",
            Self::Gres => "`name[:type][:count]` joined by commas, or `none`",
            Self::GresFlags => {
                "`disable-binding` or `enforce-binding`, `multiple-tasks-per-sharing` or \
                 `one-task-per-sharing`, joined by commas"
            }
            Self::Hint => "`compute_bound`, `memory_bound`, `multithread` or `nomultithread`",
            Self::HostList => "names of nodes such as `n[1-3,7],login`, or the path of a file",
            Self::Licenses => "`name[:count]` joined by `,` (all of) or `|` (any of)",
            Self::MailType => "mail types such as BEGIN, END and FAIL joined by commas",
            Self::MemBind => {
                "`none`, `local`, `rank`, `map_mem:list`, `mask_mem:list`, `quiet`, `verbose`, \
                 `prefer`, `sort`, `nosort`, joined by commas"
            }
            Self::Memory => "a whole number with K, M, G or T (MiB without a unit)",
            Self::JobName => "visible text of at most 1024 bytes",
            Self::Name => "a name",
            Self::Names => "names joined by commas",
            Self::Nice => "a whole number between -2147483645 and 2147483645",
            Self::NoKill => "no value, `set`, `off` or `no`",
            Self::NodeCount => "a number of nodes or a range such as `2-8`",
            Self::NodeLayout => "`sockets[:cores[:threads]]`, each a number, a range or `*`",
            Self::OpenMode => "`append` or `truncate`",
            Self::Path => "a path of at most 4096 bytes",
            Self::Power => "`level`",
            Self::Priority => "`TOP` or a whole number from 1 to 4294967293",
            Self::Profile => {
                "`none`, or `all`, `energy`, `task`, `lustre`, `network` joined by commas"
            }
            Self::RLimits => {
                "`ALL`, `NONE`, or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, \
                 MEMLOCK and AS, joined by commas"
            }
            Self::Requeue => "no value, or `expedite`",
            Self::Signal => "`[R][B]:signal[@seconds]`",
            Self::SmallCount => "a whole number from 1 to 65533",
            Self::SmallNumber => "a whole number from 0 to 65533",
            Self::Switches => "`count[@time]`",
            Self::Text => "text of at most 1024 bytes",
            Self::ThreadSpec => "a whole number from 1 to 32767",
            Self::TresBind => "`gres/name:binding` joined by `+`",
            Self::TresPerTask => {
                "`cpu=count`, `gres/name[:type]=count` or `license/name=count`, joined by commas"
            }
            Self::UserEnvironment => "no value, or seconds and then `S` or `L`",
            Self::Walltime => {
                "minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]] \
                 or UNLIMITED"
            }
            Self::YesNo => "`yes` or `no`",
            Self::ZeroOrOne => "`0` or `1`",
        }
    }

    /// Returns a valid value of this kind; empty for a flag.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::AcctgFreq => "task=30,energy=10",
            Self::Array => "0-15%4",
            Self::BatchFeatures | Self::ClusterFeatures => "haswell",
            Self::BurstBuffer => "#DW jobdw capacity=10GB access_mode=striped type=scratch",
            Self::Constraint => "haswell&ssd",
            Self::CoreSpec | Self::Count | Self::SmallCount | Self::SmallNumber => "4",
            Self::CpuFreq => "2000000-2400000:OnDemand",
            Self::DateTime => "now+1hour",
            Self::Dependency => "afterok:12",
            Self::Distribution => "block:cyclic",
            Self::Exclusive => "user",
            Self::Export => "ALL,EDITOR=vim",
            Self::Flag => "",
            Self::GpuBind => "single:2",
            Self::GpuFreq => "high,memory=low",
            Self::Gpus => "a100:2",
            Self::Gres => "gpu:a100:2",
            Self::GresFlags => "enforce-binding",
            Self::Hint => "nomultithread",
            Self::HostList => "n[1-3]",
            Self::Licenses => "matlab:2",
            Self::MailType => "END,FAIL",
            Self::MemBind => "local",
            Self::Memory => "4G",
            Self::Name => "proj1",
            Self::Names => "debug",
            Self::Nice | Self::Priority => "100",
            Self::NoKill => "off",
            Self::NodeCount => "1-4",
            Self::NodeLayout => "2:8:1",
            Self::OpenMode => "append",
            Self::Path => "logs/%j.out",
            Self::Power => "level",
            Self::Profile => "task",
            Self::RLimits => "STACK,NOFILE",
            Self::Requeue => "expedite",
            Self::Signal => "B:USR1@120",
            Self::Switches => "1@24:00:00",
            Self::JobName | Self::Text => "training",
            Self::ThreadSpec => "8",
            Self::TresBind => "gres/gpu:single:2",
            Self::TresPerTask => "cpu=4,gres/gpu=1",
            Self::UserEnvironment => "10L",
            Self::Walltime => "04:00:00",
            Self::YesNo => "yes",
            Self::ZeroOrOne => "1",
        }
    }
}
