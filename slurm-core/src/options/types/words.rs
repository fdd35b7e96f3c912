//! The options whose values are words.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::release::Release;
use crate::options::suggest::boolean;
use crate::options::text::{Text, is_space};

/// A list of words joined by commas, each once; empty places are skipped, as `strtok` does. Words that exclude each
/// other come with the reason.
fn list(
    text: Text<'_>,
    words: &[&str],
    reason: &'static str,
    exclusive: &[(&str, &str, &'static str)],
) -> Result<String, Fault> {
    let none = "nothing is named between the commas";
    let found = text.items(b',', none, |item| item.word_of(words, reason))?;
    for (first, second, reason) in exclusive {
        if found.contains(first) && found.contains(second) {
            return Err(text.fault(reason));
        }
    }
    let mut once: Vec<&str> = Vec::new();
    for word in found {
        if !once.contains(&word) {
            once.push(word);
        }
    }
    Ok(once.join(","))
}

/// `arg_set_exclusive` of `src/common/slurm_opt.c`.
pub(crate) const EXCLUSIVE: Grammar = Grammar {
    expected: "`exclusive`, `user`, `mcs`, `oversubscribe`, `topo` or `allocation`",
    example: "user",
    details: "`topo` needs 24.05 and `allocation` 26.05.",
    canonical: |text| {
        let reason = "not a way to share nodes; expected exclusive, user, mcs, oversubscribe, topo \
                      (24.05) or allocation (26.05)";
        Ok(text.word_of(EXCLUSIVE.words, reason)?.to_owned())
    },
    since: |value| match value {
        "topo" => Some(Release::new(24, 5)),
        "allocation" => Some(Release::new(26, 5)),
        _ => None,
    },
    words: &["exclusive", "user", "mcs", "oversubscribe", "topo", "allocation"],
    instead: |part| boolean(part).and_then(|yes| yes.then_some("exclusive")),
    ..Grammar::ANY
};

/// `arg_set_kill_on_invalid_dep` of `src/common/slurm_opt.c`.
pub(crate) const YES_NO: Grammar = Grammar {
    expected: "`yes` or `no`",
    example: "yes",
    canonical: |text| Ok(text.word_of(YES_NO.words, "neither yes nor no")?.to_owned()),
    booleans: Some(("yes", "no")),
    words: &["yes", "no"],
    instead: |part| boolean(part).map(|yes| if yes { "yes" } else { "no" }),
    ..Grammar::ANY
};

/// `arg_set_no_kill` of `src/common/slurm_opt.c`.
pub(crate) const NO_KILL: Grammar = Grammar {
    expected: "no value, `set`, `off` or `no`",
    example: "off",
    canonical: |text| {
        let reason = "not a switch; expected no value, `set`, `off` or `no`";
        Ok(text.word_of(&["set", "off", "no"], reason)?.to_owned())
    },
    instead: |part| boolean(part).map(|yes| if yes { "set" } else { "off" }),
    ..Grammar::ANY
};

/// `arg_set_requeue` of `src/common/slurm_opt.c`, from 25.11 on.
pub(crate) const REQUEUE: Grammar = Grammar {
    expected: "no value, or `expedite`",
    example: "expedite",
    canonical: |text| {
        let reason = "not a way to requeue; expected no value or `expedite` (25.11)";
        Ok(text.word_of(REQUEUE.words, reason)?.to_owned())
    },
    since: |_| Some(Release::new(25, 11)),
    words: &["expedite"],
    ..Grammar::ANY
};

/// `parse_power` of `src/common/power.c`, up to 23.11.
pub(crate) const POWER: Grammar = Grammar {
    expected: "`level`",
    example: "level",
    canonical: |text| {
        let reason = "not a way to manage power; expected `level` (sbatch ignores anything else)";
        list(text, &["level"], reason, &[])
    },
    ..Grammar::ANY
};

/// `arg_set_gres_flags` of `src/common/slurm_opt.c`.
pub(crate) const GRES_FLAGS: Grammar = Grammar {
    expected: "`disable-binding` or `enforce-binding`, `multiple-tasks-per-sharing` or \
               `one-task-per-sharing`, joined by commas",
    example: "enforce-binding",
    details: "Anything but one of the first two alone needs 23.11.",
    canonical: |text| {
        let reason = "not a flag for generic resources; expected disable-binding, enforce-binding, \
                      multiple-tasks-per-sharing or one-task-per-sharing";
        let binding = "disable-binding and enforce-binding exclude each other";
        let sharing = "multiple-tasks-per-sharing and one-task-per-sharing exclude each other";
        let exclusive = [
            ("disable-binding", "enforce-binding", binding),
            ("multiple-tasks-per-sharing", "one-task-per-sharing", sharing),
        ];
        list(text, GRES_FLAGS.words, reason, &exclusive)
    },
    separator: Some(","),
    since: |value| {
        let is_newer = value.contains(',') || value.contains("per-sharing");
        is_newer.then_some(Release::new(23, 11))
    },
    words: &[
        "disable-binding",
        "enforce-binding",
        "multiple-tasks-per-sharing",
        "one-task-per-sharing",
    ],
    nearby: |value, _| vec![value.replace('_', "-")],
    ..Grammar::ANY
};

/// `verify_hint` of `src/common/proc_args.c`, which refuses empty places (`strsep`).
pub(crate) const HINT: Grammar = Grammar {
    expected: "`compute_bound`, `memory_bound`, `multithread` or `nomultithread`",
    example: "nomultithread",
    canonical: |text| {
        if text.parts(b',').any(Text::is_empty) {
            return Err(text.fault("a word is missing beside a comma"));
        }
        let reason =
            "not a hint; expected compute_bound, memory_bound, multithread or nomultithread";
        list(text, HINT.words, reason, &[])
    },
    separator: Some(","),
    words: &["compute_bound", "memory_bound", "multithread", "nomultithread"],
    instead: |part| matches!(part, "hyperthread" | "hyperthreading").then_some("multithread"),
    nearby: |value, _| vec![value.replace('-', "_")],
    ..Grammar::ANY
};

/// `acct_gather_profile_from_string` of `src/common/slurm_acct_gather_profile.c`, which looks for
/// the words anywhere in the value.
pub(crate) const PROFILE: Grammar = Grammar {
    expected: "`none`, or `all`, `energy`, `task`, `lustre`, `network` joined by commas",
    example: "task",
    canonical: |text| {
        let reason =
            "not something that is profiled; expected none, all, energy, task, lustre or network";
        let off = "none switches off what stands beside it";
        let exclusive =
            ["all", "energy", "task", "lustre", "network"].map(|other| ("none", other, off));
        list(text, PROFILE.words, reason, &exclusive)
    },
    separator: Some(","),
    words: &["none", "all", "energy", "task", "lustre", "network"],
    ..Grammar::ANY
};

/// How the login environment is loaded: seconds, then `S` or `L`.
///
/// Slurm's source: `arg_set_get_user_env` in `src/common/slurm_opt.c`, up to 24.11.
pub(crate) const USER_ENVIRONMENT: Grammar = Grammar {
    expected: "no value, or seconds and then `S` or `L`",
    example: "10L",
    canonical: |text| {
        let (number, mode) = text.split_at(text.leading_digits());
        if !number.is_empty() && digits(number)? > i32::MAX as u64 {
            return Err(number.is_fault("too many seconds"));
        }
        if !mode.is_empty() && mode.position_in(&["S", "L"]).is_none() {
            let reason = "neither `S` (su) nor `L` (login shell), which may follow the seconds";
            return Err(mode.is_fault(reason));
        }
        Ok(text.to_text().to_ascii_uppercase())
    },
    until: |_| Some(Release::new(25, 5)),
    ..Grammar::ANY
};

/// Whether log files are continued: `arg_set_open_mode` of `src/common/slurm_opt.c`, which looks at the first letter
/// alone.
pub(crate) const OPEN_MODE: Grammar = Grammar {
    expected: "`append` or `truncate`",
    example: "append",
    details: "Both may be shortened.",
    canonical: |text| {
        let mode = OPEN_MODE.words.iter().find(|mode| text.starts_word(mode));
        mode.map(|mode| (*mode).to_owned()).ok_or_else(|| {
            text.is_fault(match text.byte(0) {
                b'a' | b'A' | b't' | b'T' => {
                    "neither append nor truncate (sbatch looks at the first letter alone)"
                }
                _ => "neither append nor truncate",
            })
        })
    },
    words: &["append", "truncate"],
    instead: |part| match part.chars().next() {
        _ if part == "continue" => Some("append"),
        Some('a') => Some("append"),
        Some('t' | 'w' | 'o') => Some("truncate"),
        _ => None,
    },
    ..Grammar::ANY
};

/// On which events Slurm sends mail: `parse_mail_type` of `src/common/proc_args.c`, which ignores words that it does
/// not know if it knows one. Written in sbatch's order.
pub(crate) const MAIL_TYPE: Grammar = Grammar {
    expected: "mail types such as BEGIN, END and FAIL joined by commas",
    example: "END,FAIL",
    details: "`NONE`, `ALL`, `BEGIN`, `END`, `FAIL`, `REQUEUE`, `INVALID_DEPEND`, `STAGE_OUT`, \
              `TIME_LIMIT`, `TIME_LIMIT_90`, `TIME_LIMIT_80`, `TIME_LIMIT_50`, `ARRAY_TASKS`, \
              in any case.",
    canonical: |text| {
        let unknown = "not a mail type; expected NONE, ALL, BEGIN, END, FAIL, REQUEUE, \
                       INVALID_DEPEND, STAGE_OUT, TIME_LIMIT, TIME_LIMIT_90, TIME_LIMIT_80, \
                       TIME_LIMIT_50 or ARRAY_TASKS";
        let named = text.items(b',', "no mail type is named", |word| {
            if is_space(word.byte(0)) || word.trim_end().len() < word.len() {
                return Err(word.fault(
                    "no blank may stand beside a comma (sbatch would ignore the mail type there)",
                ));
            }
            word.word_of(MAIL_TYPE.words, unknown)
        })?;
        if named.len() > 1 && named.contains(&"NONE") {
            return Err(text.fault("NONE switches off every other mail type beside it"));
        }
        let in_order = MAIL_TYPE.words.iter().filter(|word| named.contains(word));
        Ok(in_order.copied().collect::<Vec<_>>().join(","))
    },
    separator: Some(","),
    words: &[
        "NONE",
        "BEGIN",
        "END",
        "FAIL",
        "REQUEUE",
        "ALL",
        "INVALID_DEPEND",
        "STAGE_OUT",
        "TIME_LIMIT",
        "TIME_LIMIT_90",
        "TIME_LIMIT_80",
        "TIME_LIMIT_50",
        "ARRAY_TASKS",
    ],
    instead: |part| match part {
        "start" | "started" => Some("BEGIN"),
        "abort" | "error" | "failure" => Some("FAIL"),
        "complete" | "completed" | "finish" | "finished" | "done" => Some("END"),
        "timelimit" | "timeout" => Some("TIME_LIMIT"),
        _ => None,
    },
    nearby: |value, _| vec![value.replace([' ', ';', '|', '+'], ",")],
    ..Grammar::ANY
};

/// The names of limits, `ALL` or `NONE`, all in upper case: `parse_rlimits` of
/// `src/common/slurm_rlimits_info.c`. Written without prefix.
pub(crate) const RLIMITS: Grammar = Grammar {
    expected: "`ALL`, `NONE`, or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, \
               MEMLOCK and AS, joined by commas",
    example: "STACK,NOFILE",
    details: "Upper case only; `RLIMIT_` may stand before a name.",
    canonical: |text| {
        if text.is("ALL") || text.is("NONE") {
            return Ok(text.to_text());
        }
        let words = text.parts_by(|list| list.find_any(b", \t")).filter(|word| !word.is_empty());
        let names: Vec<&str> = words.map(limit).collect::<Result<_, _>>()?;
        if names.is_empty() { Err(text.fault("no limit is named")) } else { Ok(names.join(",")) }
    },
    separator: Some(","),
    words: &["CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS"],
    nearby: |value, _| vec![value.to_uppercase()],
    ..Grammar::ANY
};

fn limit(word: Text<'_>) -> Result<&'static str, Fault> {
    let short = if word.take(7).is("RLIMIT_") { word.skip(7) } else { word };
    if let Some(name) = RLIMITS.words.iter().find(|name| short.is(name)) {
        return Ok(name);
    }
    Err(if word.is("ALL") || word.is("NONE") {
        word.fault("ALL and NONE stand alone")
    } else if short.position_in(RLIMITS.words).is_some()
        || word.position_in(&["ALL", "NONE"]).is_some()
    {
        word.is_fault("not in upper case, as limits are written")
    } else {
        word.is_fault(
            "not a limit; expected ALL, NONE or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, \
             NOFILE, MEMLOCK, AS",
        )
    })
}
