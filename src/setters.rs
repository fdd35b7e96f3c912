//! Common methods of the builders of jobs and arrays: one for each of sbatch's options, and two for keys and
//! flags without one.

use slurm_core::options::OptionInput;
use slurm_core::task::Task;

use crate::builder::{ArrayBuilder, JobBuilder};

macro_rules! setter {
    // A job is one call; `map` makes an array of many.
    (array, $($rest:tt)*) => {};
    ($key:ident, $name:literal, $summary:literal, $example:literal) => {
        #[doc = $summary]
        #[doc = ""]
        #[doc = concat!("sbatch's `--", $name, "`; an example of a value: `", $example, "`.")]
        pub fn $key(self, value: impl Into<OptionInput>) -> Self {
            self.set(stringify!($key), value)
        }
    };
}

macro_rules! setters {
    ($builder:ty: $(($key:ident, $name:literal, $kind:ident, $summary:literal, $example:literal))*) => {
        /// Options of sbatch; on an array, for each of its elements.
        impl<T: Task> $builder {
            /// Sets the option `key`, with `_` or `-`, to `value`.
            ///
            /// The methods named after the options do the same; this one is for keys known only at run time.
            pub fn set(mut self, key: &str, value: impl Into<OptionInput>) -> Self {
                self.options.set(key, value.into());
                self
            }

            /// Passes a flag to sbatch unchanged, for an option that this library does not know:
            /// `--my-plugin=value`.
            pub fn extra_flag(mut self, flag: impl Into<String>) -> Self {
                self.options.extra_flag(flag.into());
                self
            }

            $(setter!($key, $name, $summary, $example);)*
        }
    };
}

macro_rules! of_jobs {
    ($($row:tt)*) => { setters!(JobBuilder<T>: $($row)*); };
}

macro_rules! of_arrays {
    ($($row:tt)*) => { setters!(ArrayBuilder<'_, T>: $($row)*); };
}

slurm_core::for_each_option!(of_jobs);
slurm_core::for_each_option!(of_arrays);
