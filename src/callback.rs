//! Callbacks: code of a program that runs when its jobs are submitted or end.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use slurm_core::options;
use slurm_core::state::JobState;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::error::Result;
use crate::model::{ArrayHandle, Explanation, JobHandle, Progress};
use crate::slurmfile::CallbackSettings;

/// Code of a program that runs when its jobs are submitted or end.
///
/// A callback runs in the process that submits or waits, never in a job. [`callback!`](crate::callback!) gives
/// it a name. The `callbacks` of a [Slurmfile](crate::Slurmfile) select callbacks by name and give their
/// arguments. No code is loaded: a Slurmfile can only name callbacks that the program has. The program itself
/// adds one, without a name, with [`ClusterBuilder::callback`](crate::ClusterBuilder::callback).
///
/// For an array, `on_submitted` is called for each of its Slurm arrays, and
/// [`on_array_ended`](Self::on_array_ended) once for the whole array.
///
/// If a callback fails or panics, the library logs that and continues. The library waits for a callback, so it
/// should be quick.
///
/// ```
/// use slurm::{Callback, CallbackResult, JobHandle, JobState};
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Notify {
///     file: std::path::PathBuf,
/// }
///
/// impl Callback for Notify {
///     fn on_ended(&self, job: &JobHandle, state: &JobState) -> CallbackResult {
///         Ok(std::fs::write(&self.file, format!("{} {state}", job.job_id))?)
///     }
/// }
///
/// slurm::callback!("notify" => Notify);
/// # fn main() {}
/// ```
///
/// ```toml
/// [[default.callbacks]]
/// name = "notify"
/// args = { file = "/tmp/ended" }
/// ```
pub trait Callback: Send + Sync {
    /// Called when a job was submitted.
    ///
    /// # Errors
    /// Any error; it is logged.
    fn on_submitted(&self, job: &JobHandle, submission: &Explanation) -> CallbackResult {
        let _ = (job, submission);
        Ok(())
    }

    /// Called when a wait of this process has found that the job has ended. Called once for each
    /// [`Job`](crate::Job).
    ///
    /// # Errors
    /// Any error; it is logged.
    fn on_ended(&self, job: &JobHandle, state: &JobState) -> CallbackResult {
        let _ = (job, state);
        Ok(())
    }

    /// Called when a wait of this process has found that all items of an array have ended. Called once for each
    /// [`JobArray`](crate::JobArray), and again after each [`retry_failed`](crate::JobArray::retry_failed).
    ///
    /// # Errors
    /// Any error; it is logged.
    fn on_array_ended(&self, array: &ArrayHandle, progress: &Progress) -> CallbackResult {
        let _ = (array, progress);
        Ok(())
    }
}

/// The return type of a [`Callback`].
pub type CallbackResult = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Gives a [`Callback`] the name by which a Slurmfile selects it.
///
/// The type must implement [`serde::Deserialize`]: it is built from the `args` in the Slurmfile, or from an
/// empty table.
#[macro_export]
macro_rules! callback {
    ($name:literal => $type:ty $(,)?) => {
        const _: () = {
            #[$crate::__private::linkme::distributed_slice($crate::__private::CALLBACKS)]
            #[linkme(crate = $crate::__private::linkme)]
            static ENTRY: $crate::__private::CallbackEntry =
                $crate::__private::CallbackEntry::new::<$type>($name, file!(), line!());
        };
    };
}

/// A registered callback.
pub struct CallbackEntry {
    name: &'static str,
    file: &'static str,
    line: u32,
    make: Make,
}

type Make = fn(Spanned<DeValue<'_>>) -> std::result::Result<Box<dyn Callback>, toml::de::Error>;

impl CallbackEntry {
    /// Returns the entry of the type `T`; for the macro.
    pub const fn new<T: Callback + DeserializeOwned + 'static>(
        name: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self { name, file, line, make: make::<T> }
    }
}

impl fmt::Debug for CallbackEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackEntry({} at {}:{})", self.name, self.file, self.line)
    }
}

fn make<T: Callback + DeserializeOwned + 'static>(
    args: Spanned<DeValue<'_>>,
) -> std::result::Result<Box<dyn Callback>, toml::de::Error> {
    Ok(Box::new(T::deserialize(ValueDeserializer::from(args))?))
}

/// The registered callbacks of this program.
#[linkme::distributed_slice]
pub static CALLBACKS: [CallbackEntry];

/// The callbacks of a cluster.
#[derive(Default)]
pub(crate) struct Callbacks(Vec<(&'static str, Arc<dyn Callback>)>);

/// The callbacks that the program has added itself, with the names of their types.
#[derive(Clone, Default)]
pub(crate) struct OwnCallbacks(Vec<(&'static str, Arc<dyn Callback>)>);

impl fmt::Debug for OwnCallbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl OwnCallbacks {
    pub(crate) fn add<C: Callback + 'static>(&mut self, callback: C) {
        self.0.push((std::any::type_name::<C>(), Arc::new(callback)));
    }
}

impl Callbacks {
    /// Makes the callbacks that a Slurmfile names, followed by the program's own.
    ///
    /// # Errors
    /// If a name is unknown or registered twice, or if the arguments do not fit.
    pub(crate) fn new(settings: &[CallbackSettings], own: &OwnCallbacks) -> Result<Self> {
        let make = |settings: &CallbackSettings| {
            let entry = find(&settings.name).map_err(|message| settings.wrong_name(message))?;
            let made = settings.with_args(|args| (entry.make)(args));
            made.map(|callback| (entry.name, Arc::from(callback)))
        };
        settings
            .iter()
            .map(make)
            .chain(own.0.iter().cloned().map(Ok))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub(crate) fn on_submitted(&self, job: &JobHandle, submission: &Explanation) {
        self.each("on_submitted", |callback| callback.on_submitted(job, submission));
    }

    pub(crate) fn on_ended(&self, job: &JobHandle, state: impl FnOnce() -> JobState) {
        if !self.0.is_empty() {
            let state = state();
            self.each("on_ended", |callback| callback.on_ended(job, &state));
        }
    }

    pub(crate) fn on_array_ended(&self, array: &ArrayHandle, progress: &Progress) {
        self.each("on_array_ended", |callback| callback.on_array_ended(array, progress));
    }

    fn each(&self, hook: &str, call: impl Fn(&dyn Callback) -> CallbackResult) {
        for (name, callback) in &self.0 {
            // State that a panicking callback leaves is its own.
            match catch_unwind(AssertUnwindSafe(|| call(callback.as_ref()))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => log::warn!("the callback `{name}` failed in {hook}: {error}"),
                Err(panic) => {
                    log::warn!(
                        "the callback `{name}` panicked in {hook}: {}",
                        message_of(panic.as_ref())
                    );
                }
            }
        }
    }
}

fn find(name: &str) -> std::result::Result<&'static CallbackEntry, String> {
    let mut found = CALLBACKS.iter().filter(|entry| entry.name == name);
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (Some(one), Some(other)) => Err(format!(
            "two callbacks are named `{name}`: one at {}:{}, one at {}:{}",
            one.file, one.line, other.file, other.line
        )),
        (None, _) => {
            let mut known: Vec<_> = CALLBACKS.iter().map(|entry| entry.name).collect();
            known.sort_unstable();
            let meant = options::closest(name, known.iter().copied());
            let meant = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
            Err(if known.is_empty() {
                format!(
                    "unknown callback `{name}`: this program has none; register it with slurm::callback!"
                )
            } else {
                format!("unknown callback `{name}`; {meant}this program has: {}", known.join(", "))
            })
        }
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
