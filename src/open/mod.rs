//! From settings to a [`Cluster`](crate::Cluster): the only place that knows all backends.
//!
//! | file | holds |
//! |---|---|
//! | `shortcuts` | `Cluster::local`, `slurm`, `ssh`, `from_env` and `builder` |
//! | `builder`, `every_job` | the settings of a cluster, and the settings of all of its jobs |
//! | `variables` | the options in sbatch's environment variables |
//! | `factory` | the choice of the backend |

mod builder;
mod every_job;
mod factory;
mod shortcuts;
mod variables;

pub use builder::ClusterBuilder;
pub(crate) use builder::backend_variable;
