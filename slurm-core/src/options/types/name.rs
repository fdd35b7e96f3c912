//! The names of accounts, partitions, QOS and jobs.

use std::fmt;

use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, typed};
use crate::options::suggest::to_ascii;
use crate::options::text::{Text, is_space};

/// Characters that no name on a cluster has: blanks, control characters, and the separators of shells and of Slurm's
/// output. Slurm accepts them, but then finds nothing of that name.
const FOREIGN: &[u8] = b"'\"`\\$|;&<>(){}#,";

/// The name of an account, a partition or a QOS.
///
/// No correction is offered: the name in `my account` is probably not `myaccount`.
pub(crate) const ONE: Grammar = Grammar {
    expected: "a name",
    example: "proj1",
    details: "No blanks, control characters, quotes, nor what shells know: `\\$|;&<>(){}#`.",
    canonical: |text| check(text).map(|()| text.to_text()),
    nearby: |value, _| vec![to_ascii(value).trim().to_owned()],
    forgiving: false,
    ..Grammar::ANY
};

/// Names joined by commas; empty places are skipped, as `strtok` does.
pub(crate) const SEVERAL: Grammar = Grammar {
    expected: "names joined by commas",
    example: "debug",
    canonical: |text| {
        let read = |name: Text<'_>| check(name).map(|()| name.to_text());
        Ok(text.items(b',', "no name stands between the commas", read)?.join(","))
    },
    separator: Some(","),
    nearby: |value, _| {
        let value = to_ascii(value);
        let words: Vec<&str> = value.split_whitespace().collect();
        vec![value.trim().to_owned(), words.join(",")]
    },
    ..ONE
};

/// The name of a job: any visible text.
pub(crate) const JOB: Grammar = Grammar {
    expected: "visible text of at most 1024 bytes",
    details: "No control characters.",
    canonical: |text| match text.position(|byte| byte.is_ascii_control()) {
        Some(index) => {
            Err(text.at(index).fault("no control character may stand in the name of a job"))
        }
        None => Ok(text.to_text()),
    },
    ..Grammar::VERBATIM
};

fn check(text: Text<'_>) -> Result<(), Fault> {
    let is_wrong = |byte: u8| is_space(byte) || byte.is_ascii_control() || FOREIGN.contains(&byte);
    let Some(index) = text.position(is_wrong) else {
        return Ok(());
    };
    let part = text.at(index);
    Err(match part.byte(0) {
        byte if is_space(byte) => part.fault("no blank may stand in a name"),
        byte if byte.is_ascii_control() => part.fault("no control character may stand in a name"),
        _ => part.is_fault("not a letter of a name: letters, digits and `_-.@:/+` are"),
    })
}

macro_rules! named {
    ($($(#[$doc:meta])* $name:ident, $grammar:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(String);

            impl $name {
                /// Returns the name as text.
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }

                fn read(text: Text<'_>) -> Result<Self, Fault> {
                    ($grammar.canonical)(text).map(Self)
                }
            }

            typed!($name, $grammar);

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.pad(&self.0)
                }
            }
        )*
    };
}

named! {
    /// The name of an account.
    ///
    /// ```
    /// use slurm_core::options::AccountName;
    /// assert_eq!("proj1@gpu".parse::<AccountName>()?.as_str(), "proj1@gpu");
    /// assert!("proj1; rm -rf ~".parse::<AccountName>().is_err());
    /// # Ok::<(), slurm_core::options::InvalidValue>(())
    /// ```
    AccountName, ONE;

    /// The name of a job: visible text of at most 1024 bytes.
    ///
    /// ```
    /// use slurm_core::options::JobName;
    /// assert_eq!("a | b $(c)".parse::<JobName>()?.as_str(), "a | b $(c)");
    /// assert!("a\n#SBATCH --partition=b".parse::<JobName>().is_err());
    /// assert!("\u{1b}[2J".parse::<JobName>().is_err());
    /// # Ok::<(), slurm_core::options::InvalidValue>(())
    /// ```
    JobName, JOB;

    /// The name of a partition.
    PartitionName, ONE;

    /// The name of a QOS.
    QosName, ONE;
}
