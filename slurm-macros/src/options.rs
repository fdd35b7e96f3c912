//! The arguments of `#[slurm::task]`, checked against the table of options.

use proc_macro2::TokenStream;
use quote::quote;
use slurm_core::options::{
    Argument as Takes, ConflictKind, InvalidValue, OptionInput, OptionSet, OptionSpec, OptionValue,
    Source, check_extra, find, lookup,
};
use slurm_core::variable::VariableName;
use syn::{Error, Result};

use crate::arguments::{self, Argument, Item, Value, ValueKind};
use crate::errors::Errors;

/// The content of the attribute.
pub(crate) struct Options {
    /// The path of the `slurm` crate.
    pub(crate) krate: TokenStream,
    /// The name of the task, unless it is the function's path.
    pub(crate) name: Option<String>,
    /// Keys and values of the options, in canonical form.
    pub(crate) options: Vec<(&'static str, OptionValue)>,
    /// Keys and paths of options whose value is a constant.
    pub(crate) constants: Vec<(&'static str, TokenStream)>,
    /// Raw flags.
    pub(crate) extra: Vec<String>,
    /// Lines of shell before the task.
    pub(crate) setup: Vec<String>,
    /// Variables of the task.
    pub(crate) env: Vec<(String, String)>,
    /// Whether the job is requeued at its time limit, if the attribute says.
    pub(crate) on_timeout: Option<bool>,
    pub(crate) max_requeues: Option<u32>,
}

/// The subject of an argument.
enum Key {
    Crate,
    Name,
    Extra,
    Setup,
    Env,
    OnTimeout,
    MaxRequeues,
    Option(&'static OptionSpec),
}

impl Options {
    /// Returns the valid arguments in `tokens`.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self {
            krate: quote!(::slurm),
            name: None,
            options: Vec::new(),
            constants: Vec::new(),
            extra: Vec::new(),
            setup: Vec::new(),
            env: Vec::new(),
            on_timeout: None,
            max_requeues: None,
        };
        let mut set = OptionSet::new();
        let mut seen = Vec::new();
        for argument in arguments::parse(tokens) {
            let (argument, key) = match argument.and_then(Key::of) {
                Ok(argument) => argument,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let name = key.name();
            if seen.iter().any(|(other, _)| *other == name) {
                errors.over(&argument.key_tokens, format_args!("`{name}` is already set"));
                continue;
            }
            match key {
                Key::Crate => options.krate = krate(&argument, errors).unwrap_or(options.krate),
                Key::Name => options.name = task_name(&argument, errors),
                Key::Extra => options.extra = extra(&argument, errors),
                Key::Setup => options.setup = setup(&argument, errors),
                Key::Env => options.env = variables(&argument, errors),
                Key::OnTimeout => options.on_timeout = on_timeout(&argument, errors),
                Key::MaxRequeues => options.max_requeues = max_requeues(&argument, errors),
                Key::Option(option) => {
                    if let Some(Value { kind: ValueKind::Path, tokens }) = &argument.value {
                        options.constants.push((option.key, tokens.clone()));
                    } else if let Some(value) = option_value(option, &argument, errors) {
                        set.set(option, value, Source::Attribute);
                    }
                }
            }
            seen.push((name, argument.key_tokens));
        }
        for conflict in set.conflicts() {
            // A Slurmfile or the caller may set the missing option.
            if conflict.kind == ConflictKind::Needs {
                continue;
            }
            let in_pair = |key| key == conflict.first || key == conflict.second;
            if let Some((_, second)) = seen.iter().rfind(|(key, _)| in_pair(*key)) {
                errors.over(second, &conflict);
            }
        }
        options.options =
            set.iter().map(|(option, value, _)| (option.key, value.clone())).collect();
        options
    }
}

impl Key {
    fn of(argument: Argument) -> Result<(Argument, Self)> {
        let text = argument.key.as_str();
        let key = match (text, find(text.trim_start_matches('-'))) {
            ("crate", _) => Ok(Self::Crate),
            ("name", _) => Ok(Self::Name),
            ("on_timeout", _) => Ok(Self::OnTimeout),
            ("max_requeues", _) => Ok(Self::MaxRequeues),
            ("setup", _) => Ok(Self::Setup),
            ("env", _) => Ok(Self::Env),
            // A text is the value of sbatch's own `--extra`; a list holds whole flags.
            ("extra", Some(option)) if is_plain_text(&argument) => Ok(Self::Option(option)),
            ("extra", _) => Ok(Self::Extra),
            (_, Some(OptionSpec { key: "array", .. })) => {
                Err("`array` cannot be set: a job of a task is one call of it".to_owned())
            }
            (_, Some(option)) if text.contains('-') => {
                Err(format!("`{text}` is written `{}` here", option.key))
            }
            _ => lookup(text).map(Self::Option).map_err(|error| error.to_string()),
        };
        match key {
            Ok(key) => Ok((argument, key)),
            Err(message) => Err(Error::new_spanned(&argument.key_tokens, message)),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Crate => "crate",
            Self::Name => "name",
            Self::Extra => "extra",
            Self::Setup => "setup",
            Self::Env => "env",
            Self::OnTimeout => "on_timeout",
            Self::MaxRequeues => "max_requeues",
            Self::Option(option) => option.key,
        }
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

fn task_name(argument: &Argument, errors: &mut Errors) -> Option<String> {
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

fn on_timeout(argument: &Argument, errors: &mut Errors) -> Option<bool> {
    match argument.value.as_ref().map(|value| &value.kind) {
        Some(ValueKind::Text(text)) if text == "requeue" => return Some(true),
        Some(ValueKind::Text(text)) if text == "fail" => return Some(false),
        _ => {}
    }
    let message = "expected `on_timeout = \"requeue\"` or `\"fail\"`";
    errors.over(place(argument, argument.value.as_ref()), message);
    None
}

fn max_requeues(argument: &Argument, errors: &mut Errors) -> Option<u32> {
    let times = match argument.value.as_ref().map(|value| &value.kind) {
        Some(ValueKind::Integer(text)) => text.parse().ok(),
        _ => None,
    };
    if times.is_none() {
        let message = "expected how often the job may be requeued, such as `max_requeues = 3`";
        errors.over(place(argument, argument.value.as_ref()), message);
    }
    times
}

fn is_plain_text(argument: &Argument) -> bool {
    let kind = argument.value.as_ref().map(|value| &value.kind);
    matches!(kind, Some(ValueKind::Text(text)) if !text.starts_with('-'))
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

fn setup(argument: &Argument, errors: &mut Errors) -> Vec<String> {
    let Some(Value { kind: ValueKind::List(items), .. }) = &argument.value else {
        let message =
            "expected a list of shell commands, such as `setup = [\"module load cuda/12.4\"]`";
        errors.over(place(argument, argument.value.as_ref()), message);
        return Vec::new();
    };
    for item in items {
        if !item.is_text {
            errors.at(item.span, "expected a string");
        } else if item.text.contains('\0') {
            errors.at(item.span, "a line of `setup` cannot hold a NUL");
        }
    }
    items.iter().map(|item| item.text.clone()).collect()
}

fn variables(argument: &Argument, errors: &mut Errors) -> Vec<(String, String)> {
    let Some(Value { kind: ValueKind::Table(variables), .. }) = &argument.value else {
        let message = "expected variables, such as `env = { OMP_NUM_THREADS = \"8\" }`";
        errors.over(place(argument, argument.value.as_ref()), message);
        return Vec::new();
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in variables {
        if let Err(error) = name.text.parse::<VariableName>() {
            errors.at(name.span, error);
        } else if found.iter().any(|(known, _)| *known == name.text) {
            errors.at(name.span, format_args!("`{}` is already set", name.text));
        } else if value.text.contains('\0') {
            errors.at(value.span, "the value of a variable cannot hold a NUL");
        }
        found.push((name.text.clone(), value.text.clone()));
    }
    found
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
        ValueKind::Table(_) => {
            errors
                .over(&value.tokens, format_args!("expected a value: only `env` takes variables"));
            return None;
        }
        // Checked by the compiler, which knows its value.
        ValueKind::Path => return None,
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

/// Returns the item that the error is about, if the items were joined by a separator of one byte.
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
