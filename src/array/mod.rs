//! Many calls of a task in one submission.
//!
//! `train::map(items)` gives an [`ArrayBuilder`], which makes a Slurm array of it: the *items*, one call
//! each, are shared out among its *elements*, the tasks of the Slurm array. The arguments of all items
//! stream into one file, of which an element reads its own part; what an element finishes it appends
//! to a segment of its own. So the number of items costs neither memory nor files nor submissions.
//!
//! | file | holds |
//! |---|---|
//! | `arguments`, `spool`, `sharing`, `prepare`, `submit` | from items to a submission |
//! | `handle`, `results`, `ended` | what a submitted array can be asked, and how the end of an item is told |
//! | `retry`, `inputs`, `attempts` | trying again what failed, by one process at a time |
//! | `cancel` | ending an array, or some of its items, in all attempts |
//! | `attach` | finding arrays of other processes |
//! | `watch`, `state` | what is known of it so far |
//! | `reference` | its results as arguments of other jobs |

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
