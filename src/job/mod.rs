//! Jobs that were submitted.
//!
//! | file | holds |
//! |---|---|
//! | `submitted` | the job, and what is known of it without asking |
//! | `handle`, `attach` | how another process finds it |
//! | `status` | its state |
//! | `wait` | waiting for its end and its value |
//! | `cancel` | cancelling it |
//! | `logs` | what it printed and noted |
//! | `edge` | what waits for it |
//! | `case` | what is known of it once it has ended, for an error |

mod attach;
mod cancel;
mod case;
mod edge;
mod handle;
mod logs;
mod status;
mod submitted;
mod wait;

pub use handle::JobRef;
pub(crate) use logs::LONGEST_LOG;
pub use submitted::Job;
