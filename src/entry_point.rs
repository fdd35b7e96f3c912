//! What `#[slurm::main]` calls.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the main function's part of the program may speak to its user"
)]

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::OnlyCluster;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::printable::Printable;

/// Runs `main` with the cluster that the command line names.
pub fn main_with_cluster(main: impl FnOnce(Cluster) -> ExitCode) -> ExitCode {
    if let Err(error) = crate::init() {
        return report(&error);
    }
    match OnlyCluster::parse().cluster.open() {
        Ok(cluster) => main(cluster),
        Err(error) => report(&error),
    }
}

/// Runs `main`.
pub fn main_plain(main: impl FnOnce() -> ExitCode) -> ExitCode {
    match crate::init() {
        Ok(()) => main(),
        Err(error) => report(&error),
    }
}

/// An error that `main` returned; see [`ReportError`].
pub struct MainError<E>(Cell<Option<E>>);

impl<E> fmt::Debug for MainError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MainError<{}>", std::any::type_name::<E>())
    }
}

impl<E> MainError<E> {
    /// Wraps `error`.
    pub fn new(error: E) -> Self {
        Self(Cell::new(Some(error)))
    }
}

/// Reports standard errors that can be sent, and what becomes one, with their sources and the hint of
/// ours.
pub trait ReportError {
    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode;
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> ReportError for &&&MainError<E> {
    fn report(&self) -> ExitCode {
        self.0.take().map_or(ExitCode::FAILURE, |error| report(error.into().as_ref()))
    }
}

/// Reports all standard errors, and what becomes one, in the same way.
pub trait ReportLocalError {
    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode;
}

impl<E: Into<Box<dyn StdError>>> ReportLocalError for &&MainError<E> {
    fn report(&self) -> ExitCode {
        self.0.take().map_or(ExitCode::FAILURE, |error| report(error.into().as_ref()))
    }
}

/// Reports errors that only have a message.
pub trait ReportDisplay {
    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode;
}

impl<E: fmt::Display> ReportDisplay for &MainError<E> {
    fn report(&self) -> ExitCode {
        if let Some(error) = self.0.take() {
            eprintln!("error: {}", Printable(error));
        }
        ExitCode::FAILURE
    }
}

/// Reports errors that can only be debugged.
pub trait ReportDebug {
    /// The type of the error.
    type Error;

    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode
    where
        Self::Error: ReportableError;
}

// Bounded at the method and not here, so that method resolution ends with this and the compiler reports
// an error with none of the traits in the words of `ReportableError`.
impl<E> ReportDebug for MainError<E> {
    type Error = E;

    fn report(&self) -> ExitCode
    where
        E: ReportableError,
    {
        if let Some(error) = self.0.take() {
            eprintln!("error: {error:?}");
        }
        ExitCode::FAILURE
    }
}

/// A type that `main` can return in `Err`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of `main`",
    label = "implements neither `Error` nor `Display` nor `Debug`",
    note = "derive `Debug`, or return another error"
)]
pub trait ReportableError: fmt::Debug {}

#[diagnostic::do_not_recommend]
impl<E: fmt::Debug> ReportableError for E {}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut chain = vec![error];
    let mut next = error.source();
    while let Some(error) = next {
        chain.push(error);
        next = error.source();
    }
    chain
}

fn report(error: &(dyn StdError + 'static)) -> ExitCode {
    let chain = chain(error);
    if let Some(Error::DryRun(explanation)) = chain.iter().find_map(|error| error.downcast_ref()) {
        print!("{}", Printable(explanation));
        return ExitCode::SUCCESS;
    }
    let mut last = String::new();
    for error in &chain {
        let text = error.to_string();
        // A transparent error says the same as its source.
        if text != last {
            eprintln!(
                "{} {}",
                if last.is_empty() { "error:" } else { "  caused by:" },
                Printable(&text)
            );
        }
        last = text;
    }
    if let Some(hint) =
        chain.iter().filter_map(|error| error.downcast_ref::<Error>()).find_map(Error::hint)
    {
        eprintln!("hint: {}", Printable(hint));
    }
    ExitCode::FAILURE
}
