//! The decisions of the supervisor, without files, processes, sockets and clocks.
//!
//! [`Core::on`] takes an event and the time, and returns the actions that follow from it, in the order in which they have
//! to be carried out: an entry of the journal stands before what it announces. Some actions have an answer, which is
//! the next event. Everything that the core knows changes by entries of the journal, so a supervisor that
//! reads the journal of the one before knows what that one knew.
//!
//! A job is an array of one element. Elements that wait and elements that have ended are ranges of indices; an
//! element that runs is a [`Job`].
//!
//! | file | holds |
//! |---|---|
//! | `event` | events and actions |
//! | `entry`, `replay` | the entries of the journal, and what they change |
//! | `array`, `job`, `jobs` | arrays, their running elements, and all of them |
//! | `state` | the core itself |
//! | `requests` | submissions, questions and cancellations of clients |
//! | `admit`, `dependency`, `correspond`, `deadlock`, `ahead` | the queue |
//! | `alarms` | warnings, time limits and memory limits |
//! | `conclude` | the ends of processes and of jobs |
//! | `take_over` | jobs that the supervisor before this one has left |
//! | `left` | the files and processes of a run, as the effects have found them |

mod admit;
mod ahead;
mod alarms;
mod array;
mod conclude;
mod correspond;
mod deadlock;
mod dependency;
mod entry;
mod event;
mod job;
mod jobs;
mod left;
mod replay;
mod requests;
mod state;
mod take_over;
#[cfg(test)]
mod tests;

pub(super) use array::Array;
pub(super) use entry::Entry;
pub(super) use event::{Action, Event, Limited, Moment, Reach};
pub(super) use job::{Alarms, Identity, Job, Process, RunFiles};
pub(super) use jobs::Jobs;
pub(super) use left::{Ended, Found, Left, SeenRun, Trace};
pub(super) use state::{Core, Machine};
