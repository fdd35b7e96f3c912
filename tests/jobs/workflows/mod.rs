//! Jobs that submit jobs.

pub(crate) mod arrays_of_workflows;
pub(crate) mod graphs;
pub(crate) mod jobs_of_workflows;
pub(crate) mod resume;
