//! Sockets, cores and threads: `verify_socket_core_thread_count` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

/// The field is copied into a buffer of this size.
const MAX_FIELD: usize = 47;

impl NodeLayout {
    /// Returns least and most of sockets, cores and threads, as far as they are given; `None` for
    /// any.
    #[must_use]
    pub fn fields(&self) -> &[Option<(u32, u32)>] {
        &self.fields
    }

    /// Checks a layout.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        let mut count = 0;
        while let Some(list) = rest {
            let (part, tail) = list.next_part(b':');
            rest = tail;
            count += 1;
            if count > 3 {
                return Err(list.is_fault("too much: only sockets, cores and threads are read"));
            }
            attempt!(field(part));
        }
        Ok(())
    }

    /// Reads a layout.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        Ok(Self { fields: text.parts(b':').map(field).collect::<Result<_, _>>()? })
    }
}

const fn field(part: Text<'_>) -> Result<Option<(u32, u32)>, Fault> {
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
        let value = attempt!(number(part));
        return Ok(Some((value, value)));
    };
    let least = attempt!(number(low));
    let most = attempt!(number(high));
    if most < least {
        return Err(part.fault("the range is upside down: the smaller number comes first"));
    }
    Ok(Some((least, most)))
}

const fn number(text: Text<'_>) -> Result<u32, Fault> {
    let body = text.trim_start();
    let body = if body.byte(0) == b'+' { body.skip(1) } else { body };
    let (number, unit) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(text.is_fault("not a number; expected a number, a range or `*`"));
    }
    let mut value = attempt!(digits(number));
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
        for (index, field) in self.fields.iter().enumerate() {
            f.write_str(if index > 0 { ":" } else { "" })?;
            match field {
                None => f.write_str("*")?,
                Some((least, most)) if least == most => write!(f, "{least}")?,
                Some((least, most)) => write!(f, "{least}-{most}")?,
            }
        }
        Ok(())
    }
}
