//! Plain data that several layers use.

mod edge;
mod explanation;
mod handle;
mod kind;
pub(crate) mod permissions;
mod progress;
mod prologue;
mod reason;
mod span;
mod status;
mod warning;
pub(crate) mod word;

pub use edge::{Edge, EdgeElement};
pub use explanation::{ExplainedArray, ExplainedOption, Explanation};
pub(crate) use explanation::{Part, explained};
pub use handle::{ArrayHandle, ArrayPart, JobHandle};
pub use kind::BackendKind;
pub use progress::Progress;
pub(crate) use prologue::{Prologue, check_shell};
pub use reason::Reason;
pub(crate) use span::Span;
pub use status::Status;
pub use warning::Warning;
