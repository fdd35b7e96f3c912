//! Cancelling jobs and arrays, with the jobs of workflows.
//!
//! | file | holds |
//! |---|---|
//! | `handles` | `Job::cancel`, `JobArray::cancel` |
//! | `children` | the jobs of a cancelled workflow |

mod children;
mod handles;

pub(crate) use children::children_of;
