//! The directory of a submission: the files that are written first, the note of the id, and the removal after a
//! refusal.

use slurm_host::{Content, NewDir, NewFile};

use super::{Prepared, workflow};
use crate::backend::Submission;
use crate::cluster::Cluster;
use crate::error::{Error, Result};

/// The files that are written before the submission.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    cluster: &'a Cluster,
    holds_secrets: bool,
    spec: &'a [u8],
    scripts: Vec<(String, &'a [u8])>,
    json: Vec<u8>,
    workflow: Option<&'a [u8]>,
}

impl<'a> Files<'a> {
    /// Returns the files of a submission, given all of its parts.
    pub(crate) fn of(cluster: &'a Cluster, parts: &'a [Prepared]) -> Result<Self> {
        let name = |part: &Prepared| {
            part.script().file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        let scripts = parts.iter().map(|part| (name(part), part.explanation.script.as_bytes()));
        let json = serde_json::to_vec_pretty(&parts.first().map(|part| &part.explanation))
            .map_err(|error| Error::not_json("the description of the job", &error))?;
        let spec = parts.first().map_or(&[][..], |part| &part.spec);
        let workflow = parts.first().and_then(|part| part.workflow.as_deref());
        let holds_secrets = parts.iter().any(|part| part.holds_secrets);
        Ok(Self { cluster, holds_secrets, spec, scripts: scripts.collect(), json, workflow })
    }

    /// Returns the submission that creates the directory with these files and `others`.
    pub(crate) fn submission<'s>(
        &'s self,
        prepared: &'s Prepared,
        others: &[NewFile<'s>],
        noted: bool,
    ) -> Submission<'s> {
        let (base, dir) = (self.cluster.job_base_dir(), prepared.dir.path());
        // A workflow outside of a job may have its directory anywhere.
        let base = if dir.starts_with(base) { base } else { dir.parent().unwrap_or(base) };
        let below = dir.strip_prefix(base).unwrap_or(dir);
        let new = NewDir { base, below, mode: self.cluster.permissions().job_dir };
        let mut files = self.list();
        files.extend_from_slice(others);
        Submission { prepared, new: Some((new, files)), noted }
    }

    /// Returns the mode of files that hold arguments.
    pub(crate) fn arguments_mode(&self) -> Option<u32> {
        self.holds_secrets.then_some(0o600)
    }

    fn list(&self) -> Vec<NewFile<'_>> {
        let file = |name, bytes, mode, synced| NewFile {
            name,
            content: Content::Bytes(bytes),
            mode,
            synced,
        };
        let mut files = vec![file("spec", self.spec, self.arguments_mode(), true)];
        let scripts = self.scripts.iter();
        let mode = Some(self.cluster.permissions().script);
        files.extend(scripts.map(|(name, text)| file(name, text, mode, false)));
        files.push(file("job.json", &self.json, None, false));
        // The file holds variables of the Slurmfile, which may be secret.
        let settings = self.workflow.into_iter();
        files.extend(settings.map(|text| file(workflow::FILE, text, Some(0o600), true)));
        files
    }
}
