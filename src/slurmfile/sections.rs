//! The sections `packaging` and `callbacks`, and permissions.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::reader::{Reader, Value, place};
use crate::error::{Error, Problem, Result, SlurmfileError};
use crate::model::permissions;

/// The settings of `packaging`.
const PACKAGING_KEYS: &[&str] = &["runner_binary", "compress", "check"];
/// The settings of a callback.
const CALLBACK_KEYS: &[&str] = &["name", "args"];

/// A callback that an environment of a Slurmfile names, with its place.
///
/// Whether the program has it and accepts its arguments is checked when a cluster is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallbackSettings {
    /// The name that the program gave it.
    pub name: String,
    /// The Slurmfile, for errors.
    file: Arc<str>,
    text: Arc<str>,
    environment: String,
    index: usize,
}

impl CallbackSettings {
    /// Returns an error about the name.
    pub(crate) fn wrong_name(&self, message: String) -> Error {
        let start =
            self.look(|table, at| value_of(table, "name").map_or(at, |value| value.span().start));
        self.problem(start.unwrap_or(0), message)
    }

    /// Passes the arguments to `read`.
    pub(crate) fn with_args<T>(
        &self,
        read: impl FnOnce(Spanned<DeValue<'_>>) -> std::result::Result<T, toml::de::Error>,
    ) -> Result<T> {
        let answer = self.look(|table, at| {
            let args = value_of(table, "args").cloned();
            let args =
                args.unwrap_or_else(|| Spanned::new(at..at, DeValue::Table(DeTable::default())));
            let start = args.span().start;
            read(args).map_err(|error| (error.span().map_or(start, |span| span.start), error))
        });
        let gone = || self.problem(0, "it could be read before, but not now".to_owned());
        answer.ok_or_else(gone)?.map_err(|(start, error)| {
            self.problem(
                start,
                format!("args of the callback `{}`: {}", self.name, error.message()),
            )
        })
    }

    /// Reads the entry again. It was valid when the Slurmfile was read.
    fn look<T>(&self, then: impl FnOnce(&DeTable<'_>, usize) -> T) -> Option<T> {
        let document = DeTable::parse(&self.text).ok()?.into_inner();
        let environment = value_of(&document, &self.environment)?.get_ref().as_table()?;
        let entry = value_of(environment, "callbacks")?.get_ref().as_array()?.get(self.index)?;
        Some(then(entry.get_ref().as_table()?, entry.span().start))
    }

    fn problem(&self, start: usize, message: String) -> Error {
        let (line, column) = place(&self.text, start);
        let problems = vec![Problem { line, column, message }];
        SlurmfileError { file: self.file.to_string(), problems }.into()
    }
}

fn value_of<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> Option<&'t Value<'a>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}

impl<'a> Reader<'a> {
    pub(super) fn packaging(&mut self, value: &Value<'a>, environment: &mut Environment) {
        let Some(table) = self.table(value, "`packaging`") else { return };
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "runner_binary" => environment.runner_binary = self.path(value, "a file"),
                "compress" => {
                    environment.compress = self.word(value, "`compress`");
                }
                "check" => {
                    environment.check = self.word(value, "`check`");
                }
                other => self.unknown(name.span(), "setting", other, PACKAGING_KEYS),
            }
        }
    }

    pub(super) fn callbacks(
        &mut self,
        value: &Value<'a>,
        environment: &str,
    ) -> Vec<CallbackSettings> {
        let DeValue::Array(entries) = value.get_ref() else {
            let message = format!(
                "write callbacks as a list of tables: [[{environment}.callbacks]] and below it name = \"…\""
            );
            self.problem(value.span(), message);
            return Vec::new();
        };
        let mut callbacks: Vec<CallbackSettings> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let Some(table) = self.table(entry, "a callback") else { continue };
            let mut named = None;
            for (name, value) in table {
                match name.get_ref().as_ref() {
                    "name" => named = self.text(value, "the name of a callback"),
                    "args" => {
                        self.table(value, "`args`");
                    }
                    other => self.unknown(name.span(), "setting", other, CALLBACK_KEYS),
                }
            }
            let Some(name) = named else {
                if value_of(table, "name").is_none() {
                    self.problem(entry.span(), "a callback needs a name: name = \"…\"");
                }
                continue;
            };
            if callbacks.iter().any(|other| other.name == name) {
                self.problem(entry.span(), format!("the callback `{name}` is listed twice"));
                continue;
            }
            let (file, text) = (self.name.into(), self.text.into());
            callbacks.push(CallbackSettings {
                name,
                file,
                text,
                environment: environment.to_owned(),
                index,
            });
        }
        callbacks
    }

    pub(super) fn permissions(
        &mut self,
        value: &Value<'a>,
        check: fn(u32) -> std::result::Result<u32, String>,
    ) -> Option<u32> {
        if let DeValue::Integer(number) = value.get_ref() {
            let message = format!("write permissions in octal, as a string: \"0{number}\"");
            self.problem(value.span(), message);
            return None;
        }
        let text = self.text(value, "permissions")?;
        match permissions::octal(&text).and_then(check) {
            Ok(mode) => Some(mode),
            Err(message) => {
                self.problem(value.span(), message);
                None
            }
        }
    }

    /// Reads a path, which must not contain a NUL.
    pub(super) fn path(&mut self, value: &Value<'a>, what: &str) -> Option<std::path::PathBuf> {
        let text = self.text(value, what)?;
        if text.contains('\0') || text.is_empty() {
            let wrong = if text.is_empty() { "be empty" } else { "hold a NUL" };
            self.problem(value.span(), format!("a path cannot {wrong}"));
            return None;
        }
        Some(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{CLUSTER_KEYS, REQUEUE_KEYS, SECTIONS};
    use super::*;
    use crate::slurmfile::Slurmfile;

    fn problem_of(text: &str) -> String {
        Slurmfile::parse(text, "Slurmfile").unwrap_err().to_string()
    }

    #[test]
    fn the_example_has_every_key() {
        let text = include_str!("../../Slurmfile.example.toml");
        Slurmfile::parse(text, "Slurmfile.example.toml").unwrap();
        let document = DeTable::parse(text).unwrap().into_inner();
        // Returns the keys of all tables at this place in an environment.
        let keys = |place: &[&str]| -> Vec<String> {
            let mut keys = Vec::new();
            for environment in document.values().filter_map(|value| value.get_ref().as_table()) {
                let table = place.iter().try_fold(environment, |table, key| {
                    let value = value_of(table, key)?.get_ref();
                    let first = || value.as_array()?.iter().next()?.get_ref().as_table();
                    value.as_table().or_else(first)
                });
                keys.extend(
                    table.into_iter().flat_map(DeTable::keys).map(|key| key.get_ref().to_string()),
                );
            }
            keys
        };
        let all: &[(&[&str], &[&str])] = &[
            (&[], SECTIONS),
            (&["cluster"], CLUSTER_KEYS),
            #[cfg(feature = "ssh")]
            (&["cluster", "ssh"], super::super::ssh::KEYS),
            (&["submit"], REQUEUE_KEYS),
            (&["packaging"], PACKAGING_KEYS),
            (&["callbacks"], CALLBACK_KEYS),
        ];
        for (place, known) in all {
            let found = keys(place);
            for key in *known {
                assert!(found.iter().any(|found| found == key), "{place:?} lacks {key}: {found:?}");
            }
        }
    }

    #[test]
    fn problems_in_packaging_and_permissions_have_their_places() {
        assert_eq!(
            problem_of("[gpu.packaging]\ncompress = 'allways'\nrunner_binray = 'x'\n"),
            "Slurmfile:2:12: unknown compression `allways`; expected one of: auto, never\n\
             Slurmfile:3:1: unknown setting `runner_binray`; did you mean `runner_binary`?"
        );
        assert_eq!(
            problem_of("[gpu.cluster]\nscript_permissions = 750\njob_dir_permissions = '0777'\n"),
            "Slurmfile:2:22: write permissions in octal, as a string: \"0750\"\n\
             Slurmfile:3:23: 0777 would let all users write to it"
        );
        assert!(
            problem_of("[gpu.cluster]\nrunner_binary = 'x'").contains("belongs to `packaging`")
        );
        assert!(problem_of("[gpu.packaging]\nrunner_binary = \"a\\u0000b\"").contains("NUL"));
    }
}
