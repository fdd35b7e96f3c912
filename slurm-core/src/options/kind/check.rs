//! Which grammar each kind of value follows.

use super::ValueKind;
use crate::options::fault::Fault;
use crate::options::text::Text;
use crate::options::types::{
    AcctgFreq, ArraySpec, Constraint, CpuFreq, DateTime, Dependency, Distribution, Export, GpuBind,
    GpuFreq, Gpus, Gres, HostList, Licenses, MailType, MemBind, Memory, Nice, NodeCount,
    NodeLayout, OpenMode, Priority, Signal, Switches, TresPerTask, Walltime, gpu_bind, name, names,
    number, rlimits, words,
};

/// What the controller takes of a text (`_test_job_desc_fields` of `src/slurmctld/job_mgr.c`).
const MAX_TEXT: usize = 1024;
const MAX_PATH: usize = 4096;
const MAX_BURST_BUFFER: usize = 8192;
const MAX_LONG: usize = 131_072;
/// The whole command line may be so long.
const MAX_LINE: usize = 1_048_576;

/// Forgets what a grammar read.
macro_rules! checked {
    ($result:expr) => {
        match $result {
            Ok(_) => Ok(()),
            Err(fault) => Err(fault),
        }
    };
}

impl ValueKind {
    /// Checks a value; an empty one is always refused.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(self, value: &str) -> Result<(), Fault> {
        let text = Text::new(value);
        if text.is_empty() {
            return Err(text.fault("an empty value means nothing here: leave the option out"));
        }
        if let Some(index) = text.find_any(b"\0\n") {
            let part = text.skip(index).take(1);
            return Err(part.fault(match part.byte(0) {
                b'\n' => "a line break cannot stand in an option of a job script",
                _ => "a NUL byte cannot be passed to sbatch",
            }));
        }
        let longest = self.longest();
        if text.len() > longest {
            let rest = text.skip(longest);
            let fault = rest.fault(match longest {
                MAX_TEXT => "too long: the controller takes at most 1024 bytes",
                MAX_PATH => "too long: the controller takes at most 4096 bytes",
                MAX_BURST_BUFFER => "too long: the controller takes at most 8192 bytes",
                MAX_LONG => "too long: the controller takes at most 131072 bytes",
                _ => "too long: the controller takes at most 1048576 bytes",
            });
            return Err(fault.widened(value));
        }
        match self.check_grammar(text) {
            Ok(()) => Ok(()),
            // The grammars look at bytes and may stop within a letter.
            Err(fault) => Err(fault.widened(value)),
        }
    }

    const fn longest(self) -> usize {
        match self {
            Self::Path | Self::Array => MAX_PATH,
            Self::BurstBuffer => MAX_BURST_BUFFER,
            Self::Dependency | Self::MemBind => MAX_LONG,
            Self::HostList | Self::Export => MAX_LINE,
            _ => MAX_TEXT,
        }
    }

    const fn check_grammar(self, text: Text<'_>) -> Result<(), Fault> {
        match self {
            Self::AcctgFreq => AcctgFreq::check(text),
            Self::Array => ArraySpec::check(text),
            Self::BatchFeatures => names::check_features(text),
            Self::BurstBuffer | Self::Path | Self::Text => Ok(()),
            Self::ClusterFeatures => names::check_cluster_features(text),
            Self::Constraint => Constraint::check(text),
            Self::CoreSpec => checked!(number::core_spec(text)),
            Self::Count => checked!(number::count(text)),
            Self::CpuFreq => checked!(CpuFreq::read(text)),
            Self::DateTime => checked!(DateTime::read(text)),
            Self::Dependency => Dependency::check(text),
            Self::Distribution => Distribution::check(text),
            Self::Exclusive => words::EXCLUSIVE.check(text),
            Self::Export => Export::check(text),
            Self::Flag => Err(text.fault("this option is a flag, given alone and without a value")),
            Self::GpuBind => GpuBind::check(text),
            Self::GpuFreq => checked!(GpuFreq::read(text)),
            Self::Gpus => Gpus::check(text),
            Self::Gres => Gres::check(text),
            Self::GresFlags => words::GRES_FLAGS.check(text),
            Self::Hint => words::HINT.check(text),
            Self::HostList => HostList::check(text),
            Self::Licenses => Licenses::check(text),
            Self::MailType => MailType::check(text),
            Self::MemBind => MemBind::check(text),
            Self::Memory => checked!(Memory::read(text)),
            Self::JobName => name::check_job(text),
            Self::Name => name::check(text),
            Self::Names => names::check(text),
            Self::Nice => checked!(Nice::read(text)),
            Self::NoKill => words::NO_KILL.check(text),
            Self::NodeCount => NodeCount::check(text),
            Self::NodeLayout => NodeLayout::check(text),
            Self::OpenMode => checked!(OpenMode::read(text)),
            Self::Power => words::POWER.check(text),
            Self::Priority => checked!(Priority::read(text)),
            Self::Profile => words::PROFILE.check(text),
            Self::RLimits => rlimits::check(text),
            Self::Requeue => words::REQUEUE.check(text),
            Self::Signal => checked!(Signal::read(text)),
            Self::SmallCount => checked!(number::small_count(text)),
            Self::SmallNumber => checked!(number::small_number(text)),
            Self::Switches => checked!(Switches::read(text)),
            Self::ThreadSpec => checked!(number::thread_spec(text)),
            Self::TresBind => gpu_bind::check_tres_bind(text),
            Self::TresPerTask => TresPerTask::check(text),
            Self::UserEnvironment => names::check_user_environment(text),
            Self::Walltime => checked!(Walltime::read(text)),
            Self::YesNo => words::YES_NO.check(text),
            Self::ZeroOrOne => checked!(number::zero_or_one(text)),
        }
    }
}
