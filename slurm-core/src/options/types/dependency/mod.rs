//! Dependencies between jobs: `update_job_dependency` of `src/slurmctld/job_scheduler.c`.

mod read;
mod value;

pub use value::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};
