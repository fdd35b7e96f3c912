//! Sockets, cores and threads: `verify_socket_core_thread_count` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::suggest::swapped;
use crate::options::text::Text;

/// Sockets per node, cores per socket and threads per core that nodes must have.
///
/// `sockets[:cores[:threads]]`; each a number (with `k` or `m` for 1024 and 1,048,576), a range, or
/// `*` or nothing for any.
///
/// Slurm's source: `verify_socket_core_thread_count`, `get_resource_arg_range` in
/// `src/common/proc_args.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeLayout {
    fields: Vec<Option<(u32, u32)>>,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`sockets[:cores[:threads]]`, each a number, a range or `*`",
    example: "2:8:1",
    details: "`k` and `m` multiply by 1024 and 1048576.",
    canonical: |text| Ok(NodeLayout::read(text)?.to_string()),
    nearby: |value, _| {
        let three: Vec<&str> = value.split(':').take(3).collect();
        let star = |field: &&str| {
            if field.starts_with('*') { "*".to_owned() } else { (*field).to_owned() }
        };
        let stars: Vec<String> = three.iter().map(star).collect();
        let mut proposals = vec![three.join(":"), stars.join(":")];
        proposals.extend(swapped(value));
        proposals
    },
    ..Grammar::ANY
};

/// The field is copied into a buffer of this size.
const MAX_FIELD: usize = 47;

impl NodeLayout {
    /// Returns least and most of sockets, cores and threads, as far as they are given; `None` for
    /// any.
    #[must_use]
    pub fn fields(&self) -> &[Option<(u32, u32)>] {
        &self.fields
    }

    /// Reads a layout.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let mut fields = Vec::new();
        for part in text.parts(b':') {
            if fields.len() == 3 {
                let rest = text.skip(part.start() - text.start());
                return Err(rest.is_fault("too much: only sockets, cores and threads are read"));
            }
            fields.push(field(part)?);
        }
        Ok(Self { fields })
    }
}

fn field(part: Text<'_>) -> Result<Option<(u32, u32)>, Fault> {
    if part.is_empty() || part.is("*") {
        return Ok(None);
    }
    if part.byte(0) == b'*' {
        return Err(part.is_fault("more than `*` (sbatch would ignore the rest)"));
    }
    if part.byte(0) == b'-' {
        return Err(part.is_fault("negative; expected a number, a range or `*`"));
    }
    if part.len() > MAX_FIELD {
        return Err(part.is_fault("too long a number"));
    }
    let Some((low, high)) = part.split_once(b'-') else {
        let value = number(part)?;
        return Ok(Some((value, value)));
    };
    let least = number(low)?;
    let most = number(high)?;
    if most < least {
        return Err(part.fault("the range is upside down: the smaller number comes first"));
    }
    Ok(Some((least, most)))
}

fn number(text: Text<'_>) -> Result<u32, Fault> {
    let body = text.unsigned();
    let (number, unit) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(text.is_fault("not a number; expected a number, a range or `*`"));
    }
    let mut value = digits(number)?;
    match unit.byte(0) {
        0 => {}
        b'k' | b'K' if unit.len() == 1 => value = value.saturating_mul(1024),
        b'm' | b'M' if unit.len() == 1 => value = value.saturating_mul(1_048_576),
        _ => return Err(text.is_fault("not a whole number; expected a number, a range or `*`")),
    }
    if value > i32::MAX as u64 {
        return Err(text.is_fault("too large a number"));
    }
    Ok(value as u32)
}

typed!(NodeLayout, NodeLayout);

impl fmt::Display for NodeLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = |field: &Option<(u32, u32)>| match field {
            None => "*".to_owned(),
            Some((least, most)) if least == most => least.to_string(),
            Some((least, most)) => format!("{least}-{most}"),
        };
        write_list(f, ":", self.fields.iter().map(field))
    }
}
