//! Where the grammars differ from sbatch on purpose.

/// Why a value is treated in another way than sbatch 22.05.8 treats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DifferenceReason {
    /// A short name, as in the data file.
    pub(crate) code: &'static str,
    /// Whether the value is accepted here and refused there, or the other way round.
    pub(crate) accepted: bool,
    /// The reason, in one or two sentences.
    pub(crate) reason: &'static str,
}

/// A value that is treated in another way than sbatch 22.05.8 treats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The option, as sbatch writes it.
    pub(crate) option: &'static str,
    /// The value.
    pub(crate) value: String,
    /// Why it differs.
    pub(crate) reason: &'static DifferenceReason,
}

const fn refused(code: &'static str, reason: &'static str) -> DifferenceReason {
    DifferenceReason { code, accepted: false, reason }
}

const fn accepted(code: &'static str, reason: &'static str) -> DifferenceReason {
    DifferenceReason { code, accepted: true, reason }
}

/// All reasons to differ from sbatch.
pub(crate) const DIFFERENCE_REASONS: &[DifferenceReason] = &[
    refused(
        "wraps",
        "The number does not fit where Slurm keeps it: sbatch or the controller cuts it off, or \
         takes it for \"not set\", and the job gets another number than was asked for.",
    ),
    refused(
        "reads-something-else",
        "sbatch or the controller reads a number where there is none, or only the part of the text \
         that looks like one: `--nice=abc` is 0, `--array=0-` is the single task 0, \
         `--priority=0` is no priority at all.",
    ),
    refused(
        "drops",
        "sbatch or the controller silently ignores a part of the value: unknown mail types and \
         those beside NONE, a fourth field of `-B`, whatever follows `*`, an operator at the end.",
    ),
    refused(
        "first-letters",
        "sbatch compares only the first letters, or looks for a word anywhere in the value, and \
         takes a misspelt word for another one: `--open-mode=tomato` truncates the log files.",
    ),
    refused(
        "name",
        "sbatch takes a mistyped number or separator for the name of something, which the \
         controller then does not find: `--gres=gpu:-1` asks for one GPU of the type `-1`, and \
         `--gpus=gpu:2` for two of the type `gpu`.",
    ),
    refused(
        "dependency",
        "Up to 25.05 the controller reads `,` and `?` in one dependency all as `?`, and 25.11 \
         refuses it. A state in parentheses, which Slurm prints, makes the dependency fail at \
         once.",
    ),
    refused(
        "empty",
        "An empty value means nothing: sbatch treats the option as not given, or takes it for \
         zero. Leave the option out.",
    ),
    refused(
        "controller",
        "sbatch passes the value on, and the controller refuses the job (for rows from public \
         scripts only sbatch's own verdict is known).",
    ),
    accepted("newer-option", "The option is newer than 22.05; explaining a job says so."),
    accepted("newer-value", "Newer releases of Slurm take the value."),
    accepted(
        "site",
        "Whether the value is right depends on the cluster: its clusters, users, generic \
         resources, frequency governors, and `MaxArraySize`.",
    ),
    accepted("file", "Whether the file exists is known only where and when sbatch runs."),
    accepted(
        "companion",
        "The value is right beside another option, which stood not beside it when it was tried; \
         a set of options is checked for what it needs when it is complete.",
    ),
    accepted("clock", "Whether a time has passed is known only when the job is submitted."),
    accepted("spelling", "Keys are written with `_`, which sbatch does not know."),
    refused(
        "abbreviation",
        "sbatch takes any unambiguous start of a name. What is unambiguous changes between \
         releases, so names are written in full.",
    ),
    refused(
        "not-a-job-option",
        "The option is about how sbatch is run and not about the job; it cannot be set here.",
    ),
];

/// One line for each difference: option, value, code.
const DATA: &str = include_str!("differences.tsv");

/// Returns the values on which the grammars are known to differ from sbatch 22.05.8, among some two
/// thousand that were tried.
pub(crate) fn differences() -> Vec<Difference> {
    DATA.lines().filter(|line| !line.starts_with('#')).filter_map(difference).collect()
}

fn difference(line: &'static str) -> Option<Difference> {
    let mut columns = line.split('\t');
    let (option, value, code) = (columns.next()?, columns.next()?, columns.next()?);
    let reason = DIFFERENCE_REASONS.iter().find(|reason| reason.code == code)?;
    Some(Difference {
        option,
        value: value
            .replace("\\\\", "\u{0}")
            .replace("\\t", "\t")
            .replace("\\n", "\n")
            .replace('\u{0}', "\\"),
        reason,
    })
}
