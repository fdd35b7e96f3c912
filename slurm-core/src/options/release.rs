//! Slurm's release numbers.

use std::fmt;
use std::str::FromStr;

/// A release of Slurm: year and month, as in `22.05`.
///
/// Micro releases (the `.8` of `22.05.8`) never add or remove an option and are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    year: u8,
    month: u8,
}

impl Release {
    /// The oldest release that the table describes; older options carry this release or an older one.
    pub const OLDEST: Self = Self::new(20, 11);
    /// The newest release that the table describes.
    pub const NEWEST: Self = Self::new(25, 11);

    /// Returns the release `year.month`.
    #[must_use]
    pub const fn new(year: u8, month: u8) -> Self {
        Self { year, month }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}.{:02}", self.year, self.month)
    }
}

/// The text is not a Slurm version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotARelease(String);

impl fmt::Display for NotARelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a Slurm version; expected one like `22.05` or `22.05.8`", self.0)
    }
}

impl std::error::Error for NotARelease {}

impl FromStr for Release {
    type Err = NotARelease;

    /// Reads `22.05`, `22.05.8`, `slurm 22.05.8` (as `sbatch --version` prints it) and
    /// `slurm-wlm 22.05.8` (as Debian's does).
    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let refuse = || NotARelease(text.to_owned());
        let version = text.split_ascii_whitespace().next_back().ok_or_else(refuse)?;
        let mut parts = version.split('.');
        let mut number = || parts.next().and_then(|part| part.parse::<u8>().ok());
        match (number(), number()) {
            (Some(year), Some(month)) if (1..=12).contains(&month) => Ok(Self { year, month }),
            _ => Err(refuse()),
        }
    }
}
