//! Which releases take a value, where that depends on more than the option.

use super::ValueKind;
use crate::options::release::Release;
use crate::options::types::{HostList, Licenses, NodeCount};

impl ValueKind {
    /// The first release that takes this canonical value, if not all do.
    pub(crate) fn value_since(self, value: &str) -> Option<Release> {
        let newer = match self {
            Self::Exclusive if value == "topo" => Release::new(24, 5),
            Self::Exclusive if value == "allocation" => Release::new(26, 5),
            Self::Export if value == "NIL" => Release::new(23, 2),
            Self::GresFlags if value.contains(',') || value.contains("per-sharing") => {
                Release::new(23, 11)
            }
            Self::HostList => {
                let list: HostList = value.parse().ok()?;
                return list.since();
            }
            Self::Licenses if value.parse::<Licenses>().is_ok_and(|list| list.any) => {
                Release::new(25, 5)
            }
            Self::NodeCount if value.parse::<NodeCount>().is_ok_and(|nodes| nodes.is_list()) => {
                Release::new(23, 2)
            }
            Self::Requeue => Release::new(25, 11),
            _ => return None,
        };
        Some(newer)
    }

    /// The first release that no longer takes this canonical value.
    pub(crate) fn value_until(self, value: &str) -> Option<Release> {
        match self {
            Self::UserEnvironment => Some(Release::new(25, 5)),
            Self::MemBind if value.split(',').any(|word| matches!(word, "sort" | "nosort")) => {
                Some(Release::new(25, 11))
            }
            _ => None,
        }
    }
}
