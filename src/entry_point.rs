//! The functions that `#[slurm::main]` calls.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use slurm_host::Printable;

use crate::cli;
use crate::cluster::Cluster;
use crate::error::{self, Error};
use crate::progress::interrupt;

/// Runs `main` with the cluster that the command line names.
pub fn main_with_cluster(main: impl FnOnce(Cluster) -> ExitCode) -> ExitCode {
    if let Err(error) = crate::init() {
        return report(&error);
    }
    crate::logging::init_later();
    interrupt::allow();
    match cli::command_line().and_then(|flags| flags.open()) {
        Ok(cluster) => main(cluster),
        Err(error) => report(&error),
    }
}

/// Runs `main`.
pub fn main_plain(main: impl FnOnce() -> ExitCode) -> ExitCode {
    match crate::init() {
        Ok(()) => {
            crate::logging::init_later();
            interrupt::allow();
            main()
        }
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

/// Reports values that can be viewed as a standard error: `anyhow::Error`, the reports of eyre, a boxed error.
///
/// Boxing them would hide the inner error, and with it the hint of our errors.
pub trait ReportHeld {
    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode;
}

impl<E: AsRef<dyn StdError + 'static>> ReportHeld for &&&&MainError<E> {
    fn report(&self) -> ExitCode {
        self.0.take().map_or(ExitCode::FAILURE, |error| report(error.as_ref()))
    }
}

/// Reports standard errors that are `Send`, and values that convert to one, with their sources and our hint.
pub trait ReportError {
    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode;
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> ReportError for &&&MainError<E> {
    fn report(&self) -> ExitCode {
        self.0.take().map_or(ExitCode::FAILURE, |error| report(error.into().as_ref()))
    }
}

/// Reports all standard errors, and values that convert to one, in the same way.
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
            say(io::stderr(), format_args!("error: {}\n", Printable(error)));
        }
        ExitCode::FAILURE
    }
}

/// Reports errors that only implement `Debug`.
pub trait ReportDebug {
    /// The type of the error.
    type Error;

    /// Prints the error and returns the exit code for it.
    fn report(&self) -> ExitCode
    where
        Self::Error: ReportableError;
}

// The bound is on the method, so that method resolution ends here and the compiler reports an error type
// without any of the traits with the text of `ReportableError`.
impl<E> ReportDebug for MainError<E> {
    type Error = E;

    fn report(&self) -> ExitCode
    where
        E: ReportableError,
    {
        if let Some(error) = self.0.take() {
            say(io::stderr(), format_args!("error: {error:?}\n"));
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

/// Writes to a stream. Errors are ignored, because the exit code also reports the failure.
fn say(mut stream: impl Write, text: fmt::Arguments<'_>) {
    let _ = stream.write_fmt(text);
}

fn report(error: &(dyn StdError + 'static)) -> ExitCode {
    let chain = error::chain(error);
    if let Some(Error::DryRun { task }) = error::ours(&chain) {
        let task = Printable(task);
        say(
            io::stderr(),
            format_args!("dry run: it ends where the program needs the job of `{task}`\n"),
        );
        return ExitCode::SUCCESS;
    }
    let texts = error::texts(&chain).join("\n  caused by: ");
    say(io::stderr(), format_args!("error: {texts}\n"));
    if let Some(hint) = error::ours(&chain).and_then(Error::hint) {
        say(io::stderr(), format_args!("hint: {}\n", Printable(hint)));
    }
    ExitCode::FAILURE
}
