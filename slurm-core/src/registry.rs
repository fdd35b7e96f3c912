//! How a binary finds its tasks.
//!
//! Every task registers twice: its [`TaskEntry`] through inventory, which runs before `main`, and its
//! name through linkme, which the linker collects into one slice. The two lists are compared when the
//! program starts, so a linker that dropped something is reported as that, and not hours later as
//! "no such task".

use std::collections::BTreeMap;

use linkme::distributed_slice;
use once_cell::sync::OnceCell;

use crate::options::lookup;
use crate::task::{TaskEntry, TaskOption, TaskValue};

/// A task that registered itself.
#[derive(Debug)]
pub struct Registered(pub &'static TaskEntry);

inventory::collect!(Registered);

/// The names of all tasks of the binary.
#[distributed_slice]
pub static TASK_NAMES: [&'static str];

/// The tasks of this binary by name.
#[derive(Debug)]
pub struct Registry {
    tasks: BTreeMap<&'static str, &'static TaskEntry>,
}

/// Why the tasks of this binary cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two tasks have one name.
    #[error("two tasks are named `{name}`: one at {first}, one at {second}")]
    Duplicate {
        /// The name.
        name: &'static str,
        /// `file:line` of one.
        first: String,
        /// `file:line` of the other.
        second: String,
    },
    /// The linker kept only one of a task's two registrations.
    #[error("the linker dropped part of the registration of {}", names.join(", "))]
    Dropped {
        /// The names of the tasks.
        names: Vec<&'static str>,
    },
    /// The constant that an attribute names is not a valid value of its option.
    #[error("{place}: option `{option}` of the task `{task}`: {reason}")]
    Constant {
        /// `file:line` of the attribute.
        place: String,
        /// The name of the task.
        task: &'static str,
        /// The key of the option.
        option: &'static str,
        /// The problem of the value.
        reason: String,
    },
}

impl RegistryError {
    /// Returns advice.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Duplicate { .. } => "give one of them another name: #[slurm::task(name = \"…\")]",
            Self::Dropped { .. } => {
                "refer to an item of the crate that defines them (`use that_crate as _;`) and do \
                 not link with options that discard unused sections"
            }
            Self::Constant { .. } => "correct the constant, or write the value into the attribute",
        }
    }
}

impl Registry {
    /// Returns the tasks of this binary.
    ///
    /// # Errors
    /// [`RegistryError`] if two tasks share a name, the linker dropped something, or a constant is not a value
    /// of the option that an attribute sets to it. Every call returns the same.
    pub fn get() -> Result<&'static Self, RegistryError> {
        static REGISTRY: OnceCell<Registry> = OnceCell::new();
        REGISTRY.get_or_try_init(|| {
            let entries = inventory::iter::<Registered>.into_iter().map(|registered| registered.0);
            Self::from_lists(entries, &TASK_NAMES)
        })
    }

    fn from_lists(
        entries: impl Iterator<Item = &'static TaskEntry>,
        names: &[&'static str],
    ) -> Result<Self, RegistryError> {
        let mut tasks = BTreeMap::new();
        for entry in entries {
            if let Some(other) = tasks.insert(entry.name, entry) {
                let mut places = [place(entry), place(other)];
                places.sort();
                let [first, second] = places;
                return Err(RegistryError::Duplicate { name: entry.name, first, second });
            }
            check_constants(entry)?;
        }
        let unnamed = tasks.keys().filter(|name| !names.contains(name));
        let unregistered = names.iter().filter(|name| !tasks.contains_key(*name));
        let names: Vec<_> = unnamed.chain(unregistered).copied().collect();
        if names.is_empty() { Ok(Self { tasks }) } else { Err(RegistryError::Dropped { names }) }
    }

    /// Returns the task named `name`: its whole name, or a last segment that only one task has.
    pub fn find(&self, name: &str) -> Option<&'static TaskEntry> {
        if let Some(entry) = self.tasks.get(name) {
            return Some(entry);
        }
        let mut fitting = self.iter().filter(|entry| entry.short_name() == name);
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// Returns all tasks in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &'static TaskEntry> {
        self.tasks.values().copied()
    }
}

/// Checks the values that the compiler could not check: it knows only the grammars of integers and durations.
fn check_constants(entry: &'static TaskEntry) -> Result<(), RegistryError> {
    let wrong = |option: &TaskOption| {
        let TaskValue::Constant(value) = option.value else { return None };
        let read = lookup(option.key).map_err(|error| error.to_string());
        let reason = read
            .and_then(|spec| spec.parse_input(value()).map_err(|error| error.to_string()))
            .err()?;
        Some(RegistryError::Constant {
            place: place(entry),
            task: entry.name,
            option: option.key,
            reason,
        })
    };
    entry.options.iter().find_map(wrong).map_or(Ok(()), Err)
}

fn place(entry: &TaskEntry) -> String {
    format!("{}:{}", entry.file, entry.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    static TRAIN: TaskEntry = entry("app::train", 3);
    static TRAIN_AGAIN: TaskEntry = entry("app::train", 30);
    static OTHER_TRAIN: TaskEntry = entry("app::other::train", 9);

    const fn entry(name: &'static str, line: u32) -> TaskEntry {
        TaskEntry {
            name,
            summary: "",
            file: "src/main.rs",
            line,
            signature: 0,
            parameters: &[],
            output: "()",
            options: &[],
            extra: &[],
            setup: &[],
            env: &[],
            kind: crate::task::TaskKind::Task,
            requeue: crate::requeue::TaskRequeue { on_timeout: None, max_requeues: None },
            check_output: || Ok(()),
            run: |_, _| Ok(Vec::new()),
        }
    }

    #[test]
    fn two_tasks_of_one_name_are_named_with_their_places() {
        let entries = [&TRAIN_AGAIN, &TRAIN].into_iter();
        let error = Registry::from_lists(entries, &["app::train", "app::train"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "two tasks are named `app::train`: one at src/main.rs:3, one at src/main.rs:30"
        );
    }

    #[test]
    fn a_constant_of_a_wrong_value_is_named_with_its_place() {
        static MAIL: [TaskOption; 1] = [TaskOption {
            key: "mail_type",
            value: TaskValue::Constant(|| ["END", "SOMETIMES"].into()),
        }];
        static ENTRY: TaskEntry = TaskEntry { options: &MAIL, ..entry("app::train", 3) };
        let error = Registry::from_lists([&ENTRY].into_iter(), &["app::train"]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(
                "src/main.rs:3: option `mail_type` of the task `app::train`: `END,SOMETIMES`"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_dropped_registration_is_noticed_from_either_side() {
        let missing = Registry::from_lists([].into_iter(), &["app::train"]).unwrap_err();
        assert_eq!(missing, RegistryError::Dropped { names: vec!["app::train"] });
        let unnamed = Registry::from_lists([&TRAIN].into_iter(), &[]).unwrap_err();
        assert_eq!(unnamed, RegistryError::Dropped { names: vec!["app::train"] });
    }

    #[test]
    fn a_short_name_finds_a_task_only_if_it_is_the_only_one() {
        let names = ["app::train", "app::other::train"];
        let registry = Registry::from_lists([&TRAIN, &OTHER_TRAIN].into_iter(), &names).unwrap();
        assert_eq!(registry.find("app::train").map(|entry| entry.line), Some(3));
        assert!(registry.find("train").is_none());
        let registry = Registry::from_lists([&TRAIN].into_iter(), &names[..1]).unwrap();
        assert_eq!(registry.find("train").map(|entry| entry.line), Some(3));
    }
}
