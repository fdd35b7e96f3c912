//! Numbers of GPUs: `--gpus` and `--gpus-per-*`.

use std::fmt;

use super::resource::{CountOrType, ScaledCount, count, count_or_type, split_count, word};
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::text::Text;

/// Numbers of GPUs, each perhaps of one type: `[type:]count` joined by commas.
///
/// A type alone means one of it. `=` before the count (from 23.11) is read and written as `:`.
///
/// Slurm's source: `xfmt_tres` in `src/common/proc_args.c` puts `gpu:` before each item, which is
/// then read as in [`Gres`](super::Gres).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gpus {
    items: Vec<GpuCount>,
}

/// A number of GPUs of one type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GpuCount {
    /// The type, such as `a100`; any when there is none.
    pub kind: Option<String>,
    /// How many.
    pub count: u64,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`[type:]count` joined by commas",
    example: "a100:2",
    details: "A type alone is one GPU of it. Counts may carry `K`, `M`, `G`, `T` or `P`.",
    canonical: |text| Ok(Gpus::read(text)?.to_string()),
    separator: Some(","),
    integers: Some((0, u64::MAX as i128)),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

impl Gpus {
    /// Returns the numbers in the order written.
    #[must_use]
    pub fn items(&self) -> &[GpuCount] {
        &self.items
    }

    /// Returns how many GPUs there are of all types.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.items.iter().fold(0, |sum, item| sum.saturating_add(item.count))
    }

    /// Reads numbers of GPUs.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Ok(Self { items: text.parts(b',').map(item).collect::<Result<_, _>>()? })
    }
}

fn item(part: Text<'_>) -> Result<GpuCount, Fault> {
    let gpus = |kind: Option<Text<'_>>, count| GpuCount { kind: kind.map(Text::to_text), count };
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

fn nearby(value: &str) -> Vec<String> {
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

typed!(Gpus, Gpus);

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, ",", &self.items)
    }
}

impl fmt::Display for GpuCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = &self.kind {
            write!(f, "{kind}:")?;
        }
        write!(f, "{}", ScaledCount(self.count))
    }
}
