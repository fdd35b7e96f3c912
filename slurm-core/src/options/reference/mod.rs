//! The reference page of all options.

mod differences;
mod page;

pub use differences::{DIFFERENCE_REASONS, Difference, DifferenceReason, differences};
pub use page::reference_markdown;
