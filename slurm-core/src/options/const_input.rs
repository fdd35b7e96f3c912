//! Checking a `const` while the program that holds it compiles.

use std::time::Duration;

use super::fault::Fault;
use super::kind::ValueKind;
use super::spec::{Argument, OptionSpec};
use super::table::find;
use super::types::walltime::{MAX_SECONDS, whole_seconds};
use super::types::{Memory, Walltime, datetime};

/// The value of a `const` that an attribute names, of any type that [`OptionInput`] takes.
///
/// Attributes see the path of a `const` and not its type; method resolution finds the right check.
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

const NOT_BOOLEAN: &str = "this option takes a value, not a boolean";
const NOT_DURATION: &str = "this option takes no duration";
const NOT_LIST: &str = "this option takes one value, not a list";

/// A fault of a value that is no text.
const fn refuse(reason: &'static str) -> Result<(), Fault> {
    Err(Fault::at(0, 0, reason))
}

impl ConstInput<&str> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        spec.check(self.0)
    }

    /// Stops the compilation when the option does not take the value.
    ///
    /// # Panics
    ///
    /// Panics with what is wrong; meant for a const context.
    #[allow(clippy::panic, reason = "a panic is how a const context reports an error")]
    pub const fn assert(&self, key: &str) {
        if let Some(spec) = find(key)
            && let Err(fault) = self.check(spec)
        {
            panic!("{}", fault.describe(self.0).as_str());
        }
    }
}

/// Implements `assert` in terms of `check`.
macro_rules! assertable {
    () => {
        /// Stops the compilation when the option does not take the value.
        ///
        /// # Panics
        ///
        /// Panics with what is wrong; meant for a const context.
        #[allow(clippy::panic, reason = "a panic is how a const context reports an error")]
        pub const fn assert(&self, key: &str) {
            if let Some(spec) = find(key)
                && let Err(fault) = self.check(spec)
            {
                panic!("{}", fault.reason());
            }
        }
    };
}

impl ConstInput<bool> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        match spec.argument {
            Argument::Required if spec.kind.boolean_words().is_none() => refuse(NOT_BOOLEAN),
            _ => Ok(()),
        }
    }

    assertable!();
}

impl ConstInput<Duration> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        let seconds = whole_seconds(self.0);
        match spec.kind {
            ValueKind::Walltime if seconds > MAX_SECONDS => {
                refuse("too long: Slurm counts at most 24855 days")
            }
            ValueKind::DateTime if seconds > datetime::MAX_SECONDS => refuse("too far away"),
            ValueKind::Walltime | ValueKind::DateTime => Ok(()),
            _ => refuse(NOT_DURATION),
        }
    }

    assertable!();
}

impl ConstInput<Walltime> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        match spec.kind {
            ValueKind::Walltime => Ok(()),
            _ => refuse("this option takes no time limit"),
        }
    }

    assertable!();
}

impl ConstInput<Memory> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        match spec.kind {
            ValueKind::Memory => Ok(()),
            _ => refuse("this option takes no size"),
        }
    }

    assertable!();
}

/// Checks each item by itself; what depends on several items is checked when the program runs.
const fn check_items(items: &[&str], spec: &OptionSpec) -> Result<(), Fault> {
    if items.len() > 1 && spec.kind.list_separator().is_none() {
        return refuse(NOT_LIST);
    }
    if items.is_empty() {
        return spec.check("");
    }
    let mut index = 0;
    while index < items.len() {
        if let Err(fault) = spec.check(items[index]) {
            return Err(fault);
        }
        index += 1;
    }
    Ok(())
}

impl<const N: usize> ConstInput<[&str; N]> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        check_items(&self.0, spec)
    }

    assertable!();
}

impl ConstInput<&[&str]> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        check_items(self.0, spec)
    }

    assertable!();
}

/// Checks an integer through its digits.
const fn check_integer(negative: bool, mut size: u128, spec: &OptionSpec) -> Result<(), Fault> {
    // 39 digits and a sign.
    let mut buffer = [b'0'; 40];
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (size % 10) as u8;
        size /= 10;
        if size == 0 {
            break;
        }
    }
    if negative {
        start -= 1;
        buffer[start] = b'-';
    }
    let (_, digits) = buffer.split_at(start);
    match std::str::from_utf8(digits) {
        Ok(text) => spec.check(text),
        Err(_) => refuse("not a whole number"),
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl ConstInput<$type> {
            /// Checks the value against the option.
            ///
            /// # Errors
            ///
            /// Returns what is wrong with the value.
            #[allow(unused_comparisons, clippy::cast_lossless)]
            pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
                let negative = self.0 < 0;
                // The size of the smallest negative number fits because of the detour.
                let size = match negative {
                    true => (-((self.0 + 1) as i128)) as u128 + 1,
                    false => self.0 as u128,
                };
                check_integer(negative, size, spec)
            }

            assertable!();
        })*
    };
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, i128, isize);

impl ConstInput<u128> {
    /// Checks the value against the option.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub const fn check(&self, spec: &OptionSpec) -> Result<(), Fault> {
        check_integer(false, self.0, spec)
    }

    assertable!();
}
