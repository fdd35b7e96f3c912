//! The size of the cluster.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use slurm_core::options::{OptionSet, OptionValue};

use super::{Slurm, question, refused};
use crate::backend::Limits;
use crate::error::Error;

/// Slurm's default for `MaxArraySize`, one more than the largest index.
const DEFAULT_ARRAY_SIZE: u64 = 1001;

/// How long scontrol may take to print the configuration, at the first try and at the second.
const TRIES: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(40)];
/// How long a failed question is remembered, so that one submission does not wait for it several times.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The relevant settings of the cluster, asked once.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    known: OnceCell<Settings>,
    failed: Mutex<Option<Instant>>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    limits: Limits,
    /// `MinJobAge`; `None` if ended jobs stay.
    forgets_after: Option<Duration>,
}

impl Configuration {
    /// Returns the configured limits of arrays, or Slurm's defaults while the configuration cannot be read.
    pub(super) fn limits(&self, slurm: &Slurm) -> Limits {
        match self.get(slurm, &TRIES) {
            Ok(settings) => settings.limits,
            Err(error) => {
                if let Some(error) = error {
                    log::warn!(
                        "the largest size of arrays could not be asked, so Slurm's default {DEFAULT_ARRAY_SIZE} is used: {error}"
                    );
                }
                Limits { elements: DEFAULT_ARRAY_SIZE }
            }
        }
    }

    /// Returns how long slurmctld keeps a job after its end, or `None` if the configuration cannot be read.
    pub(super) fn forgets_after(&self, slurm: &Slurm) -> Option<Duration> {
        // A question about the job can replace this one, so one try is enough.
        match self.get(slurm, &TRIES[..1]) {
            Ok(settings) => Some(settings.forgets_after.unwrap_or(Duration::MAX)),
            Err(error) => {
                if let Some(error) = error {
                    log::debug!("`MinJobAge` could not be asked: {error}");
                }
                None
            }
        }
    }

    /// Asks for the settings, unless they are known. A failure is returned once and then remembered for a
    /// while.
    fn get(&self, slurm: &Slurm, tries: &[Duration]) -> Result<Settings, Option<Error>> {
        if let Some(known) = self.known.get() {
            return Ok(*known);
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|failed| failed.elapsed() < REMEMBERED) {
            return Err(None);
        }
        match ask(slurm, tries) {
            Ok(settings) => Ok(*self.known.get_or_init(|| settings)),
            Err(error) => {
                *failed = Some(Instant::now());
                Err(Some(error))
            }
        }
    }
}

/// Asks for the configuration, with a time limit for each try.
fn ask(slurm: &Slurm, tries: &[Duration]) -> Result<Settings, Error> {
    let (first, others) = tries.split_first().unwrap_or((&TRIES[0], &[]));
    others.iter().fold(ask_within(slurm, *first), |answer, limit| {
        answer.or_else(|error| {
            log::warn!("scontrol did not answer, asking again: {error}");
            thread::sleep(Duration::from_millis(500));
            ask_within(slurm, *limit)
        })
    })
}

fn ask_within(slurm: &Slurm, limit: Duration) -> Result<Settings, Error> {
    let command = question("scontrol").args(["show", "config"]).within(limit);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    let elements = array_size(&output.stdout).unwrap_or(DEFAULT_ARRAY_SIZE);
    Ok(Settings { limits: Limits { elements }, forgets_after: min_job_age(&output.stdout) })
}

/// Returns the value of a parameter in the output of `scontrol show config`.
fn parameter<'c>(config: &'c str, name: &str) -> Option<&'c str> {
    let mut lines = config.lines().filter_map(|line| line.split_once('='));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// Returns how long an ended job stays: `MinJobAge = 300 sec`. With 0, jobs stay.
fn min_job_age(config: &str) -> Option<Duration> {
    let seconds = parameter(config, "MinJobAge")?.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|age| !age.is_zero())
}

/// Returns how many elements an array may have: at most one more than the largest index, and at most the
/// scheduler's limit.
fn array_size(config: &str) -> Option<u64> {
    let value = |name: &str| parameter(config, name);
    let number = |text: &str| text.parse().ok().filter(|number: &u64| *number > 0);
    let size = value("MaxArraySize").and_then(number);
    let tasks = value("SchedulerParameters").into_iter().flat_map(|list| list.split(','));
    let tasks = tasks.filter_map(|item| item.split_once('='));
    let tasks = tasks
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("max_array_tasks"))
        .find_map(|(_, count)| number(count.trim()));
    match (size, tasks) {
        (Some(size), Some(tasks)) => Some(size.min(tasks)),
        (None, Some(tasks)) => Some(tasks.min(DEFAULT_ARRAY_SIZE)),
        (size, None) => size,
    }
}

/// Returns how many elements fit on the CPUs of the partitions in the options, or of the default partition,
/// according to sinfo.
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
    let per_element =
        number("cpus_per_task").unwrap_or(1).saturating_mul(options.size().tasks.into());
    // Without an answer, assume a small cluster.
    (cpus.unwrap_or(64) / per_element.max(1)).max(1)
}

/// Returns the usable CPUs from lines like `debug*|4/12/0/16`: the counts are allocated, idle, other and total
/// CPUs. If there are several partitions, the default one counts, if it is listed.
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
        let with = |parameters| {
            array_size(&format!(
                "MaxArraySize            = 1001\nSchedulerParameters     = {parameters}\n"
            ))
        };
        assert_eq!(with("sched_interval=2,max_array_tasks=100,bf_interval=2"), Some(100));
        assert_eq!(with("max_array_tasks=5000"), Some(1001));
        assert_eq!(with("bf_max_job_array_resv=20"), Some(1001));
        assert_eq!(with("(null)"), Some(1001));
    }

    #[test]
    fn the_time_that_ended_jobs_stay_is_read() {
        let seconds = |text| min_job_age(text).map(|age| age.as_secs());
        assert_eq!(seconds("MaxStepCount = 40000\nMinJobAge               = 2 sec\n"), Some(2));
        assert_eq!(seconds("MinJobAge               = 0 sec\n"), None, "jobs stay");
        assert_eq!(seconds("MaxStepCount = 40000\n"), None);
    }

    #[test]
    fn the_cpus_of_the_default_partition_are_read() {
        assert_eq!(cpus("low|0/100/0/100\ndebug*|4/11/1/16\n"), Some(15));
        assert_eq!(cpus("gpu|4/4/0/8\n"), Some(8));
        assert_eq!(cpus("slurm_load_partitions: error"), None);
    }
}
