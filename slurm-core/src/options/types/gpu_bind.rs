//! Binding of tasks to GPUs and other resources: `src/common/tres_bind.c`.

use std::fmt;

use super::bind_list::entries;
use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

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

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`closest`, `none`, `single:tasks`, `per_task:gpus`, `map_gpu:list` or \
               `mask_gpu:list`, perhaps after `verbose,`",
    example: "single:2",
    details: "List entries are numbers of GPUs, or hexadecimal masks of them, perhaps with \
              `*count`. `map:` and `mask:`, which 23.11 knows, are passed on in the long form.",
    canonical: |text| Ok(GpuBind::read(text)?.to_string()),
    words: &["closest", "none", "single", "per_task", "map_gpu", "mask_gpu"],
    instead: |part| match part.len() {
        ..8 if part.starts_with('c') => Some("closest"),
        ..5 if part.starts_with('n') => Some("none"),
        _ => None,
    },
    nearby: |value, _| vec![value.trim_start_matches("gpu:").to_owned()],
    ..Grammar::ANY
};

impl GpuBind {
    /// Reads a binding.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let verbose = text.starts_with_any_case("verbose,");
        let binding = binding(if verbose { text.skip(8) } else { text })?;
        Ok(Self { verbose, binding })
    }
}

fn binding(body: Text<'_>) -> Result<Binding, Fault> {
    if body.is_any_case("closest") {
        return Ok(Binding::Closest);
    }
    if body.is_any_case("none") {
        return Ok(Binding::None);
    }
    let Some((name, value)) = body.split_once(b':') else {
        return Err(match () {
            () if body.is_any_case("verbose") => body.fault("a binding must follow `verbose,`"),
            () if body.is_any_case("single") || body.is_any_case("per_task") => {
                body.fault("a `:` and a number must follow")
            }
            () if is_abbreviated(body) => {
                body.is_fault("not spelled out: expected closest or none")
            }
            () => body.is_fault(UNKNOWN),
        });
    };
    let list = |mask| entries(value, mask).map(|()| value.to_text());
    match name.to_text().to_ascii_lowercase().as_str() {
        "single" => Ok(Binding::Single(number(value)?)),
        "per_task" => Ok(Binding::PerTask(number(value)?)),
        "map_gpu" | "map" => Ok(Binding::Map(list(false)?)),
        "mask_gpu" | "mask" => Ok(Binding::Mask(list(true)?.to_ascii_lowercase())),
        "gpu" => Err(name.fault("`gpu:` is implied here")),
        _ => Err(name.is_fault(UNKNOWN)),
    }
}

fn is_abbreviated(text: Text<'_>) -> bool {
    text.len() < 7
        && (text.byte(0).eq_ignore_ascii_case(&b'c') || text.byte(0).eq_ignore_ascii_case(&b'n'))
}

fn number(text: Text<'_>) -> Result<u32, Fault> {
    if text.is_empty() {
        return Err(text.fault("a number is missing after `:`"));
    }
    if !text.is_digits() {
        return Err(text.is_fault("not a whole number (sbatch would read what it can)"));
    }
    if text.len() > 1 && text.byte(0) == b'0' {
        return Err(text.is_fault("octal to Slurm because of its leading zero"));
    }
    match digits(text)? {
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

/// `--tres-bind`: bindings of resources joined by `+`.
///
/// Slurm's source: `tres_bind_verify_cmdline` in `src/common/tres_bind.c`.
pub(crate) const TRES: Grammar = Grammar {
    expected: "`gres/name:binding` joined by `+`",
    example: "gres/gpu:single:2",
    details: "Bindings are those of `gpu_bind`; shares of GPUs take `none` and `per_task`.",
    canonical: |text| text.parts(b'+').try_for_each(resource).map(|()| text.to_text()),
    nearby: |value, _| vec![format!("gres/{value}")],
    ..Grammar::ANY
};

fn resource(part: Text<'_>) -> Result<(), Fault> {
    let Some((name, bound)) = part.split_once(b':') else {
        return Err(part.is_fault("not a binding of a resource: expected gres/NAME:BINDING"));
    };
    if !name.starts_with_any_case("gres/") || name.len() == 5 {
        return Err(name.is_fault("not a resource to bind to; it is written gres/NAME"));
    }
    if bound.is_empty() {
        return Err(part.fault("the binding after `:` is missing"));
    }
    let GpuBind { binding, .. } = GpuBind::read(bound)?;
    let shared = name.is_any_case("gres/mps") || name.is_any_case("gres/shard");
    if shared && !matches!(binding, Binding::None | Binding::PerTask(_)) {
        return Err(bound.is_fault("not possible for shares of GPUs: only none and per_task:N"));
    }
    Ok(())
}
