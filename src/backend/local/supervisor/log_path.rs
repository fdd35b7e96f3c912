//! The names of log files.

use std::path::PathBuf;

use super::core::{Array, Job};
use crate::backend::local::protocol::host;

/// What Slurm puts for the index of a job that is not in an array.
const NO_INDEX: u32 = 0xffff_fffe;
/// The most digits to which Slurm pads a number in a file name.
const MOST_DIGITS: usize = 10;

/// Returns the file that a log pattern names; the patterns that make sense for one process on one host.
pub(super) fn log_path(pattern: &str, array: &Array, job: &Job) -> PathBuf {
    let index = if array.is_array() { job.index } else { NO_INDEX };
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        path.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (width, after) = after.split_at(digits);
        let mut chars = after.chars();
        let number = match chars.next() {
            Some('j') => Some(job.id.get()),
            Some('A') => Some(array.id.get()),
            Some('a') => Some(index),
            Some('n' | 's' | 't') => Some(0),
            _ => None,
        };
        let width = width.parse().unwrap_or(MOST_DIGITS).min(MOST_DIGITS) * usize::from(digits > 0);
        match (number, after.chars().next()) {
            (Some(number), _) => path.push_str(&format!("{number:0width$}")),
            (None, Some('x')) => path.push_str(&job.request.name),
            (None, Some('u')) => path.push_str(&std::env::var("USER").unwrap_or_default()),
            (None, Some('N')) => path.push_str(&host()),
            (None, Some('%') | None) => path.push('%'),
            (None, Some(other)) => path.extend(['%', other]),
        }
        rest = chars.as_str();
    }
    path.push_str(rest);
    job.request.working_dir.join(path)
}
