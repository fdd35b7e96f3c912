//! The arguments of `#[slurm::task]`, checked against the table of options.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::quote;
use slurm_core::options::{
    Argument as Takes, InvalidValue, OptionInput, OptionSet, OptionSpec, OptionValue, Source,
    check_extra, find, lookup,
};

use crate::arguments::{self, Argument, Item, Value, ValueKind};
use crate::errors::Errors;

/// What the attribute says.
pub(crate) struct Options {
    /// The path of the `slurm` crate.
    pub(crate) krate: TokenStream,
    /// The name of the task, if it is not the function's path.
    pub(crate) name: Option<String>,
    /// Keys and values of the options, in canonical form.
    pub(crate) options: Vec<(&'static str, OptionValue)>,
    /// Raw flags.
    pub(crate) extra: Vec<String>,
}

impl Options {
    /// Returns what `tokens` say, as far as it is right.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options =
            Self { krate: quote!(::slurm), name: None, options: Vec::new(), extra: Vec::new() };
        let mut set = OptionSet::new();
        let mut seen = HashMap::new();
        for (position, argument) in arguments::parse(tokens).into_iter().enumerate() {
            let argument = match argument {
                Ok(argument) => argument,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let key = match argument.key.as_str() {
                "crate" | "name" | "extra" => argument.key.clone(),
                key => match find(key) {
                    Some(OptionSpec { key: "array", .. }) => {
                        let message = "`array` cannot be set: a job of a task is one call of it";
                        errors.over(&argument.key_tokens, message);
                        continue;
                    }
                    Some(option) if !key.contains('-') => option.key.to_owned(),
                    _ => {
                        errors.over(&argument.key_tokens, unknown(key));
                        continue;
                    }
                },
            };
            if seen.contains_key(&key) {
                errors.over(&argument.key_tokens, format_args!("`{key}` is already set"));
                continue;
            }
            match (key.as_str(), find(&key)) {
                ("crate", _) => options.krate = krate(&argument, errors).unwrap_or(options.krate),
                ("name", _) => options.name = name(&argument, errors),
                ("extra", _) => options.extra = extra(&argument, errors),
                (_, Some(option)) => {
                    if let Some(value) = option_value(option, &argument, errors) {
                        set.set(option, value, Source::Attribute);
                    }
                }
                (_, None) => {}
            }
            seen.insert(key, (position, argument.key_tokens));
        }
        for conflict in set.conflicts() {
            let places = [seen.get(conflict.first), seen.get(conflict.second)];
            if let Some((_, key)) = places.into_iter().flatten().max_by_key(|place| place.0) {
                errors.over(key, &conflict);
            }
        }
        options.options =
            set.iter().map(|(option, value, _)| (option.key, value.clone())).collect();
        options
    }
}

/// Returns the path of the `slurm` crate that the attribute `#[slurm::main]` gives.
pub(crate) fn only_crate(tokens: TokenStream, errors: &mut Errors) -> TokenStream {
    let mut path = None;
    for argument in arguments::parse(tokens) {
        match argument {
            Err(error) => errors.push(error),
            Ok(argument) if argument.key != "crate" => {
                let message = "`#[slurm::main]` takes no argument but `crate = path`; options \
                               belong to tasks, and the cluster's are set by flags, environment \
                               and Slurmfile";
                errors.over(&argument.key_tokens, message);
            }
            Ok(argument) if path.is_some() => {
                errors.over(&argument.key_tokens, "`crate` is already set");
            }
            Ok(argument) => path = krate(&argument, errors),
        }
    }
    path.unwrap_or_else(|| quote!(::slurm))
}

/// Returns what to say of a key that is not an option's.
fn unknown(key: &str) -> String {
    match find(key.trim_start_matches('-')) {
        Some(option) => format!("`{key}` is written `{}` here", option.key),
        None => lookup(key).err().map_or_else(String::new, |error| error.to_string()),
    }
}

fn krate(argument: &Argument, errors: &mut Errors) -> Option<TokenStream> {
    match &argument.value {
        Some(Value { kind: ValueKind::Path, tokens }) => Some(tokens.clone()),
        other => {
            let message = "expected the path of the `slurm` crate, such as `crate = ::my_slurm`";
            errors.over(place(argument, other.as_ref()), message);
            None
        }
    }
}

fn name(argument: &Argument, errors: &mut Errors) -> Option<String> {
    let Some(Value { kind: ValueKind::Text(name), tokens }) = &argument.value else {
        let message = "expected a string, such as `name = \"train\"`";
        errors.over(place(argument, argument.value.as_ref()), message);
        return None;
    };
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if name.is_empty() || !name.chars().all(fits) {
        let message =
            "the name of a task consists of letters, digits, `_`, `-`, `.` and `:`, at least one";
        errors.over(tokens, message);
        return None;
    }
    Some(name.clone())
}

fn extra(argument: &Argument, errors: &mut Errors) -> Vec<String> {
    let Some(Value { kind: ValueKind::List(items), .. }) = &argument.value else {
        let message = "expected a list of sbatch's flags, such as `extra = [\"--flag=value\"]`";
        errors.over(place(argument, argument.value.as_ref()), message);
        return Vec::new();
    };
    for item in items {
        if !item.is_text {
            errors.at(item.span, "expected a string");
        } else if let Err(error) = check_extra(&item.text) {
            errors.at(item.span, error);
        }
    }
    items.iter().map(|item| item.text.clone()).collect()
}

fn option_value(
    option: &OptionSpec,
    argument: &Argument,
    errors: &mut Errors,
) -> Option<OptionValue> {
    let Some(value) = &argument.value else {
        let bare = option.parse_input(OptionInput::from(true));
        if bare.is_err() && matches!(option.argument, Takes::Required) {
            let (key, example) = (option.key, option.example);
            let message = format_args!("`{key}` needs a value, such as `{key} = \"{example}\"`");
            errors.over(&argument.key_tokens, message);
            return None;
        }
        return bare.map_err(|error| errors.over(&argument.key_tokens, error)).ok();
    };
    let input = match &value.kind {
        ValueKind::Text(text) | ValueKind::Integer(text) => OptionInput::from(text),
        ValueKind::Bool(set) => OptionInput::from(*set),
        ValueKind::List(items) => {
            OptionInput::from(items.iter().map(|item| item.text.clone()).collect::<Vec<_>>())
        }
        ValueKind::Path => {
            errors.over(&value.tokens, "expected a literal");
            return None;
        }
    };
    match (option.parse_input(input), &value.kind) {
        (Ok(value), _) => return Some(value),
        (Err(error), ValueKind::List(items)) => match wrong_item(items, &error) {
            Some(item) => errors.at(item.span, error),
            None => errors.over(&value.tokens, error),
        },
        (Err(error), _) => errors.over(&value.tokens, error),
    }
    None
}

/// Returns which of `items` the error is about, if they were joined by a separator of one byte.
fn wrong_item<'a>(items: &'a [Item], error: &InvalidValue) -> Option<&'a Item> {
    let lengths = items.iter().map(|item| item.text.len() + 1);
    if items.len() < 2 || lengths.sum::<usize>() != error.value().len() + 1 {
        return None;
    }
    let wrong = error.range();
    let mut end = 0;
    items.iter().find(|item| {
        let start = end;
        end += item.text.len() + 1;
        start <= wrong.start && wrong.end < end && wrong.len() < error.value().len()
    })
}

/// Returns the tokens of the value, or of the key if there is none.
fn place<'a>(argument: &'a Argument, value: Option<&'a Value>) -> &'a TokenStream {
    value.map_or(&argument.key_tokens, |value| &value.tokens)
}
