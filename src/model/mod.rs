//! Plain data that several layers name.

pub(crate) mod permissions;
mod reason;
mod span;
mod status;

pub use reason::Reason;
pub(crate) use span::Span;
pub use status::Status;
