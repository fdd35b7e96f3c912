//! Tasks: the items that the attribute macro generates for a function.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, CodecError};
use crate::context::JobContext;
use crate::options::OptionInput;
use crate::outcome::{Failure, FailureKind};
use crate::requeue::{Requeue, TaskRequeue};

/// A function that can run as a job.
///
/// `#[slurm::task]` implements this for the empty type that it puts beside the function.
pub trait Task: 'static {
    /// The result of the job: the return type, or the `Ok` type of a returned `Result`.
    type Output;

    /// Returns the entry of the registry.
    fn entry() -> &'static TaskEntry;

    /// Returns the value that the runner encoded.
    ///
    /// # Errors
    /// [`CodecError::Decode`] if the bytes are not a value of this type.
    fn decode_output(bytes: &[u8]) -> Result<Self::Output, CodecError>;
}

/// A task in the registry.
#[derive(Debug)]
pub struct TaskEntry {
    /// The task's name: the path of the function, such as `app::model::train`, or the `name` given.
    pub name: &'static str,
    /// The first line of the function's documentation, or nothing.
    pub summary: &'static str,
    /// The file that the function stands in.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// The hash of the parameter and return types as written.
    pub signature: u64,
    /// The parameters, without an injected context.
    pub parameters: &'static [Parameter],
    /// The return type as written.
    pub output: &'static str,
    /// The options of the attribute.
    pub options: &'static [TaskOption],
    /// Raw flags from `extra = […]`.
    pub extra: &'static [&'static str],
    /// Lines of shell before the task, from `setup = […]`.
    pub setup: &'static [&'static str],
    /// Variables of the task, from `env = { … }`.
    pub env: &'static [(&'static str, &'static str)],
    /// Whether it submits jobs itself.
    pub kind: TaskKind,
    /// The attribute's settings for requeueing.
    pub requeue: TaskRequeue,
    /// Checks whether the return type can travel.
    pub check_output: fn() -> Result<(), CodecError>,
    /// Decodes the arguments, calls the function and encodes the returned value.
    pub run: fn(&JobContext, Arguments<'_>) -> Result<Vec<u8>, Failure>,
}

impl TaskEntry {
    /// Returns the last segment of the name: `train` of `app::model::train`.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit("::").next().unwrap_or(self.name)
    }
}

/// The two kinds of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskKind {
    /// It computes.
    Task,
    /// It submits jobs, too.
    Workflow,
}

/// A parameter of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type as written.
    pub ty: &'static str,
}

/// An option set by the attribute.
#[derive(Clone, Copy, Debug)]
pub struct TaskOption {
    /// The key, such as `cpus_per_task`.
    pub key: &'static str,
    /// The value.
    pub value: TaskValue,
}

/// The value of a [`TaskOption`].
#[derive(Clone, Copy, Debug)]
pub enum TaskValue {
    /// None, for a flag.
    Flag,
    /// A literal, in canonical form.
    Text(&'static str),
    /// A constant of the program, checked when the program starts.
    Constant(fn() -> OptionInput),
}

/// How a type travels; made by [`TaskArgument`] and [`TaskOutput`].
pub struct Codec<T> {
    /// Encodes after checking that the value survives.
    pub encode_checked: fn(&T) -> Result<Vec<u8>, CodecError>,
    /// Encodes.
    pub encode: fn(&T) -> Result<Vec<u8>, CodecError>,
    /// Decodes.
    pub decode: fn(&[u8]) -> Result<T, CodecError>,
    /// Checks whether values of the type can travel, without one.
    pub check: fn() -> Result<(), CodecError>,
    /// Returns a value as JSON, for people.
    pub to_json: fn(&T) -> Option<String>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec<{}>", std::any::type_name::<T>())
    }
}

impl<T: Serialize + DeserializeOwned> Codec<T> {
    const NEW: Self = Self {
        encode_checked: codec::encode_checked,
        encode: codec::encode,
        decode: codec::decode,
        check: codec::check_type::<T>,
        to_json: codec::to_json,
    };
}

/// A type that can be a parameter of a task: anything that serde can write and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a task",
    label = "needs `serde::Serialize` and `serde::Deserialize`",
    note = "derive both for your own types; for types of other crates, enable their `serde` feature or pass something that has them"
)]
pub trait TaskArgument: Sized {
    /// How values of the type travel.
    const CODEC: Codec<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> TaskArgument for T {
    const CODEC: Codec<Self> = Codec::NEW;
}

/// A type that a task can hand back: anything that serde can write and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a task",
    label = "needs `serde::Serialize` and `serde::Deserialize`",
    note = "derive both for your own types; for types of other crates, enable their `serde` feature or return something that has them"
)]
pub trait TaskOutput: Sized {
    /// How values of the type travel.
    const CODEC: Codec<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> TaskOutput for T {
    const CODEC: Codec<Self> = Codec::NEW;
}

/// A returned `Result`: the job hands back the `Ok` type.
#[diagnostic::on_unimplemented(
    message = "a task's return type named `Result` has to be `std::result::Result`",
    label = "is another type of that name",
    note = "rename the type, or return it inside another one"
)]
pub trait TaskResult {
    /// The type of the value.
    type Value;
    /// The type of the error.
    type Error;

    /// Returns the `Result` itself.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T, E> TaskResult for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// The arguments of one call, still encoded, in the order of the parameters.
#[derive(Debug)]
pub struct Arguments<'a> {
    rest: std::slice::Iter<'a, &'a [u8]>,
}

impl<'a> Arguments<'a> {
    /// Returns the arguments `encoded`, one per parameter.
    pub fn new(encoded: &'a [&'a [u8]]) -> Self {
        Self { rest: encoded.iter() }
    }

    /// Decodes the next argument, for the parameter `name`.
    ///
    /// # Errors
    /// A [`FailureKind::Argument`] if it is missing or not a `T`.
    pub fn take<T>(&mut self, codec: Codec<T>, name: &str) -> Result<T, Failure> {
        let failure = |reason: &dyn fmt::Display| {
            Failure::new(FailureKind::Argument, format!("argument `{name}` {reason}"))
        };
        let bytes = self.rest.next().ok_or_else(|| failure(&"is missing"))?;
        (codec.decode)(bytes).map_err(|error| failure(&error))
    }
}

/// Encodes the value that a task returned.
///
/// # Errors
/// A [`FailureKind::Value`] if it cannot be encoded so that it decodes again.
pub fn encode_output<T>(codec: Codec<T>, value: &T) -> Result<Vec<u8>, Failure> {
    (codec.encode_checked)(value).map_err(|error| {
        let ty = std::any::type_name::<T>();
        let failure = Failure::new(FailureKind::Value, format!("the returned {ty} {error}"));
        // Hours of work may be in it.
        let debug = (codec.to_json)(value).map(String::into_boxed_str);
        Failure { sources: [error.hint().to_owned()].into(), debug, ..failure }
    })
}

/// Turns the error of a task into a [`Failure`] by the best means that its type offers.
///
/// The attribute macro calls `(&&&&ErrorOf::new(error)).failure()` with the traits below in scope; method
/// resolution takes the first that fits: a standard error with its chain of sources (also
/// `anyhow::Error`, boxes and strings), then `Display`, then `Debug`.
pub struct ErrorOf<E>(std::cell::Cell<Option<E>>);

impl<E> fmt::Debug for ErrorOf<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorOf<{}>", std::any::type_name::<E>())
    }
}

impl<E> ErrorOf<E> {
    /// Wraps `error`.
    pub fn new(error: E) -> Self {
        Self(std::cell::Cell::new(Some(error)))
    }

    fn convert_by(&self, convert: impl FnOnce(E) -> Failure) -> Failure {
        let failure = self.0.take().map(convert);
        let mut failure = failure.unwrap_or_else(|| Failure::new(FailureKind::Error, ""));
        failure.error_type = Some(std::any::type_name::<E>().into());
        failure
    }
}

/// For errors that are, or become, a boxed standard error that can be sent.
pub trait ViaError {
    /// Returns the failure.
    fn failure(&self) -> Failure;
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> ViaError for &&&ErrorOf<E> {
    fn failure(&self) -> Failure {
        self.convert_by(|error| failure_of(error.into().as_ref()))
    }
}

/// For errors that are, or become, any boxed standard error.
pub trait ViaLocalError {
    /// Returns the failure.
    fn failure(&self) -> Failure;
}

impl<E: Into<Box<dyn std::error::Error>>> ViaLocalError for &&ErrorOf<E> {
    fn failure(&self) -> Failure {
        self.convert_by(|error| failure_of(error.into().as_ref()))
    }
}

/// For errors that do not implement `Error` but have a message.
pub trait ViaDisplay {
    /// Returns the failure.
    fn failure(&self) -> Failure;
}

impl<E: fmt::Display> ViaDisplay for &ErrorOf<E> {
    fn failure(&self) -> Failure {
        self.convert_by(|error| Failure::new(FailureKind::Error, error.to_string()))
    }
}

/// For errors that can only be debugged.
pub trait ViaDebug {
    /// The type of the error.
    type Error;

    /// Returns the failure.
    fn failure(&self) -> Failure
    where
        Self::Error: TaskError;
}

// Bounded at the method and not here, so that method resolution ends with this and the compiler reports
// an error with none of the traits in the words of `TaskError`.
impl<E> ViaDebug for ErrorOf<E> {
    type Error = E;

    fn failure(&self) -> Failure
    where
        E: TaskError,
    {
        self.convert_by(|error| Failure::new(FailureKind::Error, format!("{error:?}")))
    }
}

/// A type that a task can return in `Err`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task",
    label = "implements neither `Error` nor `Display` nor `Debug`",
    note = "derive `Debug`, or return another error"
)]
pub trait TaskError: fmt::Debug {}

#[diagnostic::do_not_recommend]
impl<E: fmt::Debug> TaskError for E {}

fn failure_of(error: &(dyn std::error::Error + 'static)) -> Failure {
    let asks = Requeue::is_in(error);
    let kind = if asks { FailureKind::Requeue } else { FailureKind::Error };
    let mut sources = Vec::new();
    let mut next = error.source();
    while let Some(source) = next.filter(|source| !Requeue::is_mark(*source)) {
        sources.push(source.to_string());
        next = source.source();
    }
    let debug = Some(format!("{error:?}").into());
    Failure { sources: sources.into(), debug, ..Failure::new(kind, error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Plain;

    struct Shown;

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("shown")
        }
    }

    #[test]
    #[allow(
        clippy::needless_borrow,
        reason = "the macro writes the same expression for every type"
    )]
    fn an_error_is_described_by_the_best_of_its_traits() {
        let io = std::io::Error::other(std::fmt::Error);
        let failure = (&&&&ErrorOf::new(io)).failure();
        assert_eq!(failure.error_type.as_deref(), Some("std::io::error::Error"));
        assert_eq!((&&&&ErrorOf::new("text")).failure().message, "text");
        assert_eq!((&&&&ErrorOf::new("text".to_owned())).failure().message, "text");
        let boxed: Box<dyn std::error::Error + Send + Sync> = "boxed".into();
        assert_eq!((&&&&ErrorOf::new(boxed)).failure().message, "boxed");
        let local: Box<dyn std::error::Error> = Box::new(std::io::Error::other("inner"));
        assert!((&&&&ErrorOf::new(local)).failure().debug.is_some());
        assert_eq!((&&&&ErrorOf::new(Shown)).failure().message, "shown");
        assert_eq!((&&&&ErrorOf::new(Plain)).failure().message, "Plain");
    }
}
