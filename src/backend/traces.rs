//! Traces of a job in its submission's directory, left by its run or by its cancellation.
//!
//! The names of its logs and the lines of its diary contain its id, so the directory proves that a job has
//! started even if neither the queue nor the accounting can.

use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_host::{Found, Host, HostError, Look};

/// The largest part of a diary that is read. Real diaries are shorter.
const MOST: u64 = 1 << 20;

/// Returns the id of the job that has run in `dir`. If the submission takes several Slurm arrays, `part`
/// selects one.
///
/// # Errors
/// If the directory cannot be read.
pub(crate) fn id_in(host: &dyn Host, dir: &JobDir, part: u32) -> Result<Option<JobId>, HostError> {
    let logs = dir.element_stdout_pattern();
    let mut looks = vec![Look::Dir { path: dir.path().to_owned() }];
    looks.push(Look::File { path: dir.events(), offset: 0 });
    looks.extend(logs.parent().map(|logs| Look::Dir { path: logs.to_owned() }));
    let mut found = host.look(&looks, MOST)?.into_iter();
    let mut ids = Vec::new();
    if let Some(Found::Names(names)) = found.next().transpose()? {
        ids.extend(names.iter().filter_map(|name| of_log(name)));
    }
    let events = found.next().transpose()?.and_then(Found::into_bytes);
    let of_elements = match found.next().transpose()? {
        Some(Found::Names(names)) => names.iter().filter_map(|name| of_element(name)).collect(),
        _ => Vec::new(),
    };
    // An array has no diary of this name, but its elements may have diaries of their own.
    ids.extend(events.iter().flat_map(|bytes| of_diary(&String::from_utf8_lossy(bytes))));
    ids.extend(of_elements);
    ids.sort_unstable();
    ids.dedup();
    // The Slurm arrays of a submission are submitted one after another, so only the last one is ever searched
    // for.
    let all = ids.len() == part as usize + 1;
    Ok(ids.pop().filter(|_| all))
}

/// Returns whether the names in a job's directory show that the job was cancelled.
pub(crate) fn tell_of_cancellation(names: &[String]) -> bool {
    names.iter().any(|name| name.starts_with(JobDir::CANCELLED))
}

/// Returns whether a note in the directory `dir` shows that its job was cancelled.
///
/// # Errors
/// If the directory cannot be read.
pub(crate) fn was_cancelled(host: &dyn Host, dir: &JobDir) -> Result<bool, HostError> {
    let looks = [Look::Dir { path: dir.path().to_owned() }];
    let found = host.look(&looks, MOST)?.pop().transpose()?;
    Ok(matches!(found, Some(Found::Names(names)) if tell_of_cancellation(&names)))
}

/// Reads the id from `slurm-{id}.out` or `.err`.
fn of_log(name: &str) -> Option<JobId> {
    name.strip_prefix("slurm-")?.split('.').next()?.parse().ok()
}

/// Reads the id from `{id}_{index}`.
fn of_element(name: &str) -> Option<JobId> {
    name.split_once('_')?.0.parse().ok()
}

fn of_diary(text: &str) -> Vec<JobId> {
    let id = |event: Event| match event.event {
        EventKind::Started { job_id, .. } | EventKind::Requeued { job_id, .. } => job_id,
        _ => None,
    };
    Event::read_all(text).into_iter().filter_map(id).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use slurm_host::LocalHost;

    fn found(files: &[(&str, &str)], part: u32) -> Option<u32> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let id = id_in(&LocalHost, &JobDir::at(dir.path()), part).unwrap();
        id.map(JobId::get)
    }

    #[test]
    fn a_job_that_ran_is_found_by_its_logs_or_its_diary() {
        assert_eq!(found(&[("script.sh", ""), ("spec", "")], 0), None);
        assert_eq!(found(&[("slurm-42.out", ""), ("slurm-42.err", "")], 0), Some(42));
        let started = Event::now(EventKind::Started {
            job_id: JobId::new(43),
            restart_count: 0,
            host: "n1".to_owned(),
            pid: 1,
            is_one_of_several: false,
            stdout: None,
            stderr: None,
        });
        let line = serde_json::to_string(&started).unwrap();
        assert_eq!(found(&[("events.jsonl", &line)], 0), Some(43));
        // The diaries of elements have ids of their own.
        let files =
            [("events-40_1.jsonl", line.as_str()), ("stdout/40_0", ""), ("stdout/40_1", "")];
        assert_eq!(found(&files, 0), Some(40));
    }

    #[test]
    fn a_further_array_is_found_only_beside_the_earlier_ones() {
        assert_eq!(found(&[("stdout/40_0", ""), ("stdout/41_0", "")], 1), Some(41));
        assert_eq!(found(&[("stdout/40_0", "")], 1), None);
    }
}
