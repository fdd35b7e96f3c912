//! Frequencies: of sampling, of processors, of GPUs.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::suggest::{leading_number, swapped, without_part};
use crate::options::text::{Text, is_space};

/// How often, in seconds, each kind of use is sampled: `validate_acctg_freq` of `src/common/proc_args.c`,
/// `acct_gather_parse_freq` of `src/common/slurm_acct_gather.c`.
pub(crate) const SAMPLING: Grammar = Grammar {
    expected: "`task`, `energy`, `network` or `filesystem`, each with `=seconds`, joined by commas",
    example: "task=30,energy=10",
    details: "Whole seconds, at most 65533; 0 switches the sampling off. A number alone is for tasks.",
    canonical: |text| Ok(text.items(b',', "no interval is given", interval)?.join(",")),
    separator: Some(","),
    words: &["task", "energy", "network", "filesystem"],
    nearby: |value, fault| vec![value.replace(':', "="), without_part(value, fault)],
    ..Grammar::ANY
};

/// The controller keeps the seconds in 16 bits.
const MAX_INTERVAL: u64 = 65_533;

fn interval(part: Text<'_>) -> Result<String, Fault> {
    let (kind, value) = match part.split_once(b'=') {
        Some((name, value)) => {
            let unknown =
                "not something that is sampled; expected task, energy, network or filesystem";
            (name.word_of(SAMPLING.words, unknown)?, value)
        }
        None => ("task", part),
    };
    if value.is_empty() {
        return Err(part.fault("the seconds after `=` are missing"));
    }
    if value.byte(0) == b'-' {
        return Err(value.is_fault("negative; an interval is a whole number of seconds"));
    }
    let rest = value.skip(value.leading_digits());
    if rest.len() == value.len() {
        return Err(match value.find(b':') {
            Some(_) => part.fault("`=` stands between the kind of use and its seconds"),
            None => value.is_fault("not a whole number of seconds"),
        });
    }
    if is_space(rest.byte(0)) {
        return Err(rest.fault("nothing may follow the seconds, not even a blank"));
    }
    if !rest.is_empty() {
        return Err(rest.is_fault("not part of the seconds (sbatch would ignore it)"));
    }
    match digits(value)? {
        seconds if seconds > MAX_INTERVAL => {
            Err(value.is_fault("too long an interval (65533 seconds is the most)"))
        }
        seconds => Ok(format!("{kind}={seconds}")),
    }
}

/// Frequencies of processors, `p1[-p2][:governor]` or a governor alone: `cpu_freq_verify_cmdline` of
/// `src/common/cpu_frequency.c`.
pub(crate) const CPU: Grammar = Grammar {
    expected: "`low[-high][:governor]` in kHz or words, or a governor",
    example: "2000000-2400000:OnDemand",
    details: "Frequencies are whole kHz or `low`, `medium`, `high`, `highm1`; governors are \
              `Conservative`, `OnDemand`, `Performance`, `PowerSave`, `SchedUtil`, `UserSpace`, \
              as far as the cluster's `CpuFreqGovernors` allows. Words may be shortened as \
              sbatch allows (`perf`). From 23.11 on a range needs a governor unless the cluster \
              sets `CpuFreqDef`, and `UserSpace` takes one frequency instead of a range.",
    canonical: cpu,
    words: &[
        "low",
        "medium",
        "high",
        "highm1",
        "Conservative",
        "OnDemand",
        "Performance",
        "PowerSave",
        "SchedUtil",
        "UserSpace",
    ],
    instead: |part| part.starts_with("perf").then_some("Performance"),
    nearby: |value, _| near_cpu(value),
    ..Grammar::ANY
};

/// Governors: the letters that sbatch needs of each, and the word.
const GOVERNORS: &[(&str, &str)] = &[
    ("co", "Conservative"),
    ("onde", "OnDemand"),
    ("perf", "Performance"),
    ("pow", "PowerSave"),
    ("sche", "SchedUtil"),
    ("user", "UserSpace"),
];
/// Frequencies by name: the letters that sbatch needs, the word, the canonical word, and the place in Slurm's
/// order, where any number is below the words.
const CLOCKS: &[(&str, &str, &str, u64)] = &[
    ("lo", "low", "low", MAX_KHZ + 1),
    ("med", "medium", "medium", MAX_KHZ + 2),
    ("him1", "him1", "highm1", MAX_KHZ + 4),
    ("highm1", "highm1", "highm1", MAX_KHZ + 4),
    ("hi", "high", "high", MAX_KHZ + 3),
];
/// Above this Slurm keeps its flags.
const MAX_KHZ: u64 = 0x7fff_ffff;
const NO_GOVERNOR: &str = "not a governor; expected Conservative, OnDemand, Performance, \
                           PowerSave, SchedUtil or UserSpace";

fn cpu(text: Text<'_>) -> Result<String, Fault> {
    let (clocks, governor) = text.head(b':');
    let (first, second) = clocks.head(b'-');
    if let Some(found) = governor_of(first)? {
        return match (governor, second) {
            (Some(second), _) => Err(second.is_fault("a second governor")),
            (None, Some(_)) => {
                Err(text.fault("a governor alone takes no range; it follows after `:`"))
            }
            (None, None) => Ok(found.to_owned()),
        };
    }
    let (low, mut canonical) = cpu_clock(text, first)?;
    if let Some(second) = second {
        let (high, word) = cpu_clock(text, second)?;
        if high < low {
            return Err(clocks.fault("the range is upside down: the lower frequency comes first"));
        }
        canonical = format!("{canonical}-{word}");
    }
    let Some(name) = governor else { return Ok(canonical) };
    let governor = governor_of(name)?.ok_or_else(|| name.is_fault(NO_GOVERNOR))?;
    if second.is_none() && governor != "UserSpace" {
        return Err(text.fault("this governor needs a range of frequencies before it"));
    }
    Ok(format!("{canonical}:{governor}"))
}

/// A governor; none if the text does not start like one.
fn governor_of(text: Text<'_>) -> Result<Option<&'static str>, Fault> {
    match GOVERNORS.iter().find(|(needed, _)| text.starts_with_any_case(needed)) {
        None => Ok(None),
        Some((_, word)) if text.starts_word(word) => Ok(Some(word)),
        Some(_) => Err(text.is_fault(NO_GOVERNOR)),
    }
}

/// A frequency's place in Slurm's order, and its canonical form.
fn cpu_clock(whole: Text<'_>, text: Text<'_>) -> Result<(u64, String), Fault> {
    if text.is_empty() {
        return Err(whole.fault("a frequency is missing"));
    }
    let named = CLOCKS
        .iter()
        .find(|(needed, word, ..)| text.starts_with_any_case(needed) && text.starts_word(word));
    if let Some((_, _, word, place)) = named {
        return Ok((*place, (*word).to_owned()));
    }
    if !text.byte(0).is_ascii_digit() {
        return Err(
            text.is_fault("neither a frequency (low, medium, high, highm1 or kHz) nor a governor")
        );
    }
    if !text.is_digits() {
        return Err(text.is_fault("not a frequency: whole kHz, without a unit"));
    }
    match digits(text)? {
        0 => Err(text.fault("a frequency of zero is not possible")),
        khz if khz > MAX_KHZ => Err(text.is_fault("too high a frequency")),
        khz => Ok((khz, khz.to_string())),
    }
}

fn near_cpu(value: &str) -> Vec<String> {
    let (clocks, governor) = value.split_at(value.find(':').unwrap_or(value.len()));
    let mut proposals = vec![format!("{clocks}-{clocks}{governor}"), clocks.to_owned()];
    proposals.extend(swapped(clocks).map(|clocks| format!("{clocks}{governor}")));
    let in_khz = || {
        let (whole, thousandths, unit) = leading_number(clocks)?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "khz" | "k" => 1,
            "mhz" | "m" => 1_000,
            "ghz" | "g" => 1_000_000,
            _ => return None,
        };
        whole.checked_mul(factor)?.checked_add(thousandths * factor / 1_000)
    };
    proposals.extend(in_khz().map(|khz| format!("{khz}{governor}")));
    proposals
}

/// Frequencies of GPUs and of their memory, in lower case only: `_valid_gpu_freq` of
/// `src/common/tres_frequency.c`.
pub(crate) const GPU: Grammar = Grammar {
    expected: "`[memory=]low|medium|high|highm1|MHz` joined by commas",
    example: "high,memory=low",
    details: "Whole MHz or words, in lower case; `verbose` may be added.",
    canonical: gpu,
    words: &["low", "medium", "high", "highm1", "memory", "verbose"],
    nearby: |value, _| {
        let lower = value.to_ascii_lowercase();
        vec![lower.replace(':', "="), lower.replace("mhz", ""), lower]
    },
    ..Grammar::ANY
};

fn gpu(text: Text<'_>) -> Result<String, Fault> {
    let (mut clock, mut memory, mut verbose) = (None, None, None);
    text.items(b',', "no frequency is given", |part| {
        match part.split_once(b'=') {
            None if part.is("verbose") => verbose = Some("verbose".to_owned()),
            None if clock.is_some() => return Err(part.is_fault("a second frequency")),
            None => clock = Some(gpu_clock(part, part)?),
            Some((name, _)) if !name.is("memory") => {
                let reason = "not a part of a GPU with a frequency; only `memory` is";
                return Err(name.is_fault(reason));
            }
            Some(_) if memory.is_some() => {
                return Err(part.is_fault("a second frequency of the memory"));
            }
            Some((_, value)) => memory = Some(format!("memory={}", gpu_clock(part, value)?)),
        }
        Ok(())
    })?;
    Ok([clock, memory, verbose].into_iter().flatten().collect::<Vec<_>>().join(","))
}

fn gpu_clock(part: Text<'_>, value: Text<'_>) -> Result<String, Fault> {
    if value.is_empty() {
        return Err(part.fault("the frequency after `=` is missing"));
    }
    if ["low", "medium", "high", "highm1"].iter().any(|word| value.is(word)) {
        return Ok(value.to_text());
    }
    if value.is_digits() {
        return match digits(value)? {
            mhz if mhz > i32::MAX as u64 => Err(value.is_fault("too high a frequency")),
            mhz => Ok(mhz.to_string()),
        };
    }
    if value.byte(0).is_ascii_digit() {
        return Err(value.is_fault("not a frequency: whole MHz, without a unit"));
    }
    Err(value.is_fault("not a frequency; expected low, medium, high, highm1 or MHz, in lower case"))
}
