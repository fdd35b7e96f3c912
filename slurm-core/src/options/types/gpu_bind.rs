//! Binding of tasks to GPUs and other resources: `src/common/tres_bind.c`.

use std::fmt;

use super::bind_list::entries;
use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

/// How tasks are bound to GPUs.
///
/// `[verbose,]` and one of `closest`, `none`, `single:tasks`, `per_task:gpus`, `map_gpu:list`,
/// `mask_gpu:list`. List entries are numbers, hexadecimal for masks, and may be repeated with
/// `*count`. `map:` and `mask:` (from 23.11) are read and written in the long form.
///
/// Slurm's source: `_valid_gpu_bind` (from 23.11 on `_valid_gres_bind`) in
/// `src/common/tres_bind.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GpuBind {
    /// Whether the binding is reported.
    pub verbose: bool,
    /// The binding.
    pub binding: Binding,
}

/// The binding of a [`GpuBind`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// To the nearest.
    Closest,
    /// Not at all.
    None,
    /// To one for so many tasks.
    Single(u32),
    /// To so many for each task.
    PerTask(u32),
    /// To these numbers, one for each task.
    Map(String),
    /// To these masks, one for each task.
    Mask(String),
}

const UNKNOWN: &str = "not a binding; expected closest, none, single:TASKS, per_task:GPUS, \
                       map_gpu:LIST or mask_gpu:LIST, perhaps after `verbose,`";

impl GpuBind {
    /// Checks a binding.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        match find(text) {
            Ok(_) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Reads a binding.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let (verbose, found) = find(text)?;
        let binding = match found {
            Found::Closest => Binding::Closest,
            Found::None => Binding::None,
            Found::Single(tasks) => Binding::Single(tasks),
            Found::PerTask(gpus) => Binding::PerTask(gpus),
            Found::Map(list) => Binding::Map(list.to_text()),
            Found::Mask(list) => Binding::Mask(list.to_text().to_ascii_lowercase()),
        };
        Ok(Self { verbose, binding })
    }
}

#[derive(Clone, Copy)]
enum Found<'a> {
    Closest,
    None,
    Single(u32),
    PerTask(u32),
    Map(Text<'a>),
    Mask(Text<'a>),
}

const fn find(text: Text<'_>) -> Result<(bool, Found<'_>), Fault> {
    let verbose = text.starts_with_any_case("verbose,");
    let body = if verbose { text.skip(8) } else { text };
    if body.is_any_case("closest") {
        return Ok((verbose, Found::Closest));
    }
    if body.is_any_case("none") {
        return Ok((verbose, Found::None));
    }
    let Some((name, value)) = body.split_once(b':') else {
        if body.is_any_case("verbose") {
            return Err(body.fault("a binding must follow `verbose,`"));
        }
        if body.is_any_case("single") || body.is_any_case("per_task") {
            return Err(body.fault("a `:` and a number must follow"));
        }
        if is_abbreviated(body) {
            return Err(body.is_fault("not spelled out: expected closest or none"));
        }
        return Err(body.is_fault(UNKNOWN));
    };
    if name.is_any_case("single") {
        return Ok((verbose, Found::Single(attempt!(number(value)))));
    }
    if name.is_any_case("per_task") {
        return Ok((verbose, Found::PerTask(attempt!(number(value)))));
    }
    if name.is_any_case("map_gpu") || name.is_any_case("map") {
        attempt!(entries(value, false));
        return Ok((verbose, Found::Map(value)));
    }
    if name.is_any_case("mask_gpu") || name.is_any_case("mask") {
        attempt!(entries(value, true));
        return Ok((verbose, Found::Mask(value)));
    }
    if name.is_any_case("gpu") {
        return Err(name.fault("`gpu:` is implied here"));
    }
    Err(name.is_fault(UNKNOWN))
}

const fn is_abbreviated(text: Text<'_>) -> bool {
    text.len() < 7
        && (text.byte(0).eq_ignore_ascii_case(&b'c') || text.byte(0).eq_ignore_ascii_case(&b'n'))
}

const fn number(text: Text<'_>) -> Result<u32, Fault> {
    if text.is_empty() {
        return Err(text.fault("a number is missing after `:`"));
    }
    if !text.is_digits() {
        return Err(text.is_fault("not a whole number (sbatch would read what it can)"));
    }
    if text.len() > 1 && text.byte(0) == b'0' {
        return Err(text.is_fault("octal to Slurm because of its leading zero"));
    }
    match attempt!(digits(text)) {
        value if value > i32::MAX as u64 => Err(text.is_fault("too large a number")),
        value => Ok(value as u32),
    }
}

typed!(GpuBind, GpuBind);

impl fmt::Display for GpuBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.verbose { "verbose," } else { "" })?;
        match &self.binding {
            Binding::Closest => f.write_str("closest"),
            Binding::None => f.write_str("none"),
            Binding::Single(tasks) => write!(f, "single:{tasks}"),
            Binding::PerTask(gpus) => write!(f, "per_task:{gpus}"),
            Binding::Map(list) => write!(f, "map_gpu:{list}"),
            Binding::Mask(list) => write!(f, "mask_gpu:{list}"),
        }
    }
}

/// Checks `--tres-bind`: bindings of resources joined by `+`.
///
/// Slurm's source: `tres_bind_verify_cmdline` in `src/common/tres_bind.c`.
pub(crate) const fn check_tres_bind(text: Text<'_>) -> Result<(), Fault> {
    let mut rest = Some(text);
    while let Some(list) = rest {
        let (part, tail) = list.next_part(b'+');
        rest = tail;
        let Some((name, binding)) = part.split_once(b':') else {
            return Err(part.is_fault("not a binding of a resource: expected gres/NAME:BINDING"));
        };
        if !name.starts_with_any_case("gres/") || name.len() == 5 {
            return Err(name.is_fault("not a resource to bind to; it is written gres/NAME"));
        }
        if binding.is_empty() {
            return Err(part.fault("the binding after `:` is missing"));
        }
        let (_, found) = attempt!(find(binding));
        let shared = name.is_any_case("gres/mps") || name.is_any_case("gres/shard");
        if shared && !matches!(found, Found::None | Found::PerTask(_)) {
            return Err(
                binding.is_fault("not possible for shares of GPUs: only none and per_task:N")
            );
        }
    }
    Ok(())
}
