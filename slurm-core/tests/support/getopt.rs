//! Enough of `getopt_long` to read the arguments of a script's directives.

use slurm_core::options::{Argument, OPTIONS, OptionSet, OptionSpec, Source, lookup};

/// Options of sbatch that are about sbatch itself; a script may name them.
const ABOUT_SBATCH: &[&str] = &["--help", "--version", "--wrap=foo", "-W"];

/// Reads arguments into a set of options; the last occurrence wins, and each one is checked.
pub(crate) fn read(arguments: &[String]) -> Result<OptionSet, String> {
    let mut set = OptionSet::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if ABOUT_SBATCH.contains(&argument.as_str()) {
            continue;
        }
        if argument == "--" {
            return rest.next().map_or(Ok(set), |stray| Err(format!("stray {stray}")));
        }
        let (spec, attached) = split(argument)?;
        let value = match (spec.argument, attached) {
            (Argument::None, Some(_)) => return Err(format!("{argument} takes no value")),
            (Argument::Required, None) => {
                rest.next().ok_or_else(|| format!("{argument} needs a value"))?.clone()
            }
            (_, Some(value)) => value.to_owned(),
            (Argument::None | Argument::Optional, None) => String::new(),
        };
        let value = spec.parse(&value).map_err(|error| format!("{}: {error}", spec.name))?;
        set.set(spec, value, Source::CallSite);
    }
    Ok(set)
}

fn split(argument: &str) -> Result<(&'static OptionSpec, Option<&str>), String> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        return Ok((lookup(name).map_err(|error| error.to_string())?, value));
    }
    let letter = argument.strip_prefix('-').and_then(|short| short.chars().next());
    let spec = OPTIONS.iter().find(|spec| letter.is_some() && spec.short == letter);
    let spec = spec.ok_or_else(|| format!("stray {argument}"))?;
    Ok((spec, argument.get(2..).filter(|value| !value.is_empty())))
}
