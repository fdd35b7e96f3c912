//! What sbatch's options mean to the embedded backend.

use std::path::PathBuf;

use slurm_core::options::{ArrayRange, ArraySpec, Memory, OptionSet, OptionValue, Signal};
use slurm_host::is_scrubbed;

use super::capacity::Capacity;
use super::gpus;
use super::protocol::{ArrayRequest, JobRequest, SystemText};
use crate::backend::Prepared;
use crate::error::SubmitError;

/// Options that change when or how a job runs, in ways that this backend has no means for.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("begin", "it starts jobs as soon as they fit"),
    ("container", "it runs no containers"),
    ("hold", "it has no command to release a job"),
];

/// Memory of a job that asks for none, for each of its CPUs.
const DEFAULT_MEMORY_PER_CPU_MIB: u64 = 64;

/// Processes of a job for each CPU of the machine, and of any job. More would only be a slip: whoever
/// asks a laptop for the processes of a whole cluster finds it dead.
const MOST_TASKS_PER_CPU: u32 = 16;
const MOST_TASKS: u32 = 64;

/// Returns the request for a prepared submission.
pub(super) fn job(prepared: &Prepared, machine: Capacity) -> Result<JobRequest, SubmitError> {
    let options = &prepared.options;
    let (tasks, most) =
        (options.size().tasks, machine.cpus.saturating_mul(MOST_TASKS_PER_CPU).max(MOST_TASKS));
    if tasks > most {
        let message = format!("{tasks} processes; on this machine it starts at most {most}");
        return Err(SubmitError::Unsupported { option: "ntasks", message });
    }
    for (option, message) in UNSUPPORTED {
        if text(options, option).is_some() {
            return Err(SubmitError::Unsupported { option, message: (*message).to_owned() });
        }
    }
    let here = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let working_dir = text(options, "chdir").map_or_else(here, |dir| here().join(dir));
    let signal = text(options, "signal").and_then(|text| text.parse::<Signal>().ok());
    Ok(JobRequest {
        submission_id: prepared.submission_id.clone(),
        part: prepared.part,
        array: array(options, prepared.first)?,
        name: text(options, "job_name").unwrap_or_default().to_owned(),
        dir: prepared.dir.path().to_owned(),
        script: prepared.script(),
        working_dir,
        stdout: text(options, "output").unwrap_or("/dev/null").to_owned(),
        stderr: text(options, "error")
            .or(text(options, "output"))
            .unwrap_or("/dev/null")
            .to_owned(),
        append: text(options, "open_mode") == Some("append"),
        needs: needs(options),
        gpus: gpus::of_this_process(Some(machine.gpus)),
        memory_is_limited: ["mem", "mem_per_cpu", "mem_per_gpu"]
            .iter()
            .any(|key| text(options, key).is_some()),
        tasks,
        cpus_per_task: number(options, "cpus_per_task").unwrap_or(1),
        time_limit: options.time_limit().map(|limit| limit.as_secs()),
        warning: signal.map(|signal| (signal.number().into(), signal.seconds().into())),
        dependency: text(options, "dependency").map(str::to_owned),
        within: prepared.within,
        environment: std::env::vars_os()
            .filter(|(name, _)| !name.to_str().is_some_and(is_scrubbed))
            .map(|(name, value)| (SystemText(name), SystemText(value)))
            .collect(),
    })
}

/// Returns what the options ask of an array, if they ask for one.
fn array(options: &OptionSet, first: u64) -> Result<Option<ArrayRequest>, SubmitError> {
    let Some(text) = text(options, "array") else { return Ok(None) };
    let spec = text.parse::<ArraySpec>().ok();
    match spec.as_ref().map(ArraySpec::ranges) {
        Some([ArrayRange { first: 0, last, step: 1 }]) if *last < u32::MAX => {
            let max_running = spec.as_ref().and_then(ArraySpec::max_running);
            Ok(Some(ArrayRequest { size: last + 1, first, max_running }))
        }
        _ => {
            let message = format!(
                "it numbers elements from 0 without gaps, as in `0-15` or `0-15%4`, not `{text}`"
            );
            Err(SubmitError::Unsupported { option: "array", message })
        }
    }
}

/// Says where a job gets less than it asks for.
pub(super) fn warnings(options: &OptionSet, machine: Capacity) -> Vec<String> {
    let needs = needs(options);
    let warning = |what: &str, asked: u64, has: u64| {
        (asked > has).then(|| {
            format!(
                "asks for {asked} {what}; this machine has {has}, which it will have for itself"
            )
        })
    };
    let extras = options.extras();
    let flags = (!extras.is_empty()).then(|| {
        format!(
            "the flags {} are for sbatch: the embedded backend takes only the number of tasks, nodes and GPUs from them",
            extras.join(" ")
        )
    });
    [
        flags,
        warning("CPUs", needs.cpus.into(), machine.cpus.into()),
        warning("MiB of memory", needs.memory_mib, machine.memory_mib),
        warning("GPUs", needs.gpus.into(), machine.gpus.into()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns how many jobs with these options the machine runs at once, at least one.
pub(super) fn slots(options: &OptionSet, machine: Capacity) -> u64 {
    let needs = needs(options);
    let times = |has: u64, needed: u64| has / needed.max(1);
    let gpus = match needs.gpus {
        0 => u64::MAX,
        needed => times(machine.gpus.into(), needed.into()),
    };
    let cpus = times(machine.cpus.into(), needs.cpus.into());
    cpus.min(times(machine.memory_mib, needs.memory_mib)).min(gpus).max(1)
}

fn needs(options: &OptionSet) -> Capacity {
    let size = options.size();
    let cpus = size.tasks.saturating_mul(number(options, "cpus_per_task").unwrap_or(1));
    let gpus = u32::try_from(size.gpus).unwrap_or(u32::MAX);
    let exclusive = options.get("exclusive").is_some_and(|value| *value != OptionValue::Unset);
    let mib =
        |key| text(options, key).and_then(|text| text.parse::<Memory>().ok()).map(Memory::mib);
    let memory_mib = mib("mem")
        .or_else(|| mib("mem_per_cpu").map(|mib| mib.saturating_mul(cpus.into())))
        .or_else(|| mib("mem_per_gpu").map(|mib| mib.saturating_mul(gpus.into())))
        .unwrap_or(DEFAULT_MEMORY_PER_CPU_MIB.saturating_mul(cpus.into()));
    // `mem = 0` asks for all of a node's memory.
    let memory_mib = if memory_mib == 0 { u64::MAX } else { memory_mib };
    Capacity { cpus: if exclusive { u32::MAX } else { cpus }, memory_mib, gpus }
}

fn text<'a>(options: &'a OptionSet, key: &str) -> Option<&'a str> {
    match options.get(key)? {
        OptionValue::Value(text) => Some(text),
        OptionValue::Flag => Some(""),
        OptionValue::Unset => None,
    }
}

fn number(options: &OptionSet, key: &str) -> Option<u32> {
    text(options, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use slurm_core::options::{self, Source};

    use super::*;

    #[test]
    fn an_array_counts_from_zero() {
        let array_of = |text: &str| {
            let spec = options::lookup("array").unwrap();
            let mut options = OptionSet::new();
            options.set(spec, spec.parse(text).unwrap(), Source::CallSite);
            array(&options, 7)
        };
        for (text, size, max_running) in
            [("0-0", 1, None), ("0", 1, None), ("0-9", 10, None), ("0-9%3", 10, Some(3))]
        {
            let expected = Some(ArrayRequest { size, first: 7, max_running });
            assert_eq!(array_of(text).unwrap(), expected, "{text}");
        }
        for text in ["1-3", "0-6:2", "0,1", "0-3,7"] {
            let error = array_of(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("without gaps"), "{error}");
        }
        assert_eq!(array(&OptionSet::new(), 7).unwrap(), None);
    }
}
