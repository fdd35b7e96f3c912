//! Kinds of mail: `parse_mail_type` of `src/common/proc_args.c`.

use std::fmt;

use super::typed;
use crate::options::fault::Fault;
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

    /// Checks a list of mail types.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        let mut known = 0;
        let mut none = false;
        while let Some(list) = rest {
            let (word, tail) = list.next_part(b',');
            rest = tail;
            // strtok skips empty words.
            if word.is_empty() {
                continue;
            }
            if is_space(word.byte(0)) || is_space(word.last()) {
                return Err(word.fault(
                    "no blank may stand beside a comma (sbatch would ignore the mail type there)",
                ));
            }
            match word.position_in(WORDS) {
                Some(index) => {
                    none = none || index == NONE;
                    known += 1;
                }
                None => return Err(word.is_fault(UNKNOWN)),
            }
        }
        if known == 0 {
            return Err(text.fault("no mail type is named"));
        }
        if none && known > 1 {
            return Err(text.fault("NONE switches off every other mail type beside it"));
        }
        Ok(())
    }

    /// Reads a list of mail types.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        let words = text.parts(b',').filter_map(|word| word.position_in(WORDS));
        let mut words: Vec<usize> = words.collect();
        words.sort_unstable();
        words.dedup();
        Ok(Self { words })
    }
}

typed!(MailType, MailType);

impl fmt::Display for MailType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}
