//! Cancelling jobs and arrays, with what the workflows among them have submitted.
//!
//! | file | holds |
//! |---|---|
//! | `handles` | `Job::cancel`, `JobArray::cancel` |
//! | `children` | what goes with a cancelled workflow |

mod children;
mod handles;

pub(crate) use children::children_of;
