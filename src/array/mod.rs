//! Arrays: many calls of a task in one submission.
//!
//! `train::map(items)` gives an [`ArrayBuilder`], which submits a Slurm array. Each *item* is one call; the
//! items are distributed among the *elements*, the tasks of the Slurm array. The arguments of all items stream
//! into one file, from which each element reads its own part. An element appends its outcomes to a segment of
//! its own. So more items cost neither memory nor files nor submissions.
//!
//! | file | holds |
//! |---|---|
//! | `arguments`, `spool`, `sharing`, `prepare`, `submit` | the way from items to a submission |
//! | `handle`, `results`, `ended` | the handle of a submitted array, its results, and errors of items |
//! | `retry`, `inputs`, `attempts` | retries of failed items, by one process at a time |
//! | `cancel` | cancelling an array, or some of its items, in all attempts |
//! | `attach` | finding arrays of other processes |
//! | `watch`, `state` | what this process knows of an array |
//! | `reference` | results of an array as arguments of other jobs |

mod arguments;
mod attach;
mod attempts;
mod cancel;
mod ended;
mod handle;
mod inputs;
mod prepare;
mod reference;
mod results;
mod retry;
mod sharing;
mod spool;
mod state;
mod submit;
mod watch;

pub use arguments::CallArguments;
pub use attach::ArrayRef;
pub use handle::JobArray;
pub use reference::ItemRef;
pub use results::Stream;

pub(crate) use attach::read_anything;
pub(crate) use inputs::Inputs;
pub(crate) use prepare::{Parts, Settings as ArraySettings, prepare};
pub(crate) use reference::ArrayUpstream;
pub(crate) use sharing::Chunk;
pub(crate) use spool::{Spooled, spool};
pub(crate) use submit::{enqueue, submit};
