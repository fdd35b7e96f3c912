//! How much memory this process and its children may use.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Returns the memory of the machine, or the limit of the control group if it is lower, in MiB.
pub(super) fn memory_mib() -> Option<u64> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let read = |name: &str| fs::read_to_string(Path::new("/proc/self").join(name)).ok();
    let of_group = read("cgroup").zip(read("mountinfo")).and_then(|(groups, mounts)| {
        directories(&groups, &mounts).iter().filter_map(|directory| limit(directory)).min()
    });
    let bytes = of_machine.into_iter().chain(of_group).min()?;
    Some(bytes >> 20)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the directories of the control groups that bound the memory of a process, given its
/// `/proc/PID/cgroup` and `/proc/PID/mountinfo`: its own and those above it. See cgroups(7).
fn directories(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let group = |is_it: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            is_it(controllers).then_some(path)
        })
    };
    let has_memory = |list: &str| list.split(',').any(|word| word == "memory");
    let of_mount = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let path = match kind.next()? {
            "cgroup2" => group(&str::is_empty)?,
            "cgroup" if has_memory(kind.nth(1)?) => group(&has_memory)?,
            _ => return None,
        };
        // What is outside of the mounted part is seen as its root.
        let below = Path::new(path).strip_prefix(root).ok();
        let is_plain = |path: &&Path| path.components().all(|part| part != Component::ParentDir);
        let leaf = Path::new(point).join(below.filter(is_plain).unwrap_or(Path::new("")));
        let ancestors = leaf.ancestors().take_while(|path| path.starts_with(point));
        Some(ancestors.map(Path::to_owned).collect::<Vec<_>>())
    };
    mounts.lines().filter_map(of_mount).flatten().collect()
}

/// Returns the limit of a control group, of either version, in bytes.
fn limit(directory: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    // Without a limit it is `max`, or a number close to the largest.
    read("memory.max").or_else(|| read("memory.limit_in_bytes"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_group_is_found_in_both_versions_and_above() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("two/memory.max", "max\n");
        write("two/user/memory.max", "2147483648\n");
        write("two/user/job/memory.max", "max\n");
        write("one/memory.limit_in_bytes", "9223372036854771712\n");
        write("one/c/memory.limit_in_bytes", "1073741824\n");
        let least = |groups: &str, mount: &str| {
            let mounts = mount.replace("ROOT", root.path().to_str().unwrap());
            directories(groups, &mounts).iter().filter_map(|directory| limit(directory)).min()
        };
        let two = "30 1 0:26 / ROOT/two rw shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(least("0::/user/job\n", two), Some(2 << 30));
        assert_eq!(least("0::/\n", two), None);
        let one = "31 1 0:27 / ROOT/one rw - cgroup cgroup rw,memory\n\
                   32 1 0:28 / ROOT/two rw - cgroup cgroup rw,cpu\n";
        assert_eq!(least("5:cpu:/user\n4:memory:/c/d\n", one), Some(1 << 30));
        // A container sees its own group as the root.
        let inside = "31 1 0:27 /docker/7 ROOT/one/c rw - cgroup cgroup rw,memory\n";
        for path in ["/docker/7", "/", "/docker/7/../8"] {
            assert_eq!(least(&format!("4:memory:{path}\n"), inside), Some(1 << 30), "{path}");
        }
    }
}
