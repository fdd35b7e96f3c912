//! Lists of resources: `--gres`, `--gpus` and its kin, and `--tres-per-task`.
//!
//! Slurm's source: `_get_next_gres` in `src/common/gres.c` up to 23.02, `slurm_get_next_tres` in
//! `src/common/slurm_protocol_defs.c` from 23.11 on; `xfmt_tres` in `src/common/proc_args.c` puts `gpu:` before each
//! number of GPUs; `_validate_tres_per_task` in `src/common/slurm_opt.c`.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::{Text, is_space};

/// A number of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Resource {
    /// The name, such as `gpu`; in a `tres_per_task` with its prefix, `gres/gpu`.
    pub(crate) name: String,
    /// The type, such as `a100`.
    pub(crate) kind: Option<String>,
    /// How many.
    pub(crate) count: u64,
}

/// Returns how many resources of this name there are, of all types.
pub(crate) fn total(resources: &[Resource], name: &str) -> u64 {
    let named = resources.iter().filter(|resource| resource.name == name);
    named.fold(0, |sum, resource| sum.saturating_add(resource.count))
}

/// Generic resources on each node. Every release takes the canonical form.
pub(crate) const GRES: Grammar = Grammar {
    expected: "`name[:type][:count]` joined by commas, or `none`",
    example: "gpu:a100:2",
    details: "Names are case-sensitive. Without a count it is 1; counts may carry `K`, `M`, \
              `G`, `T` or `P` (powers of 1024; with `B`, of 1000). `gres:` and `gres/` before \
              the name and `=` before the count are read and not passed on, since no release \
              knows them all.",
    canonical: |text| match gres(text)?.as_slice() {
        [] => Ok("none".to_owned()),
        items => Ok(joined(items, |item| with_count(&named(item, &item.name), ':', item.count))),
    },
    separator: Some(","),
    nearby: |value, _| near_gres(value),
    ..Grammar::ANY
};

/// Numbers of GPUs, each perhaps of one type.
pub(crate) const GPUS: Grammar = Grammar {
    expected: "`[type:]count` joined by commas",
    example: "a100:2",
    details: "A type alone is one GPU of it. Counts may carry `K`, `M`, `G`, `T` or `P`.",
    canonical: |text| {
        let kind = |item: &Resource| item.kind.as_ref().map(|kind| format!("{kind}:"));
        let written =
            |item: &Resource| format!("{}{}", kind(item).unwrap_or_default(), scaled(item.count));
        Ok(joined(&gpus(text)?, written))
    },
    separator: Some(","),
    integers: Some((0, u64::MAX as i128)),
    nearby: |value, _| near_gpus(value),
    ..Grammar::ANY
};

/// Resources of each task.
pub(crate) const TRES_PER_TASK: Grammar = Grammar {
    expected: "`cpu=count`, `gres/name[:type]=count` or `license/name=count`, joined by commas",
    example: "cpu=4,gres/gpu=1",
    details: "`:` may stand for `=`. Nodes, memory and energy cannot be counted per task.",
    canonical: |text| {
        let written = |item: &Resource| match item.name.as_str() {
            "cpu" => format!("cpu={}", item.count),
            name => with_count(&named(item, name), '=', item.count),
        };
        Ok(joined(&tres_per_task(text)?, written))
    },
    separator: Some(","),
    nearby: |value, _| near_tres(value),
    ..Grammar::ANY
};

fn joined(items: &[Resource], written: impl Fn(&Resource) -> String) -> String {
    items.iter().map(written).collect::<Vec<_>>().join(",")
}

/// The name, and the type if there is one.
fn named(item: &Resource, name: &str) -> String {
    item.kind.as_ref().map_or_else(|| name.to_owned(), |kind| format!("{name}:{kind}"))
}

fn with_count(name: &str, separator: char, count: u64) -> String {
    format!("{name}{separator}{}", scaled(count))
}

/// Reads the generic resources of a node; none for `none`.
pub(crate) fn gres(text: Text<'_>) -> Result<Vec<Resource>, Fault> {
    if text.is_any_case("none") {
        return Ok(Vec::new());
    }
    if text.is_any_case("help") || text.is_any_case("list") {
        return Err(text.fault("it would make sbatch print the known resources and exit"));
    }
    let mut items: Vec<Resource> = Vec::new();
    for part in text.parts(b',') {
        items.push(gres_item(part)?);
        let has = |names: &[&str]| items.iter().any(|item| names.contains(&item.name.as_str()));
        if has(&["gpu"]) && has(&["mps", "shard"]) {
            let reason = "whole GPUs and shares of GPUs (mps, shard) exclude each other";
            return Err(part.fault(reason));
        }
    }
    Ok(items)
}

/// One item: an optional prefix, then name, type and count.
fn gres_item(part: Text<'_>) -> Result<Resource, Fault> {
    if part.is_empty() {
        return Err(part.fault("a resource is missing beside the comma"));
    }
    let plain = part.starts_with_any_case("gres:") || part.starts_with_any_case("gres/");
    let (name, item) = named_item(if plain { part.skip(5) } else { part })?;
    if name.has(b'/') {
        return Err(name.is_fault("not a generic resource; the only prefix is `gres/`"));
    }
    if name.is_any_case("gres") {
        return Err(name.is_fault("not a resource but the prefix of one"));
    }
    if name.is_digits() {
        return Err(name.is_fault("a count without the name of a resource"));
    }
    if name.is("none") || name.is("NONE") {
        return Err(name.fault("`none` stands alone"));
    }
    if name.is_any_case("gpus") || (name.is_any_case("gpu") && !name.is("gpu")) {
        return Err(name.is_fault("not what Slurm calls GPUs: the name is `gpu`"));
    }
    Ok(item)
}

/// Name, type and count, and where the name stands.
fn named_item(part: Text<'_>) -> Result<(Text<'_>, Resource), Fault> {
    let (head, last) = split_count(part);
    let (name, kind) = head.head(b':');
    if name.is_empty() {
        return Err(part.fault("the name of the resource is missing"));
    }
    word(name)?;
    if let Some(kind) = kind {
        if let Some(index) = kind.find(b':') {
            return Err(kind.skip(index).is_fault("one part too many: expected name:type:count"));
        }
        word(kind)?;
    }
    let (kind, count) = match (kind, last) {
        (_, None) => (None, 1),
        (_, Some((value, _))) if value.is_empty() => {
            return Err(part.fault("a type or a count is missing at the end"));
        }
        (None, Some((value, false))) => match count_or_type(value)? {
            CountOrType::Count(count) => (None, count),
            CountOrType::Type => (Some(value), 1),
        },
        (kind, Some((value, _))) => (kind, count(value)?),
    };
    Ok((name, Resource { name: name.to_text(), kind: kind.map(Text::to_text), count }))
}

fn near_gres(value: &str) -> Vec<String> {
    let lower = value.to_ascii_lowercase();
    let mut proposals = vec![
        value.trim_matches(',').to_owned(),
        value.replace(';', ","),
        value.replace(",,", ","),
        value.replace("::", ":"),
        value.trim_end_matches(':').to_owned(),
        lower.clone(),
        lower.replacen("gpus", "gpu", 1),
    ];
    proposals.extend(value.split_once('(').map(|(head, _)| head.to_owned()));
    proposals
}

/// Reads numbers of GPUs.
pub(crate) fn gpus(text: Text<'_>) -> Result<Vec<Resource>, Fault> {
    text.parts(b',').map(gpus_item).collect()
}

fn gpus_item(part: Text<'_>) -> Result<Resource, Fault> {
    let gpus = |kind: Option<Text<'_>>, count| Resource {
        name: "gpu".to_owned(),
        kind: kind.map(Text::to_text),
        count,
    };
    if part.is_empty() {
        return Err(part.fault("a number of GPUs is missing beside the comma"));
    }
    let (kind, last) = split_count(part);
    if kind.starts_with_any_case("gpu:")
        || kind.starts_with_any_case("gres:")
        || kind.starts_with_any_case("gres/")
        || (last.is_some() && kind.is_any_case("gpu"))
    {
        return Err(kind.fault("`gpu:` is implied here (Slurm would take it for a type)"));
    }
    let Some((value, _)) = last else {
        return match count_or_type(part)? {
            CountOrType::Count(count) => Ok(gpus(None, count)),
            CountOrType::Type if part.is_any_case("gpu") => {
                Err(part.fault("`gpu` is implied here; a number is expected"))
            }
            CountOrType::Type => Ok(gpus(Some(part), 1)),
        };
    };
    if kind.has(b':') {
        return Err(part.skip(kind.len()).is_fault("one part too many: expected type:count"));
    }
    word(kind)?;
    if value.is_empty() {
        return Err(part.fault("the number of GPUs after the type is missing"));
    }
    if kind.is_digits() && !value.byte(0).is_ascii_digit() {
        return Err(part.fault("the type comes before the number"));
    }
    Ok(gpus(Some(kind), count(value)?))
}

fn near_gpus(value: &str) -> Vec<String> {
    let plain = value.trim_start_matches("gres/").trim_start_matches("gres:");
    let bare = plain.trim_start_matches("gpu:").trim_start_matches("gpu=");
    let mut proposals = vec![
        bare.to_owned(),
        value.replace(';', ","),
        value.trim_matches(',').to_owned(),
        value.trim_end_matches(':').to_owned(),
    ];
    proposals.extend(bare.split_once(':').map(|(count, kind)| format!("{kind}:{count}")));
    proposals
}

/// Reads the resources of each task.
pub(crate) fn tres_per_task(text: Text<'_>) -> Result<Vec<Resource>, Fault> {
    text.parts(b',').map(tres_item).collect()
}

const EXCLUDED: &[&str] = &["mem", "energy", "node", "billing", "fs", "vmem", "pages", "bb"];

fn tres_item(part: Text<'_>) -> Result<Resource, Fault> {
    if part.is_empty() {
        return Err(part.fault("a resource is missing beside the comma"));
    }
    for prefix in ["gres/", "license/"] {
        if part.starts_with_any_case(prefix) {
            let (_, item) = named_item(part.skip(prefix.len()))?;
            return Ok(Resource { name: format!("{prefix}{}", item.name), ..item });
        }
    }
    let (name, value) = split_count(part);
    if name.is_any_case("cpu") {
        return match value {
            Some((value, _)) => {
                Ok(Resource { name: "cpu".to_owned(), kind: None, count: count(value)? })
            }
            None => Err(part.fault("the number of processors is missing")),
        };
    }
    let kind = name.parts(b'/').next().unwrap_or(name);
    if kind.position_in(EXCLUDED).is_some() {
        return Err(name.is_fault("not counted per task; only cpu, gres/… and license/… are"));
    }
    Err(name.is_fault("not a resource of a task; expected cpu, gres/name or license/name"))
}

fn near_tres(value: &str) -> Vec<String> {
    let plain = value.trim_matches(',');
    let item = |item: &str| match item.strip_prefix("cpus") {
        Some(rest) => format!("cpu{rest}"),
        None if item.starts_with("gpu") || item.starts_with("shard") => format!("gres/{item}"),
        None => item.to_owned(),
    };
    let items: Vec<String> = plain.split(',').map(item).collect();
    vec![plain.to_owned(), items.join(",")]
}

/// The units of a count; each is 1024 times its predecessor.
const UNITS: &str = "KMGTP";

/// The meaning of the suffix of a count: `suffix_mult` of `src/common/slurm_protocol_defs.c`.
fn factor(suffix: Text<'_>) -> Option<u64> {
    let power = UNITS.find(char::from(suffix.byte(0).to_ascii_uppercase()))? as u32 + 1;
    match suffix.skip(1) {
        rest if rest.is_empty() || rest.is_any_case("ib") => Some(1024_u64.pow(power)),
        rest if rest.is_any_case("b") => Some(1000_u64.pow(power)),
        _ => None,
    }
}

/// The meaning of a part after a `:`.
enum CountOrType {
    Count(u64),
    Type,
}

/// Reads a count with an optional suffix; a fault if it is not a number or overflows.
fn count(text: Text<'_>) -> Result<u64, Fault> {
    let (number, suffix) = text.split_at(text.leading_digits());
    if number.is_empty() {
        return Err(text.is_fault("not a count: a whole number is expected here"));
    }
    let value = digits(number)?;
    if suffix.is_empty() {
        return Ok(value);
    }
    if let Some(factor) = factor(suffix) {
        return value.checked_mul(factor).ok_or_else(|| text.is_fault("too large a count"));
    }
    Err(text.is_fault("not a count: a whole number is expected, perhaps with K, M, G, T or P"))
}

/// Tells a count from a type; what merely looks like a number is refused, because Slurm silently
/// takes it for the name of a type.
fn count_or_type(text: Text<'_>) -> Result<CountOrType, Fault> {
    word(text)?;
    let first = text.byte(0);
    if !first.is_ascii_digit() && first != b'-' && first != b'+' {
        return Ok(CountOrType::Type);
    }
    match count(text) {
        Ok(value) => Ok(CountOrType::Count(value)),
        Err(fault) if text.is_digits() => Err(fault),
        Err(_) if !looks_like_number(text) => Ok(CountOrType::Type),
        Err(_) => Err(text.is_fault(
            "not a count: whole numbers only (Slurm would take it for the name of a type)",
        )),
    }
}

/// Whether the text is a sign, digits and dots, and at most two letters.
fn looks_like_number(text: Text<'_>) -> bool {
    let body = text.skip(usize::from(matches!(text.byte(0), b'-' | b'+')));
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let rest = body.skip(body.position(|byte| !is_number(byte)).unwrap_or(body.len()));
    rest.len() <= 2 && rest.bytes().iter().all(u8::is_ascii_alphabetic)
}

/// Checks the name of a resource or type.
fn word(text: Text<'_>) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(text.fault("a name or a count is missing beside `:`"));
    }
    let is_wrong = |byte: u8| is_space(byte) || b";()[]|&*\"'".contains(&byte);
    let Some(index) = text.position(is_wrong) else {
        return Ok(());
    };
    let part = text.at(index);
    Err(match part.byte(0) {
        byte if is_space(byte) => part.fault("no blank may stand in a list of resources"),
        b';' => part.fault("items are joined by `,`, not by `;`"),
        _ => part.is_fault("not part of a name"),
    })
}

/// The last separator before a count: `=`, or the last `:`.
fn split_count(text: Text<'_>) -> (Text<'_>, Option<(Text<'_>, bool)>) {
    if let Some((name, count)) = text.split_once(b'=') {
        return (name, Some((count, true)));
    }
    match text.bytes().iter().rposition(|byte| *byte == b':') {
        Some(index) => (text.take(index), Some((text.skip(index + 1), false))),
        None => (text, None),
    }
}

/// A count in the largest unit that divides it.
fn scaled(count: u64) -> String {
    let (mut rest, mut unit) = (count, "");
    for next in ["K", "M", "G", "T", "P"] {
        if rest == 0 || !rest.is_multiple_of(1024) {
            break;
        }
        (rest, unit) = (rest / 1024, next);
    }
    format!("{rest}{unit}")
}
