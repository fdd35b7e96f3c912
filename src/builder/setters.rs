//! A method for each of sbatch's options.

use slurm_core::options::OptionInput;
use slurm_core::task::Task;

use super::JobBuilder;
use crate::array::ArrayBuilder;

macro_rules! setters {
    ($(($key:ident, $name:literal, $kind:ident, $summary:literal, $example:literal))*) => {
        /// Options of sbatch.
        impl<T: Task> JobBuilder<T> {
            $(
                #[doc = $summary]
                #[doc = ""]
                #[doc = concat!("sbatch's `--", $name, "`; an example of a value: `", $example, "`.")]
                pub fn $key(self, value: impl Into<OptionInput>) -> Self {
                    self.set(stringify!($key), value)
                }
            )*
        }

        /// Options of sbatch, for each element of the array.
        impl<T: Task> ArrayBuilder<'_, T> {
            $(
                #[doc = $summary]
                #[doc = ""]
                #[doc = concat!("sbatch's `--", $name, "`; an example of a value: `", $example, "`.")]
                pub fn $key(self, value: impl Into<OptionInput>) -> Self {
                    self.set(stringify!($key), value)
                }
            )*
        }
    };
}

slurm_core::for_each_option!(setters);
