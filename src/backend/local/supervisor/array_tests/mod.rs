//! Arrays in the embedded backend's supervisor.

mod dependencies;
mod machine;
mod running;
mod survival;
