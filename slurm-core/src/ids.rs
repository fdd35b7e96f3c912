//! Identifiers: the job id that Slurm gives and the submission id that we choose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text_form::text_form;

/// The id of a job, as `sbatch --parsable` prints it.
///
/// Slurm hands out ids up to 67,043,328 by default and then starts again, so an id alone does not
/// identify a submission permanently; a [`SubmissionId`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(u32);

impl JobId {
    /// Returns the id for `number`, or `None` for 0, which Slurm gives to no job.
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Returns the number itself.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).and_then(Self::new).ok_or_else(|| IdError {
            what: "job id",
            expected: "a number such as 4242",
            found: text.to_owned(),
        })
    }
}

/// The id of one submission, chosen by the client before sbatch is called: `20261123_094611_0a1b2c3d`.
///
/// It is the time of the submission (UTC) and 32 random bits. It names the job directory and travels
/// with the job, so a submission can be found again when the answer of sbatch was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubmissionId(String);

impl SubmissionId {
    /// Returns the id of a submission at `seconds` after the Unix epoch (UTC).
    pub fn new(seconds: u64, random: u32) -> Self {
        let (year, month, day) = civil_date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Self(format!("{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}_{random:08x}"))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SubmissionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 24
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                8 | 15 => *byte == b'_',
                0..15 => byte.is_ascii_digit(),
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError {
                what: "submission id",
                expected: "YYYYmmdd_HHMMSS and 8 hex digits, such as 20261123_094611_0a1b2c3d",
                found: text.to_owned(),
            })
        }
    }
}

text_form!(SubmissionId, IdError);

/// A text that is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a {what}; expected {expected}")]
pub struct IdError {
    what: &'static str,
    expected: &'static str,
    found: String,
}

impl IdError {
    pub(crate) fn new(what: &'static str, expected: &'static str, found: &str) -> Self {
        Self { what, expected, found: found.to_owned() }
    }
}

/// Returns the time at `seconds` after the Unix epoch (UTC): `2026-11-23T09:46:11Z`.
pub fn timestamp(seconds: u64) -> String {
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The Gregorian date of a day counted from 1970-01-01, after H. Hinnant's `civil_from_days`.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_id_spells_the_utc_time() {
        assert_eq!(SubmissionId::new(0, 1).as_str(), "19700101_000000_00000001");
        assert_eq!(
            SubmissionId::new(951_827_696, 0xdead_beef).as_str(),
            "20000229_123456_deadbeef"
        );
        assert_eq!(SubmissionId::new(1_795_427_171, 7).as_str(), "20261123_094611_00000007");
    }

    #[test]
    fn a_submission_id_survives_text() {
        let id = SubmissionId::new(1_795_427_171, 0x00c0_ffee);
        assert_eq!(id.as_str().parse::<SubmissionId>(), Ok(id.clone()));
        for wrong in
            ["", "20261123_094611_00C0FFEE", "20261123-094611-00c0ffee", "../../etc/passwd"]
        {
            assert!(wrong.parse::<SubmissionId>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_job_id_is_a_positive_number() {
        assert_eq!("4242".parse::<JobId>().map(JobId::get), Ok(4242));
        for wrong in ["", "0", "+1", "-1", " 1", "1;cluster", "123_4", "99999999999"] {
            assert!(wrong.parse::<JobId>().is_err(), "{wrong:?} was taken");
        }
    }
}
