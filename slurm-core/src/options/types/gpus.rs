//! Numbers of GPUs: `--gpus` and `--gpus-per-*`.

use std::fmt;

use super::resource::{CountOrType, ScaledCount, count, count_or_type, split_count, word};
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

    /// Checks numbers of GPUs.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (part, tail) = list.next_part(b',');
            rest = tail;
            attempt!(item(part));
        }
        Ok(())
    }

    /// Reads numbers of GPUs.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let build = |(kind, count): (Option<Text<'_>>, u64)| GpuCount {
            kind: kind.map(Text::to_text),
            count,
        };
        let items = text.parts(b',').map(|part| item(part).map(build));
        Ok(Self { items: items.collect::<Result<_, _>>()? })
    }
}

const fn item(part: Text<'_>) -> Result<(Option<Text<'_>>, u64), Fault> {
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
        return match attempt!(count_or_type(part)) {
            CountOrType::Count(count) => Ok((None, count)),
            CountOrType::Type if part.is_any_case("gpu") => {
                Err(part.fault("`gpu` is implied here; a number is expected"))
            }
            CountOrType::Type => Ok((Some(part), 1)),
        };
    };
    if kind.find(b':').is_some() {
        return Err(part.skip(kind.len()).is_fault("one part too many: expected type:count"));
    }
    attempt!(word(kind));
    if value.is_empty() {
        return Err(part.fault("the number of GPUs after the type is missing"));
    }
    if kind.is_digits() && !value.byte(0).is_ascii_digit() {
        return Err(part.fault("the type comes before the number"));
    }
    Ok((Some(kind), attempt!(count(value))))
}

typed!(Gpus, Gpus);

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            if let Some(kind) = &item.kind {
                write!(f, "{kind}:")?;
            }
            write!(f, "{}", ScaledCount(item.count))?;
        }
        Ok(())
    }
}
