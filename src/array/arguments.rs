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
    /// The arrays that [`Argument::AllOf`] and [`Argument::ItemOf`] speak of, by position.
    pub(crate) arrays: Vec<Arc<ArrayUpstream>>,
    /// The array and the item that an argument is the value of.
    pub(crate) items: Vec<(Arc<ArrayUpstream>, u64)>,
    pub(crate) error: Option<Error>,
    /// The parameters whose arguments hold a [`Secret`](crate::Secret).
    pub(crate) secrets: Vec<&'static str>,
}
