//! Behaviour of a real Slurm alone, and unusual answers of its commands.

pub(crate) mod command_answers;
pub(crate) mod forgotten_dependencies;
pub(crate) mod job_states;
pub(crate) mod module_systems;
pub(crate) mod pending_reasons;
pub(crate) mod submission_answers;
