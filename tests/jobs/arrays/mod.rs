//! Arrays: many calls in one submission.

pub(crate) mod calls_and_memory;
pub(crate) mod item_arguments;
pub(crate) mod items;
pub(crate) mod several_slurm_arrays;
