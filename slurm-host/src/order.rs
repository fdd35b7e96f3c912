//! Submissions as a host carries them out.

use std::path::Path;

use crate::command::{CommandLine, Output};
use crate::files::{NewDir, NewFile};

/// A submission: a directory, and the command that makes a job of it.
#[derive(Debug)]
pub struct Order<'a> {
    /// The directory of the submission.
    pub dir: &'a Path,
    /// The same directory with its files, if it is not there yet.
    pub new: Option<(&'a NewDir<'a>, &'a [NewFile<'a>])>,
    /// Sequence number among the commands run for this directory.
    pub number: u32,
    /// Submits the job.
    pub command: CommandLine,
    /// Where the job's id should be noted, if that costs nothing.
    pub note: Option<Note<'a>>,
}

/// A file of the directory with the number that the command printed.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// The name of the file.
    pub name: &'a str,
    /// What stands before and after the number.
    pub around: (&'a str, &'a str),
}

/// A file that says that a command has run.
#[derive(Clone, Copy, Debug)]
pub struct NoteOfRun<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// What is written into it.
    pub content: &'a str,
    /// Words on standard error after which nothing is noted.
    pub unless: &'a [&'a str],
}

/// What became of an [`Order`].
#[derive(Debug)]
pub struct Submitted {
    /// What the command left behind.
    pub output: Output,
    /// The number that was noted.
    pub noted: Option<String>,
}
