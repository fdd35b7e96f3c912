//! How log files are opened: `arg_set_open_mode` of `src/common/slurm_opt.c`.

use std::fmt;

use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

/// Whether log files are continued or started anew.
///
/// sbatch looks at the first letter alone; here the value must be `append` or `truncate`, or the
/// start of one of them.
///
/// Slurm's source: `arg_set_open_mode` in `src/common/slurm_opt.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// New output follows what is there.
    Append,
    /// New output replaces what is there.
    Truncate,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`append` or `truncate`",
    example: "append",
    details: "Both may be shortened.",
    canonical: |text| Ok(OpenMode::read(text)?.to_string()),
    words: &["append", "truncate"],
    instead: |part| match part.chars().next() {
        _ if part == "continue" => Some("append"),
        Some('a') => Some("append"),
        Some('t' | 'w' | 'o') => Some("truncate"),
        _ => None,
    },
    ..Grammar::ANY
};

impl OpenMode {
    /// Reads a mode.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.starts_word("append") {
            return Ok(Self::Append);
        }
        if text.starts_word("truncate") {
            return Ok(Self::Truncate);
        }
        Err(text.is_fault(match text.byte(0) {
            b'a' | b'A' | b't' | b'T' => {
                "neither append nor truncate (sbatch looks at the first letter alone)"
            }
            _ => "neither append nor truncate",
        }))
    }
}

typed!(OpenMode, OpenMode);

impl fmt::Display for OpenMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Truncate => "truncate",
        })
    }
}
