//! How tasks are bound to GPUs, other resources and memory.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, LONG};
use crate::options::release::Release;
use crate::options::text::Text;

/// Binding of tasks to GPUs: `_valid_gpu_bind` (from 23.11 on `_valid_gres_bind`) of
/// `src/common/tres_bind.c`.
pub(crate) const GPU: Grammar = Grammar {
    expected: "`closest`, `none`, `single:tasks`, `per_task:gpus`, `map_gpu:list` or \
               `mask_gpu:list`, perhaps after `verbose,`",
    example: "single:2",
    details: "List entries are numbers of GPUs, or hexadecimal masks of them, perhaps with \
              `*count`. `map:` and `mask:`, which 23.11 knows, are passed on in the long form.",
    canonical: gpu,
    words: &["closest", "none", "single", "per_task", "map_gpu", "mask_gpu"],
    instead: |part| match part.len() {
        ..8 if part.starts_with('c') => Some("closest"),
        ..5 if part.starts_with('n') => Some("none"),
        _ => None,
    },
    nearby: |value, _| vec![value.trim_start_matches("gpu:").to_owned()],
    ..Grammar::ANY
};

fn gpu(text: Text<'_>) -> Result<String, Fault> {
    if text.starts_with_any_case("verbose,") {
        return Ok(format!("verbose,{}", binding(text.skip(8))?));
    }
    binding(text)
}

fn binding(body: Text<'_>) -> Result<String, Fault> {
    let unknown = "not a binding; expected closest, none, single:TASKS, per_task:GPUS, \
                   map_gpu:LIST or mask_gpu:LIST, perhaps after `verbose,`";
    let word = body.to_text().to_ascii_lowercase();
    let Some((name, value)) = body.split_once(b':') else {
        return match word.as_str() {
            "closest" | "none" => Ok(word),
            "verbose" => Err(body.fault("a binding must follow `verbose,`")),
            "single" | "per_task" => Err(body.fault("a `:` and a number must follow")),
            _ if word.len() < 7 && word.starts_with(['c', 'n']) => {
                Err(body.is_fault("not spelled out: expected closest or none"))
            }
            _ => Err(body.is_fault(unknown)),
        };
    };
    match name.to_text().to_ascii_lowercase().as_str() {
        "single" => Ok(format!("single:{}", number(value)?)),
        "per_task" => Ok(format!("per_task:{}", number(value)?)),
        "map_gpu" | "map" => Ok(format!("map_gpu:{}", entries(value, false)?)),
        "mask_gpu" | "mask" => Ok(format!("mask_gpu:{}", entries(value, true)?)),
        "gpu" => Err(name.fault("`gpu:` is implied here")),
        _ => Err(name.is_fault(unknown)),
    }
}

fn number(text: Text<'_>) -> Result<u64, Fault> {
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
        value => Ok(value),
    }
}

/// Bindings of resources joined by `+`: `tres_bind_verify_cmdline` of `src/common/tres_bind.c`.
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
    let binding = gpu(bound)?;
    let binding = binding.trim_start_matches("verbose,");
    let is_share = name.is_any_case("gres/mps") || name.is_any_case("gres/shard");
    if is_share && binding != "none" && !binding.starts_with("per_task:") {
        return Err(bound.is_fault("not possible for shares of GPUs: only none and per_task:N"));
    }
    Ok(())
}

/// Binding of tasks to memory: `slurm_verify_mem_bind`, `_expand_mult` of `src/common/slurm_resource_info.c`.
pub(crate) const MEMORY: Grammar = Grammar {
    expected: "`none`, `local`, `rank`, `map_mem:list`, `mask_mem:list`, `quiet`, `verbose`, \
               `prefer`, `sort`, `nosort`, joined by commas",
    example: "local",
    details: "List entries are numbers of memory nodes, or hexadecimal masks, perhaps with \
              `*count`. `sort` and `nosort` are gone in 25.11.",
    canonical: |text| {
        let (mut items, mut rest) = (Vec::new(), Some(text));
        while let Some(list) = rest {
            let (item, tail) = next_item(list)?;
            items.push(item);
            rest = tail;
        }
        Ok(items.join(","))
    },
    longest: LONG,
    separator: Some(","),
    until: |value| {
        let is_gone = |word| matches!(word, "sort" | "nosort");
        value.split(',').any(is_gone).then_some(Release::new(25, 11))
    },
    words: &["none", "local", "rank", "map_mem", "mask_mem", "verbose", "prefer"],
    nearby: |value, _| vec![value.replace('-', "_")],
    ..Grammar::ANY
};

/// One item and the text after its comma; the commas of a list of numbers belong to the item.
fn next_item(text: Text<'_>) -> Result<(String, Option<Text<'_>>), Fault> {
    let unknown = "not a way to bind memory; expected none, local, rank, map_mem:LIST, \
                   mask_mem:LIST, quiet, verbose, prefer, sort or nosort";
    let (item, rest) = text.head(b',');
    let (name, list) = item.split_at(item.find_any(b":=").unwrap_or(item.len()));
    let mask = match name.to_text().to_ascii_lowercase().as_str() {
        "" if item.is_empty() => return Err(text.fault("a word is missing beside the comma")),
        "map_mem" | "mapmem" => false,
        "mask_mem" | "maskmem" => true,
        _ if !list.is_empty() => return Err(name.is_fault(unknown)),
        word @ ("none" | "local" | "rank" | "quiet" | "verbose" | "prefer" | "sort" | "nosort") => {
            return Ok((word.to_owned(), rest));
        }
        "no" => return Ok(("none".to_owned(), rest)),
        "q" => return Ok(("quiet".to_owned(), rest)),
        "v" => return Ok(("verbose".to_owned(), rest)),
        "p" => return Ok(("prefer".to_owned(), rest)),
        "help" => {
            return Err(item.fault("it would make sbatch print the ways to bind and exit"));
        }
        _ => return Err(item.is_fault(unknown)),
    };
    match list.len() {
        0 => return Err(item.fault("a `:` and a list of numbers must follow")),
        1 => return Err(item.fault("the list of numbers is missing")),
        _ => {}
    }
    let all = text.skip(name.len() + 1);
    // The list goes on as long as its parts look like entries.
    let others = all.parts(b',').skip(1);
    let end = others
        .take_while(|part| part.byte(0).is_ascii_digit() || is_hexadecimal(*part))
        .last()
        .map_or(list.len() - 1, |part| part.end() - all.start());
    let list = entries(all.take(end), mask)?;
    let rest = (end < all.len()).then(|| all.skip(end + 1));
    Ok((format!("{}:{list}", if mask { "mask_mem" } else { "map_mem" }), rest))
}

/// A list of numbers or hexadecimal masks joined by commas; masks are written in lower case.
fn entries(text: Text<'_>, mask: bool) -> Result<String, Fault> {
    text.parts(b',').try_for_each(|part| entry(part, mask))?;
    Ok(if mask { text.to_text().to_ascii_lowercase() } else { text.to_text() })
}

/// Checks one entry of a list: a number, or a hexadecimal mask, perhaps repeated with `*count`.
fn entry(text: Text<'_>, mask: bool) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(text.fault("a number is missing in the list"));
    }
    let (number, count) = text.head(b'*');
    let body = if mask && number.starts_with_any_case("0x") { number.skip(2) } else { number };
    if body.is_empty() {
        return Err(text.is_fault("without a number"));
    }
    if mask && !is_hexadecimal(body) {
        return Err(number.is_fault("not a hexadecimal mask"));
    }
    if !mask && !body.is_digits() {
        return Err(number.is_fault("not a number (ranges are not possible here)"));
    }
    if body.len() > 15 {
        return Err(number.is_fault("too large"));
    }
    let is_zero = |count: Text<'_>| count.bytes().iter().all(|byte| *byte == b'0');
    if count.is_some_and(|count| !count.is_digits() || is_zero(count) || count.len() > 9) {
        return Err(text.fault("a count from 1 on must follow `*`"));
    }
    Ok(())
}

/// Whether all bytes are hexadecimal digits.
fn is_hexadecimal(text: Text<'_>) -> bool {
    !text.is_empty() && text.bytes().iter().all(u8::is_ascii_hexdigit)
}
