//! Arguments of calls and items of arrays.

mod item;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slurm_core::layout::JobDir;
use slurm_core::options::DependencyKind;
use slurm_core::spec::Argument;
use slurm_core::task::Codec;

use crate::array::{ArrayUpstream, CallArguments, ItemRef, JobArray};
use crate::error::Error;
use crate::job::Job;
use crate::model::Edge;

pub use item::{IntoItem, Parameters};

/// An argument for a parameter of type `T`.
///
/// - a `T`, or a `&T`, of which a clone is sent;
/// - the borrowed form: `&str` for a `String`, `&Path` or `&str` for a `PathBuf`, a slice or array for a `Vec`;
/// - a [`&Job<T>`](Job): the value that the job will return. The new job runs after it;
/// - a [`&JobArray<U>`](JobArray) for a `Vec<U>`: all values, in the order of the items;
/// - an [`ItemRef<T>`](ItemRef), from [`JobArray::item`]: the value of one item.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed where the task takes `{T}`",
    label = "expected `{T}`, `&{T}`, a `&Job<{T}>` or an item of a `JobArray<{T}>`"
)]
pub trait IntoArg<T> {
    /// Returns the argument.
    fn into_arg(self) -> Arg<T>;
}

/// An argument of a call; made by [`IntoArg`].
#[derive(Debug)]
pub struct Arg<T>(pub(crate) Form<T>);

#[derive(Debug)]
pub(crate) enum Form<T> {
    Value(T),
    ResultOf(Box<Edge>),
    AllOf(Arc<ArrayUpstream>),
    ItemOf(Arc<ArrayUpstream>, u64),
}

impl<T> IntoArg<T> for Arg<T> {
    fn into_arg(self) -> Arg<T> {
        self
    }
}

impl<U> IntoArg<Vec<U>> for &JobArray<U> {
    fn into_arg(self) -> Arg<Vec<U>> {
        Arg(Form::AllOf(self.reference()))
    }
}

impl<T> IntoArg<T> for ItemRef<T> {
    fn into_arg(self) -> Arg<T> {
        Arg(Form::ItemOf(self.array, self.index))
    }
}

impl<T> IntoArg<T> for T {
    fn into_arg(self) -> Arg<T> {
        Arg(Form::Value(self))
    }
}

impl<T: Clone> IntoArg<T> for &T {
    fn into_arg(self) -> Arg<T> {
        Arg(Form::Value(self.clone()))
    }
}

impl<T> IntoArg<T> for &Job<T> {
    fn into_arg(self) -> Arg<T> {
        Arg(Form::ResultOf(Box::new(self.edge(DependencyKind::AfterOk).carrying())))
    }
}

impl IntoArg<String> for &str {
    fn into_arg(self) -> Arg<String> {
        Arg(Form::Value(self.to_owned()))
    }
}

impl IntoArg<PathBuf> for &Path {
    fn into_arg(self) -> Arg<PathBuf> {
        Arg(Form::Value(self.to_owned()))
    }
}

impl IntoArg<PathBuf> for &str {
    fn into_arg(self) -> Arg<PathBuf> {
        Arg(Form::Value(self.into()))
    }
}

impl IntoArg<OsString> for &str {
    fn into_arg(self) -> Arg<OsString> {
        Arg(Form::Value(self.into()))
    }
}

impl<T: Clone> IntoArg<Vec<T>> for &[T] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg(Form::Value(self.to_vec()))
    }
}

impl<T, const N: usize> IntoArg<Vec<T>> for [T; N] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg(Form::Value(self.into()))
    }
}

impl<T: Clone, const N: usize> IntoArg<Vec<T>> for &[T; N] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg(Form::Value(self.to_vec()))
    }
}

impl CallArguments {
    /// Returns the arguments of a call without parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the argument for the parameter `name`.
    ///
    /// An argument that cannot be encoded is reported when the call is submitted.
    #[must_use]
    pub fn with<T>(
        mut self,
        name: &'static str,
        codec: Codec<T>,
        argument: impl IntoArg<T>,
    ) -> Self {
        let argument = argument.into_arg().0;
        slurm_core::secret::was_encoded();
        let argument = match argument {
            Form::Value(value) => match (codec.encode_checked)(&value) {
                Ok(bytes) => Argument::Inline(bytes),
                Err(source) => {
                    self.error.get_or_insert(Error::Argument { parameter: name, source });
                    return self;
                }
            },
            Form::ResultOf(edge) => {
                let result = JobDir::at(&edge.dir).result();
                self.edges.push(*edge);
                Argument::ResultOf(result)
            }
            Form::AllOf(array) => {
                self.edges
                    .extend(array.edges(DependencyKind::AfterOk).into_iter().map(Edge::carrying));
                Argument::AllOf(ArrayUpstream::position(&mut self.arrays, &array))
            }
            Form::ItemOf(array, index) => {
                let position = ArrayUpstream::position(&mut self.arrays, &array);
                self.items.push((array, index));
                Argument::ItemOf(position, index)
            }
        };
        self.arguments.push(argument);
        if slurm_core::secret::was_encoded() {
            self.secrets.push(name);
        }
        self
    }
}
