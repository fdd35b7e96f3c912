//! Single jobs: values, errors, options, the batch script, logs and progress.

pub(crate) mod batch_script;
pub(crate) mod callbacks;
pub(crate) mod damaged_files;
pub(crate) mod diaries;
pub(crate) mod exit_codes;
pub(crate) mod job_logs;
pub(crate) mod jobs;
pub(crate) mod log_messages;
pub(crate) mod low_memory_panics;
pub(crate) mod options;
pub(crate) mod processes;
pub(crate) mod program_staging;
pub(crate) mod progress;
