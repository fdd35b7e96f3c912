//! Whole numbers: `parse_int` of `src/common/proc_args.c`.

use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::suggest::{boolean, leading_number, ungrouped};
use crate::options::text::{Text, is_space};

/// The largest number of nodes, tasks or processors that every release takes (23.02 and later
/// refuse `INT_MAX` and above, earlier ones wrap).
pub(crate) const MAX_COUNT: u64 = 2_147_483_646;
/// The largest number that fits the 16-bit fields of a job; the two above it mean "not set" and
/// "infinite", and sbatch cuts larger ones off without a word.
pub(crate) const MAX_SMALL_COUNT: u64 = 65_533;
/// The largest number of specialised cores or threads; the bit above marks threads.
pub(crate) const MAX_SPECIALIZED: u64 = 0x7fff;

const NEGATIVE: &str = "a negative number is not allowed here";
const TOO_LARGE: &str = "too large for sbatch's own integers";

/// Reads digits and nothing else.
pub(crate) fn digits(text: Text<'_>) -> Result<u64, Fault> {
    if text.is_empty() {
        return Err(text.fault("a whole number is missing here"));
    }
    if !text.is_digits() {
        return Err(text.is_fault("not a whole number"));
    }
    let digit = |value: u64, byte: &u8| value.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
    text.bytes().iter().try_fold(0, digit).ok_or_else(|| text.is_fault(TOO_LARGE))
}

/// Reads what C's `strtol` reads when it must consume everything: blanks, an optional `+`, digits.
pub(crate) fn integer(text: Text<'_>) -> Result<u64, Fault> {
    let body = text.unsigned();
    if body.byte(0) == b'-' && body.skip(1).is_digits() {
        return Err(text.fault(NEGATIVE));
    }
    let length = body.leading_digits();
    if length < body.len() && length > 0 {
        let rest = body.skip(length);
        if is_space(rest.byte(0)) {
            return Err(rest.fault("nothing may follow the number, not even a blank"));
        }
        if rest.byte(0) == b'.' {
            return Err(text.fault("a fraction is not allowed here, only a whole number"));
        }
        return Err(rest.is_fault("not part of a whole number"));
    }
    if body.byte(0) == b'=' {
        return Err(body.take(1).fault("the value starts with `=`"));
    }
    digits(body)
}

/// Reads an [`integer`] between `least` and `most`.
fn between(
    text: Text<'_>,
    (least, below): (u64, &'static str),
    (most, above): (u64, &'static str),
) -> Result<String, Fault> {
    match integer(text)? {
        value if value < least => Err(text.fault(below)),
        value if value > most => Err(text.fault(above)),
        value => Ok(value.to_string()),
    }
}

const ONE: (u64, &str) = (1, "zero is not allowed here, the least is 1");
const ZERO: (u64, &str) = (0, "");

pub(crate) const COUNT: Grammar = Grammar {
    expected: "a whole number from 1 to 2147483646",
    example: "4",
    canonical: |text| {
        between(text, ONE, (MAX_COUNT, "the most that sbatch takes here is 2147483646"))
    },
    integers: Some((1, MAX_COUNT as i128)),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

/// A count of at least one for a 16-bit field.
pub(crate) const SMALL_COUNT: Grammar = Grammar {
    expected: "a whole number from 1 to 65533",
    canonical: |text| {
        let above = "the most that fits is 65533; sbatch silently cuts off larger numbers";
        between(text, ONE, (MAX_SMALL_COUNT, above))
    },
    integers: Some((1, MAX_SMALL_COUNT as i128)),
    ..COUNT
};

/// A 16-bit number that may be zero.
pub(crate) const SMALL_NUMBER: Grammar = Grammar {
    expected: "a whole number from 0 to 65533",
    canonical: |text| between(text, ZERO, (MAX_SMALL_COUNT, "the most that fits is 65533")),
    integers: Some((0, MAX_SMALL_COUNT as i128)),
    ..COUNT
};

/// A number of specialised cores.
pub(crate) const CORE_SPEC: Grammar = Grammar {
    expected: "a whole number from 0 to 32767",
    canonical: |text| {
        let above = "the most that fits is 32767; sbatch takes larger ones for threads";
        between(text, ZERO, (MAX_SPECIALIZED, above))
    },
    integers: Some((0, MAX_SPECIALIZED as i128)),
    ..COUNT
};

/// A number of specialised threads.
pub(crate) const THREAD_SPEC: Grammar = Grammar {
    expected: "a whole number from 1 to 32767",
    example: "8",
    canonical: |text| {
        let above = "the most that fits is 32767; sbatch misreads larger numbers";
        between(text, ONE, (MAX_SPECIALIZED, above))
    },
    integers: Some((1, MAX_SPECIALIZED as i128)),
    ..COUNT
};

pub(crate) const ZERO_OR_ONE: Grammar = Grammar {
    expected: "`0` or `1`",
    example: "1",
    canonical: |text| between(text, ZERO, (1, "only 0 (no) and 1 (yes) have a meaning here")),
    booleans: Some(("1", "0")),
    integers: Some((0, 1)),
    instead: |part| boolean(part).map(|yes| if yes { "1" } else { "0" }),
    nearby: |_, _| Vec::new(),
    ..COUNT
};

pub(crate) fn nearby(value: &str) -> Vec<String> {
    let plain = ungrouped(value.trim());
    let mut proposals = vec![plain.clone()];
    if let Some((whole, 0, "")) = leading_number(&plain) {
        proposals.push(whole.to_string());
    }
    if plain == "0" {
        proposals.push("1".to_owned());
    }
    proposals
}

/// By how much a job's priority is lowered: `arg_set_nice` of `src/common/slurm_opt.c`, which ignores whatever
/// follows the number and reads 0 where there is none.
pub(crate) const NICE: Grammar = Grammar {
    expected: "a whole number between -2147483645 and 2147483645",
    example: "100",
    canonical: |text| {
        let body = text.trim_start();
        let number = body.skip(usize::from(matches!(body.byte(0), b'-' | b'+')));
        match (whole(text, number)?, body.byte(0)) {
            (value, _) if value > MAX_NICE => {
                Err(text.fault("out of range: the most is 2147483645 either way"))
            }
            (value @ 1.., b'-') => Ok(format!("-{value}")),
            (value, _) => Ok(value.to_string()),
        }
    },
    integers: Some((-(MAX_NICE as i128), MAX_NICE as i128)),
    ..Grammar::ANY
};
const MAX_NICE: u64 = 2_147_483_645;

/// A job's priority, or the top of the user's own jobs: `arg_set_priority` of `src/common/slurm_opt.c`, which
/// ignores whatever follows the number and takes 0 for "not set".
pub(crate) const PRIORITY: Grammar = Grammar {
    expected: "`TOP` or a whole number from 1 to 4294967293",
    example: "100",
    canonical: |text| {
        if text.is_any_case("TOP") {
            return Ok("TOP".to_owned());
        }
        let body = text.trim_start();
        if body.byte(0) == b'-' {
            return Err(text.fault("a priority cannot be negative"));
        }
        match whole(text, body.without(b'+'))? {
            0 => {
                Err(text.fault("sbatch does not take 0 as a priority; use `hold` to hold the job"))
            }
            value if value > MAX_PRIORITY => {
                Err(text.fault("out of range: the highest priority is 4294967293"))
            }
            value => Ok(value.to_string()),
        }
    },
    integers: Some((1, MAX_PRIORITY as i128)),
    ..Grammar::ANY
};
const MAX_PRIORITY: u64 = 4_294_967_293;

/// A number that must be all there is; sbatch's `strtoll` would ignore the rest.
fn whole(text: Text<'_>, number: Text<'_>) -> Result<u64, Fault> {
    let length = number.leading_digits();
    if length == 0 {
        return Err(text.is_fault("not a number (sbatch would read 0)"));
    }
    if length < number.len() {
        return Err(number.skip(length).is_fault("not part of a number (sbatch would ignore it)"));
    }
    digits(number)
}
