//! Valid values near a refused one.
//!
//! Every kind of value proposes changes, and the first one that the grammar takes is offered: a
//! suggestion is never wrong, only sometimes missing.

mod lists;
mod numbers;
mod times;
mod words;

use super::fault::Fault;
use super::kind::ValueKind;

/// Longer values are not worth a suggestion.
const LONGEST: usize = 200;

/// Returns the first proposed change of `value` that `check` takes.
pub(crate) fn near(
    kind: ValueKind,
    value: &str,
    check: impl Fn(&str) -> Result<(), Fault>,
) -> Option<String> {
    if value.is_empty() || value.len() > LONGEST {
        return None;
    }
    let fault = check(value).err()?;
    let proposals = match kind {
        ValueKind::Text | ValueKind::JobName | ValueKind::Path | ValueKind::BurstBuffer => {
            vec![value.replace(char::is_control, " ").trim().to_owned()]
        }
        // Which of the words is the name, nobody can know: `my account` is hardly `myaccount`.
        ValueKind::Name => vec![to_ascii(value).trim().to_owned()],
        ValueKind::Names => vec![
            to_ascii(value).trim().to_owned(),
            to_ascii(value).split_whitespace().collect::<Vec<_>>().join(","),
        ],
        _ => proposed(kind, &to_ascii(value), &fault, &check),
    };
    proposals
        .into_iter()
        .find(|proposal| proposal != value && !proposal.is_empty() && check(proposal).is_ok())
}

fn proposed(
    kind: ValueKind,
    value: &str,
    fault: &Fault,
    check: &impl Fn(&str) -> Result<(), Fault>,
) -> Vec<String> {
    let compact = without_blanks(value);
    let mut proposals =
        vec![value.trim().to_owned(), value.trim_start_matches('=').to_owned(), compact.clone()];
    proposals.extend(for_kind(kind, value, fault));
    proposals.extend(words::repaired(kind, &compact, check));
    proposals
}

fn for_kind(kind: ValueKind, value: &str, fault: &Fault) -> Vec<String> {
    match kind {
        ValueKind::Walltime => times::walltime(value),
        ValueKind::DateTime => times::datetime(value, fault),
        ValueKind::Switches => times::switches(value),
        ValueKind::Memory => numbers::memory(value),
        ValueKind::CoreSpec
        | ValueKind::Count
        | ValueKind::SmallCount
        | ValueKind::SmallNumber
        | ValueKind::ThreadSpec => numbers::count(value),
        ValueKind::NodeCount => numbers::nodes(value),
        ValueKind::CpuFreq => numbers::cpu_freq(value),
        ValueKind::GpuFreq => numbers::gpu_freq(value),
        ValueKind::Array => lists::array(value),
        ValueKind::Constraint | ValueKind::BatchFeatures => lists::constraint(value, fault),
        ValueKind::Dependency => lists::dependency(value),
        ValueKind::Gpus => lists::gpus(value),
        ValueKind::Gres => lists::gres(value),
        ValueKind::TresPerTask => lists::tres_per_task(value),
        ValueKind::HostList => lists::hosts(value, fault),
        ValueKind::Licenses => lists::licenses(value),
        ValueKind::NodeLayout => lists::layout(value),
        ValueKind::AcctgFreq => vec![value.replace(':', "="), without_part(value, fault)],
        ValueKind::Distribution => vec![value.replace(':', "="), value.replace(' ', ":")],
        ValueKind::GpuBind => vec![value.trim_start_matches("gpu:").to_owned()],
        ValueKind::TresBind => vec![format!("gres/{value}")],
        ValueKind::RLimits => vec![value.to_uppercase()],
        ValueKind::Signal => lists::signal(value, fault),
        ValueKind::MailType => vec![value.replace([' ', ';', '|', '+'], ",")],
        ValueKind::GresFlags => vec![value.replace('_', "-")],
        ValueKind::Hint | ValueKind::MemBind => vec![value.replace('-', "_")],
        _ => Vec::new(),
    }
}

/// The value without its wrong part.
fn without_part(value: &str, fault: &Fault) -> String {
    let range = fault.range();
    match (value.get(..range.start), value.get(range.end..)) {
        (Some(before), Some(after)) => format!("{before}{after}"),
        _ => String::new(),
    }
}

/// The number without commas or underscores between groups of three digits.
fn ungrouped(value: &str) -> String {
    let plain = value.replace('_', ",");
    let mut groups = plain.split(',');
    let head = groups.next().is_some_and(|head| (1..=3).contains(&head.len()));
    if head && groups.all(|group| group.bytes().take(3).filter(u8::is_ascii_digit).count() == 3) {
        plain.replace(',', "")
    } else {
        value.to_owned()
    }
}

fn without_blanks(value: &str) -> String {
    value.chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// The value with dashes, quotes and full-width letters of word processors written plainly.
fn to_ascii(value: &str) -> String {
    value
        .chars()
        .map(|letter| match letter {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{ff01}'..='\u{ff5e}' => {
                char::from_u32(u32::from(letter) - 0xff01 + 0x21).unwrap_or(letter)
            }
            _ => letter,
        })
        .collect()
}

/// The number that the value starts with, as whole part, thousandths, and what follows.
fn leading_number(value: &str) -> Option<(u64, u64, &str)> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = value.split_at(digits);
    let whole = whole.parse().ok()?;
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some((whole, 0, rest));
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = fraction.split_at(digits);
    let padded = format!("{fraction:0<3}");
    Some((whole, padded.get(..3)?.parse().ok()?, rest))
}
