//! The text of the reference page.

use std::fmt::{self, Write};

use slurm_core::options::{Argument, CheckedBy, OPTIONS, OptionSpec, Release};

use super::differences::{DIFFERENCE_REASONS, differences};

const HEAD: &str = "\
# Options

<!-- Generated from slurm-core's table of options; `cargo run -p slurm-core --example
     options_reference --no-default-features` writes it anew. -->

Every option of sbatch that has a meaning for a job, as attributes, setters and Slurmfiles name
it: sbatch's long name with `_` for `-`. All values are checked by the same grammar, when the
program compiles and when it runs.

A value is text as on sbatch's command line, an integer, a boolean, a duration or a list:

- integers stand for their digits, so `time = 30` is 30 minutes and `mem = 4096` is 4096 MiB;
- `true` sets a flag and `false` takes back an inherited one; options that take `yes` or `no`, or
  `1` or `0`, take a boolean for it;
- a duration is a time limit, or a point in time counted from now;
- a list is joined the way the option joins its values: mostly by commas, features by `&`.

Values are passed on in a canonical form, which every release reads as far as there is such a
form: `time = 90` becomes `--time=01:30:00`.

Slurm releases are named by year and month. \"Checked by sbatch\" means that sbatch itself refuses
a wrong value; with \"the controller\" it would be refused, or misread, only after it was sent.

";

/// Returns the reference page in Markdown: every option with its names, grammar, units, releases and
/// a valid example, and where the grammars differ from sbatch on purpose.
pub(crate) fn reference_markdown() -> String {
    let mut page = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = write_page(&mut page);
    page
}

fn write_page(page: &mut String) -> fmt::Result {
    writeln!(page, "## The options\n")?;
    for option in OPTIONS {
        write_option(page, option)?;
    }
    writeln!(page, "## The rules between options\n\n{RULES}")?;
    write_differences(page)
}

const RULES: &str = "\
These pairs are refused, by sbatch or because it would silently drop one of them:

- two of `mem`, `mem_per_cpu` and `mem_per_gpu`; `core_spec` and `thread_spec`; `bb` and `bbf`;
  `requeue` and `no_requeue`; `exclusive` and `oversubscribe`;
- two of `cpus_per_task`, `cpus_per_gpu` and the `cpu` of `tres_per_task`;
- `ntasks_per_gpu` beside `gpus_per_task`, `gpus_per_socket`, `ntasks_per_node` or `tres_per_task`;
- `hint` beside `extra_node_info`, `ntasks_per_core` or `threads_per_core`;
- `gpus_per_node` and the `gpu` of `gres`; whole GPUs and shares of them (`mps`, `shard`).

Two of them from different sources are no conflict: the one from the source of higher precedence
takes the place of the other, as sbatch does between its environment and its command line.

These values must fit each other, within one type of GPU:

- `gpus` is a multiple of `gpus_per_node` and of `gpus_per_task`, and not less than `nodes`; divided
  by them it is the number of nodes and of tasks, if those are given;
- GPUs per node are a multiple of those per socket and per task, GPUs per socket of those per task,
  and the sockets and tasks that follow are those given;
- `ntasks` is a multiple of `ntasks_per_gpu` when no GPUs are asked for, and fits on `nodes` times
  `ntasks_per_node`; `ntasks_per_core` is at most `threads_per_core`;
- `nodelist` names no more nodes than `nodes` allows, and none that `exclude` names;
- planes of a `distribution` reach all nodes; `arbitrary` needs a `nodelist` and no `nodes`;
- `begin` is not after `deadline`, and `time_min` not longer than `time`.

These options need another one once all sources are merged: `mem_per_gpu` and `cpus_per_gpu` a
request for GPUs, `ntasks_per_gpu` GPUs or `ntasks`, `gpus_per_task` `ntasks` or `gpus`,
`gpus_per_socket` `sockets_per_node`, `batch` `constraint`.
";

fn write_option(page: &mut String, option: &OptionSpec) -> fmt::Result {
    writeln!(page, "### `{}`\n\n{}\n", option.key, option.summary)?;
    write!(page, "- sbatch: `--{}`", option.name)?;
    if let Some(short) = option.short {
        write!(page, ", `-{short}`")?;
    }
    for alias in option.aliases {
        write!(page, ", `--{alias}`")?;
    }
    writeln!(page)?;
    match option.argument {
        Argument::None => writeln!(page, "- value: none, it is a flag")?,
        Argument::Optional => writeln!(page, "- value: none, or {}", grammar(option))?,
        Argument::Required => writeln!(page, "- value: {}", grammar(option))?,
    }
    if !option.kind.details().is_empty() {
        writeln!(page, "- {}", option.kind.details())?;
    }
    if matches!(option.argument, Argument::None | Argument::Optional) {
        writeln!(page, "- example: `{} = true`", option.key)?;
    }
    if !option.example.is_empty() {
        writeln!(page, "- example: `{} = \"{}\"`", option.key, option.example)?;
    }
    write!(page, "- releases: ")?;
    if option.since <= Release::OLDEST {
        write!(page, "all from {}", Release::OLDEST)?;
    } else {
        write!(page, "from {}", option.since)?;
    }
    match option.until {
        Some(until) => writeln!(page, ", gone in {until}")?,
        None => writeln!(page)?,
    }
    let checked_by = match option.checked_by {
        CheckedBy::Client => "sbatch",
        CheckedBy::Controller => "the controller",
    };
    writeln!(page, "- checked by {checked_by}")?;
    if !option.note.is_empty() {
        writeln!(page, "- {}", option.note)?;
    }
    writeln!(page)
}

/// The kind's grammar, without a "no value" that the option itself already says.
fn grammar(option: &OptionSpec) -> &'static str {
    let grammar = option.kind.expected();
    grammar.strip_prefix("no value, or ").or(grammar.strip_prefix("no value, ")).unwrap_or(grammar)
}

fn write_differences(page: &mut String) -> fmt::Result {
    let all = differences();
    writeln!(
        page,
        "## Where this differs from sbatch on purpose\n\n\
         The grammars were compared with sbatch 22.05.8 on some two thousand values, from public \
         scripts and made up. They differ on {} of them:\n",
        all.len()
    )?;
    for reason in DIFFERENCE_REASONS {
        let verdict = if reason.accepted { "Accepted here" } else { "Refused here" };
        writeln!(page, "### {verdict}: {}\n\n{}\n", reason.code.replace('-', " "), reason.reason)?;
        for difference in all.iter().filter(|difference| difference.reason == reason) {
            let value = difference.value.replace('\t', "\\t").replace('\n', "\\n");
            if value.is_empty() {
                writeln!(page, "- `--{}` with an empty value or none", difference.option)?;
            } else {
                writeln!(page, "- `--{}={value}`", difference.option)?;
            }
        }
        writeln!(page)?;
    }
    Ok(())
}
