//! The canonical form of each kind of value.

use super::ValueKind;
use crate::options::fault::Fault;
use crate::options::text::Text;
use crate::options::types::{
    AcctgFreq, ArraySpec, Constraint, CpuFreq, DateTime, Dependency, Distribution, Export, GpuBind,
    GpuFreq, Gpus, Gres, HostList, Licenses, MailType, MemBind, Memory, Nice, NodeCount,
    NodeLayout, OpenMode, Priority, Signal, Switches, TresPerTask, Walltime, names, number,
    rlimits, words,
};

impl ValueKind {
    /// The canonical form of a value that [`check`](Self::check) takes.
    pub(crate) fn canonical(self, value: &str) -> Result<String, Fault> {
        let text = Text::new(value);
        Ok(match self {
            Self::AcctgFreq => AcctgFreq::read(text)?.to_string(),
            Self::Array => ArraySpec::read(text)?.to_string(),
            Self::Constraint => Constraint::read(text)?.to_string(),
            Self::CoreSpec
            | Self::Count
            | Self::SmallCount
            | Self::SmallNumber
            | Self::ThreadSpec
            | Self::ZeroOrOne => number::integer(text)?.to_string(),
            Self::CpuFreq => CpuFreq::read(text)?.to_string(),
            Self::DateTime => DateTime::read(text)?.to_string(),
            Self::Dependency => Dependency::read(text)?.to_string(),
            Self::Distribution => Distribution::read(text)?.to_string(),
            Self::Exclusive => words::EXCLUSIVE.canonical(text),
            Self::Export => Export::read(text)?.to_string(),
            Self::GpuBind => GpuBind::read(text)?.to_string(),
            Self::GpuFreq => GpuFreq::read(text)?.to_string(),
            Self::Gpus => Gpus::read(text)?.to_string(),
            Self::Gres => Gres::read(text)?.to_string(),
            Self::GresFlags => words::GRES_FLAGS.canonical(text),
            Self::Hint => words::HINT.canonical(text),
            Self::HostList => HostList::read(text)?.to_string(),
            Self::Licenses => Licenses::read(text)?.to_string(),
            Self::MailType => MailType::read(text)?.to_string(),
            Self::MemBind => MemBind::read(text)?.to_string(),
            Self::Memory => Memory::read(text)?.to_string(),
            Self::Names => names::canonical(text),
            Self::Nice => Nice::read(text)?.to_string(),
            Self::NoKill => words::NO_KILL.canonical(text),
            Self::NodeCount => NodeCount::read(text)?.to_string(),
            Self::NodeLayout => NodeLayout::read(text)?.to_string(),
            Self::OpenMode => OpenMode::read(text)?.to_string(),
            Self::Power => words::POWER.canonical(text),
            Self::Priority => Priority::read(text)?.to_string(),
            Self::Profile => words::PROFILE.canonical(text),
            Self::RLimits => rlimits::canonical(text),
            Self::Requeue => words::REQUEUE.canonical(text),
            Self::Signal => Signal::read(text)?.to_string(),
            Self::Switches => Switches::read(text)?.to_string(),
            Self::TresPerTask => TresPerTask::read(text)?.to_string(),
            Self::UserEnvironment => value.to_ascii_uppercase(),
            Self::Walltime => Walltime::read(text)?.to_string(),
            Self::YesNo => words::YES_NO.canonical(text),
            Self::BatchFeatures
            | Self::BurstBuffer
            | Self::ClusterFeatures
            | Self::Flag
            | Self::JobName
            | Self::Name
            | Self::Path
            | Self::Text
            | Self::TresBind => value.to_owned(),
        })
    }
}
