//! Proposals for values that are words: the nearest word, or what people say instead.

use crate::options::fault::Fault;
use crate::options::kind::ValueKind;
use crate::options::table::distance;

/// How often one value is repaired.
const ROUNDS: usize = 4;

/// The value with each wrong part replaced by the word that was probably meant.
pub(super) fn repaired(
    kind: ValueKind,
    value: &str,
    check: &impl Fn(&str) -> Result<(), Fault>,
) -> Option<String> {
    let mut text = value.to_owned();
    for _ in 0..ROUNDS {
        let Err(fault) = check(&text) else {
            return Some(text);
        };
        let part = text.get(fault.range())?;
        let word = instead(kind, part).or_else(|| nearest(kind, part))?;
        text.replace_range(fault.range(), word);
    }
    check(&text).is_ok().then_some(text)
}

/// The words of a kind of value.
const fn words(kind: ValueKind) -> &'static [&'static str] {
    match kind {
        ValueKind::AcctgFreq => &["task", "energy", "network", "filesystem"],
        ValueKind::CpuFreq => &[
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
        ValueKind::DateTime => &["today", "tomorrow", "midnight", "noon", "fika", "teatime"],
        ValueKind::Dependency => &[
            "after",
            "afterany",
            "afterok",
            "afternotok",
            "aftercorr",
            "afterburstbuffer",
            "expand",
            "singleton",
        ],
        ValueKind::Distribution => &["block", "cyclic", "fcyclic", "plane", "arbitrary"],
        ValueKind::Exclusive => &["exclusive", "user", "mcs", "oversubscribe", "topo"],
        ValueKind::GpuBind => &["closest", "none", "single", "per_task", "map_gpu", "mask_gpu"],
        ValueKind::GpuFreq => &["low", "medium", "high", "highm1", "memory", "verbose"],
        ValueKind::GresFlags => &[
            "disable-binding",
            "enforce-binding",
            "multiple-tasks-per-sharing",
            "one-task-per-sharing",
        ],
        ValueKind::Hint => &["compute_bound", "memory_bound", "multithread", "nomultithread"],
        ValueKind::MailType => &[
            "BEGIN",
            "END",
            "FAIL",
            "REQUEUE",
            "ALL",
            "NONE",
            "INVALID_DEPEND",
            "STAGE_OUT",
            "TIME_LIMIT",
            "TIME_LIMIT_90",
            "TIME_LIMIT_80",
            "TIME_LIMIT_50",
            "ARRAY_TASKS",
        ],
        ValueKind::MemBind => {
            &["none", "local", "rank", "map_mem", "mask_mem", "verbose", "prefer"]
        }
        ValueKind::OpenMode => &["append", "truncate"],
        ValueKind::Profile => &["none", "all", "energy", "task", "lustre", "network"],
        ValueKind::Requeue => &["expedite"],
        ValueKind::RLimits => {
            &["CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS"]
        }
        ValueKind::Signal => {
            &["HUP", "INT", "QUIT", "KILL", "TERM", "USR1", "USR2", "CONT", "STOP"]
        }
        ValueKind::YesNo => &["yes", "no"],
        _ => &[],
    }
}

/// What people say, and the word for it.
fn instead(kind: ValueKind, part: &str) -> Option<&'static str> {
    let part = part.to_ascii_lowercase();
    let affirmed = matches!(part.as_str(), "true" | "yes" | "on" | "1" | "y");
    let denied = matches!(part.as_str(), "false" | "no" | "off" | "0" | "n" | "never");
    Some(match kind {
        ValueKind::YesNo if affirmed => "yes",
        ValueKind::YesNo if denied => "no",
        ValueKind::ZeroOrOne if affirmed => "1",
        ValueKind::ZeroOrOne if denied => "0",
        ValueKind::NoKill if affirmed => "set",
        ValueKind::NoKill if denied => "off",
        ValueKind::Exclusive if affirmed => "exclusive",
        ValueKind::OpenMode if part.starts_with('a') || part == "continue" => "append",
        ValueKind::OpenMode if part.starts_with(['t', 'w', 'o']) => "truncate",
        ValueKind::MailType => match part.as_str() {
            "start" | "started" => "BEGIN",
            "abort" | "error" | "failure" => "FAIL",
            "complete" | "completed" | "finish" | "finished" | "done" => "END",
            "timelimit" | "timeout" => "TIME_LIMIT",
            _ => return None,
        },
        ValueKind::GpuBind if part.starts_with('c') && part.len() < 8 => "closest",
        ValueKind::GpuBind if part.starts_with('n') && part.len() < 5 => "none",
        ValueKind::CpuFreq if part.starts_with("perf") => "Performance",
        ValueKind::Distribution if part.starts_with("cyc") => "cyclic",
        ValueKind::Distribution if part.starts_with("plane") => "plane",
        ValueKind::Dependency if part.starts_with("afterburst") => "afterburstbuffer",
        ValueKind::Hint if part == "hyperthread" || part == "hyperthreading" => "multithread",
        _ => return None,
    })
}

/// The word with the fewest changes, if they are few for its length.
fn nearest(kind: ValueKind, part: &str) -> Option<&'static str> {
    let lower = part.to_ascii_lowercase();
    words(kind)
        .iter()
        .map(|word| (distance(&lower, &word.to_ascii_lowercase()), *word))
        .filter(|(changes, word)| *changes <= word.len().div_ceil(4).min(3))
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, word)| word)
}
