//! The options of a set as typed values.

use std::str::FromStr;

use crate::options::set::OptionSet;
use crate::options::types::{Gpus, Gres, NodeCount, TresPerTask};
use crate::options::value::OptionValue;

/// Reads the options of a set as typed values. What cannot be read is as good as absent: the values
/// of a set were checked when they were parsed.
pub(in crate::options) struct View<'a> {
    set: &'a OptionSet,
}

impl<'a> View<'a> {
    pub(in crate::options) const fn new(set: &'a OptionSet) -> Self {
        Self { set }
    }

    /// Whether the option is set to anything.
    pub(in crate::options) fn has(&self, key: &str) -> bool {
        self.set.get(key).is_some_and(|value| *value != OptionValue::Unset)
    }

    /// The option's value, if it has one.
    pub(in crate::options) fn text(&self, key: &str) -> Option<&'a str> {
        self.set.get(key).and_then(OptionValue::as_str)
    }

    /// The option's value as a type.
    pub(in crate::options) fn typed<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).and_then(|text| text.parse().ok())
    }

    /// The option's value as a number.
    pub(in crate::options) fn number(&self, key: &str) -> Option<u64> {
        self.typed(key)
    }

    /// The least and largest number of nodes, if `nodes` says so.
    pub(in crate::options) fn nodes(&self) -> Option<(u64, u64)> {
        let nodes: NodeCount = self.typed("nodes")?;
        Some((u64::from(nodes.min()), u64::from(nodes.max())))
    }

    pub(in crate::options) fn gpus(&self, key: &str) -> Option<Gpus> {
        self.typed(key)
    }

    pub(in crate::options) fn gres(&self) -> Option<Gres> {
        self.typed("gres")
    }

    pub(in crate::options) fn tres_per_task(&self) -> Option<TresPerTask> {
        self.typed("tres_per_task")
    }

    /// The first of the options that ask for whole GPUs.
    pub(in crate::options) fn asks_for_gpus(&self) -> Option<&'static str> {
        let by_key = ["gpus", "gpus_per_node", "gpus_per_socket", "gpus_per_task"]
            .into_iter()
            .find(|key| self.gpus(key).is_some_and(|gpus| gpus.total() > 0));
        by_key.or_else(|| self.gres().filter(|gres| gres.total("gpu") > 0).map(|_| "gres")).or_else(
            || self.tres_per_task().filter(|tres| tres.gpus() > 0).map(|_| "tres_per_task"),
        )
    }
}
