//! The arguments of a call.

use std::sync::Arc;

use slurm_core::spec::Argument;

use super::ArrayUpstream;
use crate::error::Error;
use crate::model::Edge;

/// The arguments of a call, encoded as they are added.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct CallArguments {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) edges: Vec<Edge>,
    /// The arrays to which [`Argument::AllOf`] and [`Argument::ItemOf`] refer by position.
    pub(crate) arrays: Vec<Arc<ArrayUpstream>>,
    /// The items whose values are arguments: the array, and the index of the item.
    pub(crate) items: Vec<(Arc<ArrayUpstream>, u64)>,
    pub(crate) error: Option<Error>,
    /// The parameters whose arguments hold a [`Secret`](crate::Secret).
    pub(crate) secrets: Vec<&'static str>,
}
