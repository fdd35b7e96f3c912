//! The description of a submitted job for progress output.

use crate::cluster::Cluster;
use crate::model::JobHandle;
use crate::progress::{self, About};

impl JobHandle {
    /// Returns the description of the job for progress output.
    pub(crate) fn about(&self, cluster: &Cluster) -> About {
        About {
            name: progress::short_name(&self.task),
            jobs: vec![self.job_id],
            place: cluster.backend().place(),
            dir: Some(self.dir.clone()),
            is_job: true,
        }
    }
}
