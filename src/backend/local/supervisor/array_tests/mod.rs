//! Jobs and arrays in the embedded backend's supervisor.

mod dependencies;
mod machine;
mod queue;
mod running;
mod survival;
