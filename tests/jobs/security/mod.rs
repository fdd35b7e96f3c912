//! The claims of docs/security.md about jobs.

pub(crate) mod arrays_and_workflows;
pub(crate) mod command_words;
pub(crate) mod other_users;
pub(crate) mod single_jobs;
