//! The options of a set as typed values.

use std::str::FromStr;

use super::set::OptionSet;
use super::table::find;
use super::types::NodeCount;
use super::types::resources::{self, Resource, total};
use super::value::OptionValue;
use super::{ValueKind, text::Text};

/// The options that ask for GPUs. Of two for the same number, Slurm takes the earlier.
pub(super) const GPU_OPTIONS: [&str; 6] =
    ["gpus", "gpus_per_node", "gpus_per_socket", "gpus_per_task", "gres", "tres_per_task"];

/// Reads the options of a set as typed values. A value that cannot be read counts as absent: the values of a set
/// were checked when they were parsed.
pub(super) struct View<'a> {
    set: &'a OptionSet,
}

impl<'a> View<'a> {
    pub(super) const fn new(set: &'a OptionSet) -> Self {
        Self { set }
    }

    /// Whether the option is set to anything.
    pub(super) fn has(&self, key: &str) -> bool {
        self.set.get(key).is_some_and(|value| *value != OptionValue::Unset)
    }

    /// The option's value, if it has one.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.set.get(key).and_then(OptionValue::as_str)
    }

    /// The option's value as a type.
    pub(super) fn typed<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).and_then(|text| text.parse().ok())
    }

    /// The option's value as a number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.typed(key)
    }

    /// The least and largest number of nodes, if `nodes` says so.
    pub(super) fn nodes(&self) -> Option<(u64, u64)> {
        let nodes: NodeCount = self.typed("nodes")?;
        Some((u64::from(nodes.min()), u64::from(nodes.max())))
    }

    /// The resources of an option that lists them; none if it is not set.
    pub(super) fn resources(&self, key: &str) -> Vec<Resource> {
        let (Some(text), Some(spec)) = (self.text(key), find(key)) else { return Vec::new() };
        let read = match spec.kind {
            ValueKind::Gres => resources::gres,
            ValueKind::Gpus => resources::gpus,
            ValueKind::TresPerTask => resources::tres_per_task,
            _ => return Vec::new(),
        };
        read(Text::new(text)).unwrap_or_default()
    }

    /// The number of GPUs that an option asks for, if it asks for any.
    pub(super) fn gpus(&self, key: &str) -> Option<u64> {
        let name = if key == "tres_per_task" { "gres/gpu" } else { "gpu" };
        Some(total(&self.resources(key), name)).filter(|total| *total > 0)
    }

    /// The first of the options that ask for whole GPUs.
    pub(super) fn asks_for_gpus(&self) -> Option<&'static str> {
        GPU_OPTIONS.into_iter().find(|key| self.gpus(key).is_some())
    }
}
