//! The names of accounts, partitions, QOS and jobs.

use std::fmt;

use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, is_space};

/// What the name of something that a cluster has never holds: blanks, control characters, and what shells and
/// Slurm's own output separate by. Slurm itself asks for less, but finds none of that name then.
const FOREIGN: &[u8] = b"'\"`\\$|;&<>(){}#,";

/// Checks the name of an account.
pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
    let mut index = 0;
    while index < text.len() {
        let byte = text.byte(index);
        let part = text.skip(index).take(1);
        if is_space(byte) {
            return Err(part.fault("no blank may stand in a name"));
        }
        if byte.is_ascii_control() {
            return Err(part.fault("no control character may stand in a name"));
        }
        if crate::options::text::contains(FOREIGN, byte) {
            return Err(part.is_fault("not a letter of a name: letters, digits and `_-.@:/+` are"));
        }
        index += 1;
    }
    Ok(())
}

/// Checks the name of a job, in which anything may stand that can be seen.
pub(crate) const fn check_job(text: Text<'_>) -> Result<(), Fault> {
    let mut index = 0;
    while index < text.len() {
        if text.byte(index).is_ascii_control() {
            let part = text.skip(index).take(1);
            return Err(part.fault("no control character may stand in the name of a job"));
        }
        index += 1;
    }
    Ok(())
}

macro_rules! named {
    ($($(#[$doc:meta])* $name:ident, $kind:ident;)*) => {
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

                pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
                    Ok(Self(text.to_text()))
                }
            }

            typed!($name, $kind);

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
    AccountName, Name;

    /// The name of a job: visible text of at most 1024 bytes.
    ///
    /// ```
    /// use slurm_core::options::JobName;
    /// assert_eq!("a | b $(c)".parse::<JobName>()?.as_str(), "a | b $(c)");
    /// assert!("a\n#SBATCH --partition=b".parse::<JobName>().is_err());
    /// assert!("\u{1b}[2J".parse::<JobName>().is_err());
    /// # Ok::<(), slurm_core::options::InvalidValue>(())
    /// ```
    JobName, JobName;

    /// The name of a partition.
    PartitionName, Name;

    /// The name of a QOS.
    QosName, Name;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_refused() {
        let hostile = [
            "",
            " ",
            "a b",
            "a\tb",
            "a\nb",
            "a\0b",
            "$(id)",
            "`id`",
            "a;b",
            "a|b",
            "a&b",
            "a'b",
            "a\"b",
            "a\\b",
            "a<b",
            "a(b",
            "a{b",
            "\u{1b}[2J",
            "a\rb",
            "#a",
            "a,b",
        ];
        for text in hostile {
            assert!(text.parse::<AccountName>().is_err(), "{text:?}");
            assert!(text.parse::<PartitionName>().is_err(), "{text:?}");
            assert!(text.parse::<QosName>().is_err(), "{text:?}");
        }
        for text in ["", "a\nb", "a\0b", "\u{1b}[2J", "a\tb", "a\rb"] {
            assert!(text.parse::<JobName>().is_err(), "{text:?}");
        }
        assert!("x".repeat(1025).parse::<JobName>().is_err());
    }

    #[test]
    fn names_of_real_clusters_are_names() {
        for text in [
            "debug",
            "six@v100",
            "naiss2026-4-66",
            "pi_x.y",
            "GPU:long",
            "größe",
            "a/b",
            "a%b",
            "[x]",
        ] {
            assert_eq!(
                text.parse::<AccountName>().map(|name| name.to_string()),
                Ok(text.to_owned())
            );
        }
    }
}
