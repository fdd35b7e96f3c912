//! sbatch's options: their names, their grammars, and the rules between them.
//!
//! The attribute checks options with this code while it compiles, and the running program checks
//! what callers and Slurmfiles set with the same code. Everything starts at the table [`OPTIONS`];
//! [`lookup`] finds one row of it, [`OptionSpec::parse`] reads a value, and an [`OptionSet`] holds
//! the options of a job.
//!
//! The grammars accept what sbatch 22.05 or the newest release accepts, except values that they silently
//! misread; `docs/options.md` lists these.

mod conflicts;
mod const_input;
mod directives;
mod distance;
mod exclusions;
mod fault;
mod grammar;
mod input;
mod invalid;
mod kind;
mod release;
mod set;
mod size;
mod spec;
mod suggest;
mod table;
mod text;
mod types;
mod value;
mod view;

pub use conflicts::{Conflict, ConflictKind};
pub use const_input::ConstInput;
pub use distance::closest;
pub use fault::Fault;
pub use input::OptionInput;
pub use invalid::InvalidValue;
pub use kind::ValueKind;
pub use release::{NotARelease, Release};
pub use set::{OptionError, OptionSet, Source, check_extra};
pub use size::JobSize;
pub use spec::{Argument, CheckedBy, OptionSpec};
pub use table::{OPTIONS, UnknownOption, find, lookup};
pub use types::*;
pub use value::OptionValue;
