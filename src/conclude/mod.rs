//! Turns an observed end into a `JobError`.
//!
//! | file | holds |
//! |---|---|
//! | `case` | what is known of the call that ended, and the report that every error has |
//! | `ended` | the error of a job that left no outcome |
//! | `outcome` | the error of a job that left one |
//! | `upstream` | which job made another one fail |

mod case;
mod ended;
mod outcome;
mod upstream;

pub(crate) use case::{Case, Entered};
pub(crate) use ended::{ended, without_outcome};
pub(crate) use outcome::{failed, foreign, undecodable, unreadable};
pub(crate) use upstream::{upstream, words_of};
