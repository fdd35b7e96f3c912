//! Asking on the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::prompt::{Prompt, Prompter};

/// The terminal of this process, if it has one.
#[derive(Debug)]
pub(super) struct Terminal;

impl Prompter for Terminal {
    fn ask(&self, prompt: &Prompt<'_>) -> Option<String> {
        let answer = open().and_then(|mut terminal| ask(&mut terminal, prompt));
        answer.unwrap_or_else(|error| {
            log::debug!("the terminal cannot be used: {error}");
            None
        })
    }

    fn is_somebody(&self) -> bool {
        open().is_ok()
    }
}

fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

fn ask(terminal: &mut File, prompt: &Prompt<'_>) -> io::Result<Option<String>> {
    // Before the question: who answers at once must not be seen either.
    let unseen = if prompt.echo { None } else { Some(Unseen::begin(terminal)?) };
    let separator = if prompt.instruction.is_empty() { "" } else { "\n" };
    write!(terminal, "{}{separator}{}", prompt.instruction, prompt.text)?;
    terminal.flush()?;
    if !is_answered(terminal, prompt.limit)? {
        drop(unseen);
        writeln!(terminal, "\nno answer within {} s: given up", prompt.limit.as_secs())?;
        return Ok(None);
    }
    // The terminal hands out a line at a time, and no more than this.
    let mut line = Zeroizing::new([0; 4096]);
    let read = loop {
        match terminal.read(&mut *line) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    let line = &line[..read];
    let interrupted = unseen.as_ref().is_some_and(|unseen| line.last() == Some(&unseen.interrupt));
    drop(unseen);
    if interrupted {
        // Now that the terminal is as it was, the signal may end this process.
        kill_process(getpid(), Signal::INT)?;
        return Ok(None);
    }
    let Some(text) = line.strip_suffix(b"\n") else { return Ok(None) };
    Ok(std::str::from_utf8(text).ok().map(str::to_owned))
}

/// Waits for a line, and returns whether it came.
fn is_answered(terminal: &File, limit: Duration) -> io::Result<bool> {
    let began = Instant::now();
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A terminal that does not show what is typed, and is as before in the end.
struct Unseen {
    terminal: File,
    before: Termios,
    /// What Ctrl-C sends. It ends the line instead of the process, which could not tidy up.
    interrupt: u8,
}

impl Unseen {
    fn begin(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let interrupt = before.special_codes[SpecialCodeIndex::VINTR];
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        now.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON);
        now.special_codes[SpecialCodeIndex::VEOL] = interrupt;
        tcsetattr(&terminal, OptionalActions::Flush, &now)?;
        Ok(Self { terminal, before, interrupt })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
