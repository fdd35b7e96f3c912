//! Kinds of mail: `parse_mail_type` of `src/common/proc_args.c`.

use std::fmt;

use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::text::{Text, is_space};

/// On which events Slurm sends mail: a set of words, in sbatch's order.
///
/// `NONE` excludes the others; `ALL` stands for `BEGIN,END,FAIL,INVALID_DEPEND,REQUEUE,STAGE_OUT`.
/// sbatch ignores words that it does not know as long as it knows one; here they are refused.
///
/// Slurm's source: `parse_mail_type` in `src/common/proc_args.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailType {
    /// Indices into `WORDS`, ascending, without repetition.
    words: Vec<usize>,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "mail types such as BEGIN, END and FAIL joined by commas",
    example: "END,FAIL",
    details: "`NONE`, `ALL`, `BEGIN`, `END`, `FAIL`, `REQUEUE`, `INVALID_DEPEND`, `STAGE_OUT`, \
              `TIME_LIMIT`, `TIME_LIMIT_90`, `TIME_LIMIT_80`, `TIME_LIMIT_50`, `ARRAY_TASKS`, \
              in any case.",
    canonical: |text| Ok(MailType::read(text)?.to_string()),
    separator: Some(","),
    words: WORDS,
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

const WORDS: &[&str] = &[
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
];
const NONE: usize = 0;
const UNKNOWN: &str = "not a mail type; expected NONE, ALL, BEGIN, END, FAIL, REQUEUE, \
                       INVALID_DEPEND, STAGE_OUT, TIME_LIMIT, TIME_LIMIT_90, TIME_LIMIT_80, \
                       TIME_LIMIT_50 or ARRAY_TASKS";

impl MailType {
    /// Returns the words, such as `["END", "FAIL"]`.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.words.iter().filter_map(|index| WORDS.get(*index).copied())
    }

    /// Reads a list of mail types.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let mut words = text.items(b',', "no mail type is named", |word| {
            if is_space(word.byte(0)) || word.trim_end().len() < word.len() {
                return Err(word.fault(
                    "no blank may stand beside a comma (sbatch would ignore the mail type there)",
                ));
            }
            word.position_in(WORDS).ok_or_else(|| word.is_fault(UNKNOWN))
        })?;
        if words.len() > 1 && words.contains(&NONE) {
            return Err(text.fault("NONE switches off every other mail type beside it"));
        }
        words.sort_unstable();
        words.dedup();
        Ok(Self { words })
    }
}

typed!(MailType, MailType);

impl fmt::Display for MailType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, ",", self.words())
    }
}
