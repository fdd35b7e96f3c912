//! Signals before the end of a job: `get_signal_opts` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, typed};
use crate::options::suggest::without_part;
use crate::options::text::{Text, is_space};

/// Which signal a job gets, to whom, and how many seconds before its end.
///
/// `[R][B][:]signal[@seconds]`: `B` signals the batch shell alone instead of the job's steps, `R`
/// lets the signal come when a reservation overlaps; without `@` it comes 60 s before the end, and
/// up to 60 s earlier than asked. The signal is a number or one of the names that sbatch knows,
/// with or without `SIG`.
///
/// Slurm's source: `get_signal_opts`, `sig_name2num` in `src/common/proc_args.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal {
    /// Whether the batch shell alone is signalled (`B:`).
    pub batch_shell: bool,
    /// Whether the signal may come for an overlapping reservation (`R:`).
    pub reservation: bool,
    number: u8,
    seconds: u16,
}

/// The names that sbatch maps to numbers.
const NAMES: &[&str] = &[
    "HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CHLD", "CONT",
    "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU",
];
/// Linux's numbers for them.
const NUMBERS: &[u8] = &[1, 2, 3, 6, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24];
const UNKNOWN: &str = "not a signal that sbatch knows; expected HUP, INT, QUIT, ABRT, KILL, ALRM, \
                       TERM, USR1, USR2, PIPE, CHLD, URG, CONT, STOP, TSTP, TTIN, TTOU, XCPU or a \
                       number from 1 to 64";
const MAX_SIGNAL: u64 = 64;
const DEFAULT_SECONDS: u16 = 60;

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`[R][B]:signal[@seconds]`",
    example: "B:USR1@120",
    details: "`B` signals only the batch shell, `R` allows it for overlapping reservations. A \
              signal is a number from 1 to 64 or one of `HUP`, `INT`, `QUIT`, `ABRT`, `KILL`, \
              `ALRM`, `TERM`, `USR1`, `USR2`, `PIPE`, `CHLD`, `URG`, `CONT`, `STOP`, `TSTP`, \
              `TTIN`, `TTOU`, `XCPU`, perhaps with `SIG` before it. Whole seconds before the \
              end, at most 65535; 60 when they are not given.",
    canonical: |text| Ok(Signal::read(text)?.to_string()),
    words: NAMES,
    nearby: |value, fault| {
        let mut proposals = vec![value.replace(',', "@")];
        proposals
            .extend(Some(without_part(value, fault)).filter(|shorter| !shorter.ends_with('@')));
        proposals
    },
    ..Grammar::ANY
};

impl Signal {
    /// Returns the number of the signal, as on Linux.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// Returns the name that sbatch has for the signal, without `SIG`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let index = NUMBERS.iter().position(|number| *number == self.number)?;
        NAMES.get(index).copied()
    }

    /// Returns how many seconds before the job's end the signal comes.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.seconds
    }

    /// Reads a signal.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let (flags, rest) = flags(text);
        let (signal, seconds) = match rest.split_once(b'@') {
            Some((signal, seconds)) => (signal, lead_time(seconds)?),
            None => (rest, DEFAULT_SECONDS),
        };
        let number = signal_number(text, signal)?;
        Ok(Self { batch_shell: flags.0, reservation: flags.1, number, seconds })
    }
}

/// The flags (batch shell, reservation) in front, and the rest.
fn flags(text: Text<'_>) -> ((bool, bool), Text<'_>) {
    fn without(text: Text<'_>, letter: u8) -> (bool, Text<'_>) {
        let is_there = text.byte(0).eq_ignore_ascii_case(&letter);
        (is_there, text.skip(usize::from(is_there)))
    }
    let (before, rest) = without(text, b'R');
    let (batch_shell, rest) = without(rest, b'B');
    let (after, rest) = without(rest, b'R');
    ((batch_shell, before || after), rest.without(b':'))
}

fn signal_number(whole: Text<'_>, text: Text<'_>) -> Result<u8, Fault> {
    let name = text.trim_start().trim_end();
    if name.is_empty() {
        return Err(whole.fault("the signal is missing"));
    }
    if name.is_digits() {
        let number = digits(name)?;
        if number == 0 || number > MAX_SIGNAL {
            return Err(name.is_fault("out of range: signals go from 1 to 64"));
        }
        return Ok(number as u8);
    }
    if name.byte(0) == b'-' && name.skip(1).is_digits() {
        return Err(name.is_fault("out of range: signals go from 1 to 64"));
    }
    let short = if name.starts_with_any_case("SIG") { name.skip(3) } else { name };
    if let Some(number) = short.position_in(NAMES).and_then(|index| NUMBERS.get(index)) {
        return Ok(*number);
    }
    if name.has(b',') {
        return Err(name.is_fault("not a signal; its time in seconds follows after `@`"));
    }
    Err(name.is_fault(UNKNOWN))
}

fn lead_time(text: Text<'_>) -> Result<u16, Fault> {
    let body = text.trim_start();
    if body.is_empty() {
        return Ok(0);
    }
    let (number, rest) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(text.is_fault("not a number of seconds"));
    }
    if !rest.is_empty() {
        return Err(if is_space(rest.byte(0)) {
            rest.fault("nothing may follow the seconds, not even a blank")
        } else if rest.byte(0) == b'.' {
            text.is_fault("not a whole number of seconds")
        } else {
            rest.is_fault("too much: after `@` stand seconds, without a unit")
        });
    }
    let seconds = digits(number)?;
    if seconds > u64::from(u16::MAX) {
        return Err(number.is_fault("too early: the most is 65535 seconds"));
    }
    Ok(seconds as u16)
}

typed!(Signal, GRAMMAR);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reservation {
            f.write_str("R")?;
        }
        if self.batch_shell {
            f.write_str("B")?;
        }
        if self.reservation || self.batch_shell {
            f.write_str(":")?;
        }
        match self.name() {
            // sbatch knows these two names from 23.11 on, and their numbers always.
            Some("PIPE" | "CHLD") | None => write!(f, "{}", self.number)?,
            Some(name) => f.write_str(name)?,
        }
        write!(f, "@{}", self.seconds)
    }
}
