//! The supervisor with real processes: what a table of the core cannot tell.

mod machine;
mod running;
mod survival;
