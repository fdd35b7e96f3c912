//! How large the cluster is.

use slurm_core::options::{OptionSet, OptionValue};

use super::{Slurm, question, refused};
use crate::array::Limits;
use crate::error::Error;

/// Slurm's default for `MaxArraySize`, one more than the largest index.
const DEFAULT_ARRAY_SIZE: u64 = 1001;

/// Asks scontrol how large an array may be.
pub(super) fn limits(slurm: &Slurm) -> Result<Limits, Error> {
    let command = question("scontrol").args(["show", "config"]);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    Ok(Limits { elements: array_size(&output.stdout).unwrap_or(DEFAULT_ARRAY_SIZE) })
}

fn array_size(config: &str) -> Option<u64> {
    let line = config.lines().find_map(|line| line.strip_prefix("MaxArraySize"))?;
    let size: u64 = line.trim_start().strip_prefix('=')?.trim().parse().ok()?;
    (size > 0).then_some(size)
}

/// Asks sinfo how many CPUs the partitions have that the options name, or the default one.
pub(super) fn slots(slurm: &Slurm, options: &OptionSet) -> u64 {
    let number = |key| match options.get(key) {
        Some(OptionValue::Value(text)) => text.parse::<u64>().ok(),
        _ => None,
    };
    let mut command = question("sinfo").args(["-h", "-o", "%P|%C"]);
    if let Some(OptionValue::Value(partitions)) = options.get("partition") {
        command = command.arg("-p").arg(partitions);
    }
    let cpus = slurm.query(&command).ok().and_then(|output| cpus(&output.stdout));
    let per_element = number("cpus_per_task").unwrap_or(1) * number("ntasks").unwrap_or(1);
    // Without an answer, as many as a small cluster has.
    (cpus.unwrap_or(64) / per_element.max(1)).max(1)
}

/// Reads lines such as `debug*|4/12/0/16`: CPUs that are allocated, idle, of no use, and all of them. Of
/// several partitions the default one counts, if it is there.
fn cpus(output: &str) -> Option<u64> {
    let line = |line: &str| {
        let (partition, cpus) = line.trim().split_once('|')?;
        let mut counts = cpus.split('/').map(|count| count.parse::<u64>().ok());
        let (allocated, idle) = (counts.next()??, counts.next()??);
        Some((partition.ends_with('*'), allocated + idle))
    };
    let partitions: Vec<(bool, u64)> = output.lines().filter_map(line).collect();
    let default = partitions.iter().find(|(is_default, _)| *is_default);
    default.or(partitions.iter().max_by_key(|(_, cpus)| *cpus)).map(|(_, cpus)| *cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_array_is_read() {
        let config = "MailProg = /bin/mail\nMaxArraySize            = 10001\nMaxDBDMsgs = 1\n";
        assert_eq!(array_size(config), Some(10001));
        assert_eq!(array_size("MaxArraySize = 0"), None);
        assert_eq!(array_size(""), None);
    }

    #[test]
    fn the_cpus_of_the_default_partition_are_read() {
        assert_eq!(cpus("low|0/100/0/100\ndebug*|4/11/1/16\n"), Some(15));
        assert_eq!(cpus("gpu|4/4/0/8\n"), Some(8));
        assert_eq!(cpus("slurm_load_partitions: error"), None);
    }
}
