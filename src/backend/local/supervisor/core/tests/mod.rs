//! The core as a table: events and times in, actions out, without processes.

mod dependencies;
mod ends;
mod purity;
mod queue;
mod replay;
mod time;
mod world;
