//! Checking a `const` while the program that holds it compiles.
//!
//! An attribute sees the path of a `const` and not its value. The cheap checks of the value happen here, in a const
//! context: whether an integer is in the option's range, and whether a text can be a time or a size. The grammars
//! read the value when the program starts ([`Registry`](crate::registry::Registry)).

use std::time::Duration;

use super::kind::ValueKind;
use super::spec::{Argument, OptionSpec};
use super::table::find;
use super::types::walltime::{MAX_SECONDS, whole_seconds};
use super::types::{Memory, Walltime, datetime};

/// The value of a `const` that an attribute names, of any type that [`OptionInput`] takes.
///
/// Method resolution finds the check for the type.
///
/// ```
/// use slurm_core::options::ConstInput;
/// const LIMIT: &str = "04:00:00";
/// const CPUS: u32 = 8;
/// const _: () = ConstInput(LIMIT).assert("time");
/// const _: () = ConstInput(CPUS).assert("cpus_per_task");
/// ```
///
/// ```compile_fail
/// use slurm_core::options::ConstInput;
/// const LIMIT: &str = "4h";
/// const _: () = ConstInput(LIMIT).assert("time");
/// ```
///
/// [`OptionInput`]: super::OptionInput
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct ConstInput<T>(pub T);

type Check = Result<(), &'static str>;

const NOT_DURATION: &str = "this option takes no duration";
const NOT_LIST: &str = "this option takes one value, not a list";

/// Implements `assert` in terms of `check`.
macro_rules! checked {
    ($type:ty $(, const $length:ident)?, |$value:ident, $spec:ident| $check:expr) => {
        impl$(<const $length: usize>)? ConstInput<$type> {
            /// Returns a problem if the value is certainly invalid.
            ///
            /// # Errors
            ///
            /// Returns the reason.
            pub const fn check(&self, $spec: &OptionSpec) -> Check {
                let $value = self.0;
                $check
            }

            /// Stops the compilation when the option does not take the value.
            ///
            /// # Panics
            ///
            /// Panics with the problem; meant for a const context.
            #[allow(clippy::panic, reason = "a panic is how a const context reports an error")]
            pub const fn assert(&self, key: &str) {
                if let Some(spec) = find(key)
                    && let Err(reason) = self.check(spec)
                {
                    panic!("{}", reason);
                }
            }
        }
    };
}

checked!(bool, |_value, spec| match spec.argument {
    Argument::Required if spec.kind.grammar().booleans.is_none() => {
        Err("this option takes a value, not a boolean")
    }
    _ => Ok(()),
});

checked!(Duration, |duration, spec| match spec.kind {
    ValueKind::Walltime if whole_seconds(duration) > MAX_SECONDS => {
        Err("too long: Slurm counts at most 24855 days")
    }
    ValueKind::DateTime if whole_seconds(duration) > datetime::MAX_SECONDS => Err("too far away"),
    ValueKind::Walltime | ValueKind::DateTime => Ok(()),
    _ => Err(NOT_DURATION),
});

checked!(Walltime, |_limit, spec| match spec.kind {
    ValueKind::Walltime => Ok(()),
    _ => Err("this option takes no time limit"),
});

checked!(Memory, |_size, spec| match spec.kind {
    ValueKind::Memory => Ok(()),
    _ => Err("this option takes no size"),
});

checked!(&str, |text, spec| check_text(text, spec.kind));
checked!(&[&str], |items, spec| check_items(items, spec.kind));
checked!([&str; N], const N, |items, spec| check_items(&items, spec.kind));
checked!(u128, |number, spec| match number {
    0..=0x7fff_ffff_ffff_ffff_ffff_ffff_ffff_ffff => check_integer(number as i128, spec.kind),
    _ => Err("too large for any option"),
});

macro_rules! integers {
    ($($type:ty),*) => {
        $(checked!($type, |number, spec| check_integer(number as i128, spec.kind));)*
    };
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, i128, isize);

/// An integer stands for its digits, which may also be a name.
const fn check_integer(number: i128, kind: ValueKind) -> Check {
    match kind.grammar().integers {
        Some((least, _)) if number < least => Err("too small for this option"),
        Some((_, most)) if number > most => Err("too large for this option"),
        _ => Ok(()),
    }
}

/// Problems that depend on several items are found when the program starts.
const fn check_items(items: &[&str], kind: ValueKind) -> Check {
    match items {
        [item] => check_text(item, kind),
        [_, ..] if kind.grammar().separator.is_none() => Err(NOT_LIST),
        _ => Ok(()),
    }
}

const fn check_text(text: &str, kind: ValueKind) -> Check {
    match kind {
        ValueKind::Walltime if !may_be_time(text.as_bytes()) => Err("not a time: write \
             minutes, minutes:seconds, hours:minutes:seconds or days-hours:minutes:seconds, such as 04:00:00"),
        ValueKind::Memory if !may_be_size(text.as_bytes()) => {
            Err("not a size: write a whole number with K, M, G or T, such as 4G")
        }
        _ => Ok(()),
    }
}

/// Whether this has the characters of a time, or is long enough for a word such as `UNLIMITED`.
const fn may_be_time(text: &[u8]) -> bool {
    let mut letters = 0;
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'0'..=b'9' | b':' | b'-' => {}
            byte if byte.is_ascii_alphabetic() => letters += 1,
            _ => return false,
        }
        rest = tail;
    }
    !text.is_empty() && (letters == 0 || letters == text.len() && letters > 7)
}

/// Whether this is digits and at most two letters of a unit, after the blanks and signs that `strtol` skips.
const fn may_be_size(text: &[u8]) -> bool {
    let mut rest = text;
    while let [b' ' | b'\t' | b'+' | b'-', tail @ ..] = rest {
        rest = tail;
    }
    let mut digits = 0;
    while let [b'0'..=b'9', tail @ ..] = rest {
        digits += 1;
        rest = tail;
    }
    digits > 0
        && matches!(
            rest,
            [] | [b'k' | b'K' | b'm' | b'M' | b'g' | b'G' | b't' | b'T']
                | [b'k' | b'K' | b'm' | b'M' | b'g' | b'G' | b't' | b'T', b'b' | b'B']
        )
}
