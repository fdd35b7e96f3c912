//! Where jobs go.
//!
//! | file | holds |
//! |---|---|
//! | `opened` | the cluster, and what it consists of |
//! | `command` | commands that users run there |
//! | `guard`, `test_harness` | who may submit |
//! | `ledger`, `key` | who keeps account of what is submitted, and the identity of a call |
//! | `dry_run` | the ledger of a dry run |
//! | `program` | the program of the jobs, once it is staged |

mod command;
mod dry_run;
mod guard;
mod key;
mod ledger;
mod opened;
mod program;
mod test_harness;

pub use command::CommandOutput;
pub(crate) use dry_run::DryRun;
pub(crate) use guard::was_initialized;
pub(crate) use key::{Key, Shape};
pub(crate) use ledger::{Child, Claim, Ledger, Noted};
pub use opened::Cluster;
pub(crate) use opened::ClusterParts;
