//! A channel with a shell behind it.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc;
use std::time::Instant;

use memchr::memmem::Finder;
use ssh2::Session;

use super::link::{Lost, Reply};
use super::shell::{Marker, Request};
use super::way::{Channel, Way, would_block};
use crate::ssh::is_noise;

/// A request, on its way or waiting.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) request: Request,
    pub(super) reply: mpsc::Sender<Reply>,
    /// How much of it is written.
    written: usize,
}

impl Flight {
    pub(super) fn new(request: Request, reply: mpsc::Sender<Reply>) -> Self {
        Self { request, reply, written: 0 }
    }
}

/// A lane that is not there yet.
pub(super) struct Opening {
    channel: Option<ssh2::Channel>,
    pub(super) began: Instant,
}

/// How much of an answer may be under way at once. The product of bandwidth and delay has to fit into it.
const WINDOW: u32 = 8 << 20;

impl Opening {
    pub(super) fn new() -> Self {
        Self { channel: None, began: Instant::now() }
    }

    /// Returns the channel once its shell is started.
    pub(super) fn work(&mut self, way: &Way, command: &str) -> io::Result<Option<Channel>> {
        match way {
            Way::Session { session, .. } => {
                let channel = self.open(session, command)?;
                Ok(channel.map(Channel::Session))
            }
            Way::Master(master) => {
                master.exec(command).map(|channel| Some(Channel::Master(channel)))
            }
        }
    }

    fn open(
        &mut self,
        session: &Session,
        command: &str,
    ) -> Result<Option<ssh2::Channel>, ssh2::Error> {
        let step = match self.channel.take() {
            None => session.channel_open("session", WINDOW, 32 << 10, None).map(|channel| {
                self.channel = Some(channel);
                None
            }),
            Some(mut channel) => match channel.exec(command) {
                Ok(()) => Ok(Some(channel)),
                Err(error) => {
                    self.channel = Some(channel);
                    Err(error)
                }
            },
        };
        match step {
            // The next step needs no waiting.
            Ok(None) => self.open(session, command),
            Err(error) if would_block(&error) => Ok(None),
            other => other,
        }
    }
}

/// What a turn came to.
pub(super) enum Step {
    Progress,
    Idle,
    Ended(String),
    /// As the session says; maybe the connection itself is gone.
    Failed(String),
}

/// A channel with a shell that takes one request after the other.
pub(super) struct Lane {
    pub(super) channel: Channel,
    pub(super) flights: VecDeque<Flight>,
    /// Whether the shell has said hello.
    pub(super) ready: bool,
    /// When bytes last moved, or a request came.
    pub(super) moved: Instant,
    end: Finder<'static>,
    answer: Vec<u8>,
    searched: usize,
    complaints: Vec<u8>,
}

/// Others have a turn after this much.
const TURN: usize = 4 << 20;

impl Lane {
    pub(super) fn new(channel: Channel, marker: &Marker, hello: Flight) -> Self {
        Self {
            channel,
            flights: VecDeque::from([hello]),
            ready: false,
            moved: Instant::now(),
            end: Finder::new(marker.end().as_bytes()).into_owned(),
            answer: Vec::new(),
            searched: 0,
            complaints: Vec::new(),
        }
    }

    /// Writes and reads what can be without waiting.
    pub(super) fn work(&mut self, scratch: &mut [u8]) -> Step {
        match self.write().and_then(|wrote| Ok(self.read(scratch)? || wrote)) {
            Ok(true) => {
                self.moved = Instant::now();
                Step::Progress
            }
            Ok(false) if self.channel.eof() => Step::Ended(self.last_words()),
            Ok(false) => Step::Idle,
            Err(error) => Step::Failed(error.to_string()),
        }
    }

    /// Returns whether there is something to be written.
    pub(super) fn has_to_write(&self) -> bool {
        self.flights.iter().any(|flight| flight.written < flight.request.bytes.len())
    }

    fn write(&mut self) -> io::Result<bool> {
        let mut progress = false;
        for flight in &mut self.flights {
            let mut turn = 0;
            while flight.written < flight.request.bytes.len() {
                if turn > TURN {
                    return Ok(true);
                }
                match self.channel.write(&flight.request.bytes[flight.written..]) {
                    Ok(0) => return Ok(progress),
                    Ok(written) => {
                        flight.written += written;
                        turn += written;
                        progress = true;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(progress),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(progress)
    }

    fn read(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        let mut turn = 0;
        loop {
            let out = available(self.channel.read(scratch))?;
            self.answer.extend_from_slice(&scratch[..out]);
            let told = available(self.channel.read_stderr(scratch))?;
            self.complaints.extend_from_slice(&scratch[..told]);
            let excess = self.complaints.len().saturating_sub(4 << 10);
            self.complaints.drain(..excess);
            turn += out + told;
            if out + told == 0 || turn > TURN {
                break;
            }
        }
        self.deliver();
        Ok(turn > 0)
    }

    /// Hands over the answers that are whole.
    fn deliver(&mut self) {
        while let Some(at) = self.end.find(&self.answer[self.searched..]) {
            let at = self.searched + at;
            let rest = self.answer.split_off(at + self.end.needle().len());
            let mut answer = std::mem::replace(&mut self.answer, rest);
            answer.truncate(at);
            self.searched = 0;
            self.ready = true;
            if let Some(flight) = self.flights.pop_front() {
                let _ = flight.reply.send(Ok(answer));
            }
        }
        self.searched = self.answer.len().saturating_sub(self.end.needle().len());
    }

    /// Why the shell has ended, as far as it said.
    fn last_words(&self) -> String {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let line = text.lines().rev().find(|line| !is_noise(line));
            line.map(|line| line.trim().chars().filter(|c| !c.is_control()).collect::<String>())
        };
        let said = text(&self.complaints);
        let said = if self.ready { said } else { said.or_else(|| text(&self.answer)) };
        said.map_or_else(
            || "the shell on the host has ended".to_owned(),
            |said| format!("the shell on the host has ended: {said}"),
        )
    }

    /// Tells those who wait for this lane.
    pub(super) fn end(self, reason: &str) {
        let mut partial = self.answer;
        for flight in self.flights {
            let lost = Lost {
                partial: std::mem::take(&mut partial),
                sent: flight.written > 0,
                reason: reason.to_owned(),
            };
            let _ = flight.reply.send(Err(lost));
        }
    }
}

fn available(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
