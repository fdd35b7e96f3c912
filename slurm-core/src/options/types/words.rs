//! The options whose values are words.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::release::Release;
use crate::options::suggest::boolean;
use crate::options::text::Text;

/// The word that this is, in any mix of case, as `words` spells it.
fn word(
    text: Text<'_>,
    words: &[&'static str],
    reason: &'static str,
) -> Result<&'static str, Fault> {
    text.position_in(words).map(|index| words[index]).ok_or_else(|| text.is_fault(reason))
}

/// A list of words joined by commas, each once; empty places are skipped, as `strtok` does. Words that exclude each
/// other come with the reason.
fn list(
    text: Text<'_>,
    words: &[&'static str],
    reason: &'static str,
    exclusive: &[(&str, &str, &'static str)],
) -> Result<String, Fault> {
    let none = "nothing is named between the commas";
    let mut found = text.items(b',', none, |item| word(item, words, reason))?;
    for (first, second, reason) in exclusive {
        if found.contains(first) && found.contains(second) {
            return Err(text.fault(reason));
        }
    }
    let mut seen = Vec::new();
    found.retain(|word| {
        !seen.contains(word) && {
            seen.push(*word);
            true
        }
    });
    Ok(found.join(","))
}

/// `arg_set_exclusive` of `src/common/slurm_opt.c`.
pub(crate) const EXCLUSIVE: Grammar = Grammar {
    expected: "`exclusive`, `user`, `mcs`, `oversubscribe`, `topo` or `allocation`",
    example: "user",
    details: "`topo` needs 24.05 and `allocation` 26.05.",
    canonical: |text| {
        let reason = "not a way to share nodes; expected exclusive, user, mcs, oversubscribe, topo \
                      (24.05) or allocation (26.05)";
        Ok(word(text, EXCLUSIVE.words, reason)?.to_owned())
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
    canonical: |text| Ok(word(text, YES_NO.words, "neither yes nor no")?.to_owned()),
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
        Ok(word(text, &["set", "off", "no"], reason)?.to_owned())
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
        Ok(word(text, REQUEUE.words, reason)?.to_owned())
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
