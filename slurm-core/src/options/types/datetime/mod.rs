//! Points in time: `parse_time` of `src/common/parse_time.c`.

mod read;
mod value;

pub(crate) use read::MAX_SECONDS;
pub use value::DateTime;
