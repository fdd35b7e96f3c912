//! Signals before the end of a job: `get_signal_opts` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, is_space};

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

/// The names that sbatch maps to numbers, with Linux's numbers.
const NAMES: &[(&str, u8)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
];
const UNKNOWN: &str = "not a signal that sbatch knows; expected HUP, INT, QUIT, ABRT, KILL, ALRM, \
                       TERM, USR1, USR2, PIPE, CHLD, URG, CONT, STOP, TSTP, TTIN, TTOU, XCPU or a \
                       number from 1 to 64";
const MAX_SIGNAL: u64 = 64;
const DEFAULT_SECONDS: u16 = 60;

impl Signal {
    /// Returns the number of the signal, as on Linux.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// Returns the name that sbatch has for the signal, without `SIG`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(_, number)| *number == self.number).map(|(name, _)| *name)
    }

    /// Returns how many seconds before the job's end the signal comes.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.seconds
    }

    /// Reads a signal.
    pub(crate) const fn read(text: Text<'_>) -> Result<Self, Fault> {
        let (flags, rest) = flags(text);
        let (signal, seconds) = match rest.split_once(b'@') {
            Some((signal, seconds)) => (signal, attempt!(lead_time(seconds))),
            None => (rest, DEFAULT_SECONDS),
        };
        let number = attempt!(signal_number(text, signal));
        Ok(Self { batch_shell: flags.0, reservation: flags.1, number, seconds })
    }
}

/// The flags (batch shell, reservation) in front, and what follows them.
const fn flags(text: Text<'_>) -> ((bool, bool), Text<'_>) {
    let mut rest = text;
    let mut reservation = false;
    let mut batch_shell = false;
    if rest.byte(0).eq_ignore_ascii_case(&b'R') {
        reservation = true;
        rest = rest.skip(1);
    }
    if rest.byte(0).eq_ignore_ascii_case(&b'B') {
        batch_shell = true;
        rest = rest.skip(1);
    }
    if rest.byte(0).eq_ignore_ascii_case(&b'R') {
        reservation = true;
        rest = rest.skip(1);
    }
    if rest.byte(0) == b':' {
        rest = rest.skip(1);
    }
    ((batch_shell, reservation), rest)
}

const fn signal_number(whole: Text<'_>, text: Text<'_>) -> Result<u8, Fault> {
    let name = text.trim_start().trim_end();
    if name.is_empty() {
        return Err(whole.fault("the signal is missing"));
    }
    if name.is_digits() {
        let number = attempt!(digits(name));
        if number == 0 || number > MAX_SIGNAL {
            return Err(name.is_fault("out of range: signals go from 1 to 64"));
        }
        return Ok(number as u8);
    }
    if name.byte(0) == b'-' && name.skip(1).is_digits() {
        return Err(name.is_fault("out of range: signals go from 1 to 64"));
    }
    let short = if name.starts_with_any_case("SIG") { name.skip(3) } else { name };
    let mut index = 0;
    while index < NAMES.len() {
        if short.is_any_case(NAMES[index].0) {
            return Ok(NAMES[index].1);
        }
        index += 1;
    }
    if name.find(b',').is_some() {
        return Err(name.is_fault("not a signal; its time in seconds follows after `@`"));
    }
    Err(name.is_fault(UNKNOWN))
}

const fn lead_time(text: Text<'_>) -> Result<u16, Fault> {
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
    let seconds = attempt!(digits(number));
    if seconds > u16::MAX as u64 {
        return Err(number.is_fault("too early: the most is 65535 seconds"));
    }
    Ok(seconds as u16)
}

typed!(Signal, Signal);

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
