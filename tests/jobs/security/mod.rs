//! What docs/security.md claims of jobs.

pub(crate) mod arrays_and_workflows;
pub(crate) mod command_words;
pub(crate) mod other_users;
pub(crate) mod single_jobs;
