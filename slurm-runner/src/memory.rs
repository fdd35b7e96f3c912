//! The memory that this process may still take.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

/// Returns how many bytes this process can still take before it exceeds a limit of its control groups or of the
/// process. Limits that Slurm or the supervisor enforce by polling are not visible here.
pub(crate) fn left() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0).saturating_mul(1024)
    };
    let limited = |resource, name| {
        let limit = getrlimit(resource).current?;
        Some(limit.saturating_sub(used(name)))
    };
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    [
        in_groups(Path::new("/sys/fs/cgroup"), &groups),
        limited(Resource::As, "VmSize:"),
        limited(Resource::Data, "VmData:"),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// Returns the smallest remainder among the control groups of this process and their parents. `groups` is the text
/// of `/proc/self/cgroup`.
fn in_groups(root: &Path, groups: &str) -> Option<u64> {
    let mut dirs: Vec<(PathBuf, [&str; 2], &str)> = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            dirs.push((root.join(path), ["memory.max", "memory.current"], ""));
        } else if controllers.split(',').any(|controller| controller == "memory") {
            let files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
            dirs.push((root.join("memory").join(path), files, "total_"));
        }
    }
    let left = |(dir, files, prefix): (PathBuf, [&str; 2], &'static str)| {
        let of = |dir: &Path| {
            let [limit, usage] = files
                .map(|name| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok());
            let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
            // The kernel frees the file cache before it enforces the limit.
            let cache: u64 = ["inactive_file", "active_file"]
                .iter()
                .filter_map(|name| {
                    let name = format!("{prefix}{name} ");
                    stat.lines().find_map(|line| line.strip_prefix(&name))?.parse::<u64>().ok()
                })
                .sum();
            Some(limit?.saturating_sub(usage?.saturating_sub(cache)))
        };
        dir.ancestors().take_while(|dir| dir.starts_with(root)).filter_map(of).min()
    };
    dirs.into_iter().filter_map(left).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_with_the_least_memory_left_counts_without_its_cache() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("slurm/job_7/step_0");
        fs::create_dir_all(&group).unwrap();
        let write = |dir: &Path, name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
        write(&group, "memory.max", "max\n");
        write(&group, "memory.current", "900\n");
        let job = group.parent().unwrap();
        write(job, "memory.max", "1000\n");
        write(job, "memory.current", "900\n");
        write(job, "memory.stat", "anon 300\ninactive_file 400\nactive_file 200\n");
        assert_eq!(in_groups(root.path(), "0::/slurm/job_7/step_0\n"), Some(700));
        assert_eq!(in_groups(root.path(), "0::/\n"), None);
        let old = root.path().join("memory/job");
        fs::create_dir_all(&old).unwrap();
        write(&old, "memory.limit_in_bytes", "500\n");
        write(&old, "memory.usage_in_bytes", "450\n");
        write(&old, "memory.stat", "inactive_file 1\ntotal_inactive_file 50\n");
        assert_eq!(in_groups(root.path(), "3:cpu:/x\n5:memory,hugetlb:/job\n"), Some(100));
    }
}
