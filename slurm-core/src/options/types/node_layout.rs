//! Sockets, cores and threads: `verify_socket_core_thread_count` of `src/common/proc_args.c`.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::suggest::swapped;
use crate::options::text::Text;

/// Sockets per node, cores per socket and threads per core that nodes must have: `verify_socket_core_thread_count`,
/// `get_resource_arg_range` in `src/common/proc_args.c`.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`sockets[:cores[:threads]]`, each a number, a range or `*`",
    example: "2:8:1",
    details: "`k` and `m` multiply by 1024 and 1048576.",
    canonical: |text| {
        let mut fields = Vec::new();
        for part in text.parts(b':') {
            if fields.len() == 3 {
                let rest = text.skip(part.start() - text.start());
                return Err(rest.is_fault("too much: only sockets, cores and threads are read"));
            }
            fields.push(field(part)?);
        }
        Ok(fields.join(":"))
    },
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

fn field(part: Text<'_>) -> Result<String, Fault> {
    if part.is_empty() || part.is("*") {
        return Ok("*".to_owned());
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
        return Ok(number(part)?.to_string());
    };
    match (number(low)?, number(high)?) {
        (least, most) if most < least => {
            Err(part.fault("the range is upside down: the smaller number comes first"))
        }
        (least, most) if most == least => Ok(least.to_string()),
        (least, most) => Ok(format!("{least}-{most}")),
    }
}

fn number(text: Text<'_>) -> Result<u64, Fault> {
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
    Ok(value)
}
