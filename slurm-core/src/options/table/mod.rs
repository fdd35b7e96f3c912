//! The table of sbatch's options.

mod lookup;
mod rows;
mod unsettable;

pub use lookup::{UnknownOption, find, lookup};

use super::kind::ValueKind;
use super::release::Release;
use super::spec::{Argument, CheckedBy, OptionSpec};

/// The two expansions of [`__option_rows!`](crate::__option_rows).
#[doc(hidden)]
#[macro_export]
macro_rules! __option_rows_to {
    ([table] $({
        $key:ident, $name:literal, $short:expr, $kind:ident, $argument:ident, $since:expr,
        $until:expr, $checked_by:ident, [$($alias:literal),*],
        $summary:literal, $example:literal $(, $note:literal)?
    })*) => {
        &[$(OptionSpec {
            name: $name,
            key: stringify!($key),
            short: $short,
            kind: ValueKind::$kind,
            argument: Argument::$argument,
            since: $since,
            until: $until,
            checked_by: CheckedBy::$checked_by,
            aliases: &[$($alias),*],
            summary: $summary,
            example: $example,
            note: concat!("" $(, $note)?),
        }),*]
    };
    ([each $($callback:tt)*] $({
        $key:ident, $name:literal, $short:expr, $kind:ident, $argument:ident, $since:expr,
        $until:expr, $checked_by:ident, [$($alias:literal),*],
        $summary:literal, $example:literal $(, $note:literal)?
    })*) => {
        $($callback)*! { $(($key, $name, $kind, $summary, $example))* }
    };
}

/// Calls a macro with one row `(key, "long-name", Kind, "summary", "example")` for each option, all
/// in one call.
///
/// ```
/// macro_rules! count {
///     ($(($key:ident, $name:literal, $kind:ident, $summary:literal, $example:literal))*) => {
///         const NAMES: &[&str] = &[$($name),*];
///     };
/// }
/// slurm_core::for_each_option!(count);
/// assert_eq!(NAMES.len(), slurm_core::options::OPTIONS.len());
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_option {
    ($($callback:tt)*) => {
        $crate::__option_rows! { each $($callback)* }
    };
}

/// All options that can be set, sorted by name: the options of Slurm 20.11 to 25.11 that apply to a job that is
/// submitted as a script.
pub const OPTIONS: &[OptionSpec] = crate::__option_rows!(table);
