//! Retries of items, and jobs that run again under the same id.

pub(crate) mod array_attempts;
pub(crate) mod inputs_and_options;
pub(crate) mod requeue;
pub(crate) mod requeue_scontrol;
pub(crate) mod time_limit_warnings;
