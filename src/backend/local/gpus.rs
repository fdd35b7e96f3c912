//! The GPUs that jobs may have: the machine's GPUs, within the submitter's `CUDA_VISIBLE_DEVICES`.
//!
//! The variable is read as CUDA does: indices or UUIDs, and whatever follows an entry that names no GPU is
//! left out, so `-1` and an empty value name none. Source: the CUDA C++ Programming Guide, "CUDA
//! Environment Variables".

use std::fs;

use serde::{Deserialize, Serialize};

/// The variable that bounds the GPUs of a submitter, and names those of a job.
pub(super) const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// A GPU that may be given to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gpu {
    /// Its name in the submitter's variable, which the job gets as well.
    pub(super) name: String,
    /// Its identity, whatever name the submitter uses.
    pub(super) id: String,
}

/// The GPUs of the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Installed {
    count: u32,
    /// GPUs with a known UUID, with their indices.
    uuids: Vec<(String, u32)>,
}

impl Installed {
    pub(super) fn here() -> Self {
        Self { count: nvidia_devices(), uuids: uuids() }
    }

    /// Returns the GPUs that a submitter may give out whose variable has the value `visible`: at most
    /// `given`, if that was said, however many there are.
    pub(super) fn visible(&self, visible: Option<&str>, given: Option<u32>) -> Vec<Gpu> {
        let count = given.unwrap_or(self.count);
        let Some(visible) = visible else {
            let named = (0..count).map(|index| index.to_string());
            return named.map(|name| Gpu { id: name.clone(), name }).collect();
        };
        let mut gpus: Vec<Gpu> = Vec::new();
        for name in visible.split(',').map(str::trim) {
            let Some(id) = self.id_of(name, given.is_some()) else { break };
            if gpus.iter().all(|gpu| gpu.id != id) {
                gpus.push(Gpu { name: name.to_owned(), id });
            }
        }
        gpus.truncate(given.map_or(usize::MAX, |given| given as usize));
        gpus
    }

    /// Returns the identity of the GPU with this name, if there is one.
    fn id_of(&self, name: &str, any_index: bool) -> Option<String> {
        if let Ok(index) = name.parse::<u32>() {
            return (any_index || index < self.count).then(|| index.to_string());
        }
        if !name.starts_with("GPU-") && !name.starts_with("MIG-") {
            return None;
        }
        // The beginning of a UUID will do.
        let known = self.uuids.iter().find(|(uuid, _)| uuid.starts_with(name));
        Some(known.map_or_else(|| name.to_owned(), |(_, index)| index.to_string()))
    }
}

/// Returns the GPUs that this process may give to jobs, at most `given` if that was said.
pub(super) fn of_this_process(given: Option<u32>) -> Vec<Gpu> {
    Installed::here().visible(std::env::var(VISIBLE).ok().as_deref(), given)
}

fn nvidia_devices() -> u32 {
    let Ok(entries) = fs::read_dir("/dev") else { return 0 };
    let is_gpu = |name: &str| {
        let number = name.strip_prefix("nvidia").unwrap_or("");
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| is_gpu(name)).count() as u32
}

/// Reads the UUIDs of the machine's GPUs, with the numbers of their device files.
fn uuids() -> Vec<(String, u32)> {
    let Ok(entries) = fs::read_dir("/proc/driver/nvidia/gpus") else { return Vec::new() };
    let texts =
        entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("information")).ok());
    texts.filter_map(|text| uuid(&text)).collect()
}

fn uuid(information: &str) -> Option<(String, u32)> {
    let field = |name: &str| {
        let line = information.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').trim())
    };
    Some((field("GPU UUID")?.to_owned(), field("Device Minor")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_bounds_and_names_the_gpus() {
        let information = "Model: \t\t NVIDIA T4\nGPU UUID: \t GPU-bbbb-2\nDevice Minor: \t 2\n";
        let machine = Installed { count: 4, uuids: vec![uuid(information).unwrap()] };
        let visible = |value: Option<&str>, given: Option<u32>| {
            let gpus = machine.visible(value, given).into_iter();
            gpus.map(|gpu| format!("{}={}", gpu.name, gpu.id)).collect::<Vec<_>>().join(" ")
        };
        for (value, given, expected) in [
            (None, None, "0=0 1=1 2=2 3=3"),
            (None, Some(2), "0=0 1=1"),
            (Some("2,3"), None, "2=2 3=3"),
            (Some(" 3, 2"), None, "3=3 2=2"),
            (Some("2,3"), Some(1), "2=2"),
            (Some("6,7"), Some(2), "6=6 7=7"),
            (Some(""), None, ""),
            (Some("-1"), None, ""),
            (Some("NoDevFiles"), None, ""),
            (Some("1,-1,2"), None, "1=1"),
            (Some("1,9,2"), None, "1=1"),
            (Some("1,1"), None, "1=1"),
            (Some("GPU-aaaa,GPU-bbbb,2"), None, "GPU-aaaa=GPU-aaaa GPU-bbbb=2"),
        ] {
            assert_eq!(visible(value, given), expected, "{value:?} {given:?}");
        }
    }
}
