//! One connection, shared by everybody who asks something of the host.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::lane::{Flight, Lane, Opening, Step};
use super::shell::{Marker, Request};
use super::way::Way;

/// An authenticated connection and the thread that serves it.
///
/// Each *lane* is a channel with a shell behind it that takes one request after the other. A request
/// costs one round trip. There are as many lanes as are needed at once, up to [`LANES`] or what the
/// server allows, so a command that hangs keeps no other one waiting.
#[derive(Debug)]
pub(super) struct Link {
    orders: mpsc::Sender<Flight>,
    wake: UnixStream,
    alive: Arc<AtomicBool>,
    room: Arc<Room>,
    marker: Marker,
}

/// How many requests there may be without one waiting for another, and how many there are.
#[derive(Debug)]
struct Room {
    lanes: AtomicUsize,
    requests: AtomicUsize,
}

/// What became of a request without an answer.
#[derive(Debug)]
pub(super) struct Lost {
    /// What had come of the answer.
    pub(super) partial: Vec<u8>,
    /// Whether the host may have received any of the request.
    pub(super) sent: bool,
    pub(super) reason: String,
}

/// An answer, or why there is none.
pub(super) type Reply = Result<Vec<u8>, Lost>;

/// A request that is on its way.
#[derive(Debug)]
pub(super) struct Pending {
    reply: mpsc::Receiver<Reply>,
    room: Option<Arc<Room>>,
}

/// OpenSSH's servers allow ten unless they are told otherwise.
const LANES: usize = 4;

/// How long a shell may take to come up on a connection that was made for it.
pub(super) const START: Duration = Duration::from_secs(60);

impl Pending {
    pub(super) fn wait(self) -> Reply {
        let ended = |_| Lost {
            partial: Vec::new(),
            sent: true,
            reason: "the connection was closed".to_owned(),
        };
        self.reply.recv().map_err(ended)?
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.requests.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Link {
    /// Starts to serve a connection: the first shell is started with `command` and told `prelude`,
    /// whose answer comes back, within `limit`.
    pub(super) fn open(
        way: Way,
        limit: Duration,
        marker: Marker,
        command: String,
        prelude: Vec<u8>,
    ) -> Result<(Self, Vec<u8>), Lost> {
        let failed =
            |error: io::Error| Lost { partial: Vec::new(), sent: false, reason: error.to_string() };
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        wake.set_nonblocking(true).and_then(|()| woken.set_nonblocking(true)).map_err(failed)?;
        let (orders, taken) = mpsc::channel();
        let (hello, said) = mpsc::channel();
        let alive = Arc::new(AtomicBool::new(true));
        let room = Room { lanes: AtomicUsize::new(usize::MAX), requests: AtomicUsize::new(0) };
        let room = Arc::new(room);
        let mut driver = Driver {
            way,
            limit,
            woken,
            orders: taken,
            waiting: VecDeque::new(),
            lanes: Vec::new(),
            opening: None,
            most: LANES,
            room: Arc::clone(&room),
            command,
            prelude,
            hello: Some(hello),
            marker: marker.clone(),
            scratch: vec![0; 256 << 10],
        };
        let ended = Arc::clone(&alive);
        thread::Builder::new()
            .name("slurm-ssh".to_owned())
            .spawn(move || {
                let reason = driver.run();
                ended.store(false, Ordering::SeqCst);
                driver.end(&reason);
            })
            .map_err(failed)?;
        let facts = Pending { reply: said, room: None }.wait()?;
        Ok((Self { orders, wake, alive, room, marker }, facts))
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// Returns whether the next request would wait for another one, because the server gives no further session.
    pub(super) fn is_full(&self) -> bool {
        self.room.requests.load(Ordering::SeqCst) >= self.room.lanes.load(Ordering::SeqCst)
    }

    pub(super) fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Sends a request without waiting for the answer.
    pub(super) fn start(&self, request: Request) -> Pending {
        let (reply, pending) = mpsc::channel();
        // If the thread has ended, both ends of the reply are gone and `wait` says so.
        let _ = self.orders.send(Flight::new(request, reply));
        // Full is fine as well: it will wake.
        let _ = (&self.wake).write(&[0]);
        self.room.requests.fetch_add(1, Ordering::SeqCst);
        Pending { reply: pending, room: Some(Arc::clone(&self.room)) }
    }
}

struct Driver {
    way: Way,
    /// How long a shell may take to come up.
    limit: Duration,
    woken: UnixStream,
    orders: mpsc::Receiver<Flight>,
    waiting: VecDeque<Flight>,
    lanes: Vec<Lane>,
    opening: Option<Opening>,
    most: usize,
    room: Arc<Room>,
    command: String,
    prelude: Vec<u8>,
    hello: Option<mpsc::Sender<Reply>>,
    marker: Marker,
    scratch: Vec<u8>,
}

impl Driver {
    /// Serves until the connection is lost or nobody needs it any more, and returns why.
    fn run(&mut self) -> String {
        self.opening = Some(Opening::new());
        loop {
            if !self.take_orders() {
                return "the connection is no longer needed".to_owned();
            }
            match self.work() {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(reason) = self.check_time().and_then(|()| self.wait()) {
                        return reason;
                    }
                }
                Err(reason) => return reason,
            }
        }
    }

    /// Returns whether anybody may still want something.
    fn take_orders(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(flight) => self.waiting.push_back(flight),
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => {
                    let busy = self.lanes.iter().any(|lane| !lane.flights.is_empty());
                    return busy || !self.waiting.is_empty() || self.hello.is_some();
                }
            }
        }
    }

    /// Does what can be done without waiting, and returns whether that was anything.
    fn work(&mut self) -> Result<bool, String> {
        let mut progress = self.open_lane()?;
        let mut ended = None;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            match lane.work(&mut self.scratch) {
                Step::Progress => progress = true,
                Step::Idle => {}
                // So that nobody tries the other lanes one after the other.
                Step::Failed(reason) if self.way.is_gone() => return Err(reason),
                Step::Ended(reason) | Step::Failed(reason) => {
                    ended = ended.or(Some((index, reason)));
                }
            }
        }
        if let Some((index, reason)) = ended {
            progress = true;
            let mut lane = self.lanes.remove(index);
            let was_ready = lane.ready;
            let is_gone = was_ready && lane.channel.is_gone();
            lane.end(&reason);
            if is_gone {
                return Err(reason);
            }
            if !was_ready {
                // It does not give another shell; there may be one that works.
                if self.lanes.is_empty() {
                    return Err(reason);
                }
                self.give_no_more();
            }
        }
        Ok(self.assign() || progress)
    }

    fn open_lane(&mut self) -> Result<bool, String> {
        let Some(opening) = &mut self.opening else { return Ok(false) };
        match opening.work(&self.way, &self.command) {
            Ok(None) => Ok(false),
            Ok(Some(channel)) => {
                self.opening = None;
                let (reply, _) = mpsc::channel();
                let reply = self.hello.take().unwrap_or(reply);
                let prelude = Request::raw(self.prelude.clone(), self.limit);
                self.lanes.push(Lane::new(channel, &self.marker, Flight::new(prelude, reply)));
                Ok(true)
            }
            Err(error) if self.lanes.is_empty() => Err(format!("no shell: {error}")),
            Err(error) => {
                log::debug!(
                    "this server allows no more than {} channels at once: {error}",
                    self.lanes.len()
                );
                self.opening = None;
                self.give_no_more();
                Ok(true)
            }
        }
    }

    /// Makes do with the lanes that there are. What waits for another one goes back, as there may be another
    /// connection for it; but not a piece of a file, which follows the one before.
    fn give_no_more(&mut self) {
        self.most = self.lanes.len();
        self.room.lanes.store(self.most, Ordering::SeqCst);
        let waiting = std::mem::take(&mut self.waiting);
        let (pieces, others): (VecDeque<Flight>, VecDeque<Flight>) =
            waiting.into_iter().partition(|flight| flight.request.bulk);
        self.waiting = pieces;
        for flight in others {
            let reason = format!("the server gives {} sessions at once", self.most);
            let _ = flight.reply.send(Err(Lost { partial: Vec::new(), sent: false, reason }));
        }
    }

    /// Gives what waits to lanes that are free, and returns whether there is more to do now.
    fn assign(&mut self) -> bool {
        let mut progress = false;
        while let Some(flight) = self.waiting.front() {
            let bulk = flight.request.bulk;
            let free = self.lanes.iter().position(|lane| lane.ready && lane.flights.is_empty());
            let next = free.or_else(|| {
                let follows = |lane: &Lane| match &*lane.flights.iter().collect::<Vec<_>>() {
                    [before] => lane.ready && before.request.bulk,
                    _ => false,
                };
                self.lanes.iter().position(|lane| bulk && follows(lane))
            });
            match next {
                Some(index) => {
                    let flight = self.waiting.pop_front();
                    self.lanes[index].flights.extend(flight);
                    self.lanes[index].moved = Instant::now();
                    progress = true;
                }
                None => {
                    if self.opening.is_none() && self.lanes.len() < self.most {
                        self.opening = Some(Opening::new());
                        progress = true;
                    }
                    break;
                }
            }
        }
        progress
    }

    /// Gives up if something has not happened in time.
    fn check_time(&mut self) -> Result<(), String> {
        for lane in &self.lanes {
            if let Some(flight) = lane.flights.front()
                && lane.moved.elapsed() > flight.request.quiet
            {
                return Err(format!("no answer for {} s", flight.request.quiet.as_secs()));
            }
        }
        if self.opening.as_ref().is_some_and(|opening| opening.began.elapsed() > self.limit) {
            return Err(format!("no shell within {} s", self.limit.as_secs()));
        }
        self.way.keep_alive()
    }

    /// Waits until the connection can be used, somebody asks for something, or it is time for a look.
    fn wait(&mut self) -> Result<(), String> {
        let woken = self.way.wait(&self.lanes, &self.woken, Duration::from_secs(1));
        if woken.map_err(|error| error.to_string())? {
            let mut buffer = [0; 64];
            while matches!((&self.woken).read(&mut buffer), Ok(1..)) {}
        }
        Ok(())
    }

    /// Tells everybody who waits.
    fn end(&mut self, reason: &str) {
        log::debug!("an SSH connection has ended: {reason}");
        let lost = |partial, sent| Lost { partial, sent, reason: reason.to_owned() };
        if let Some(hello) = self.hello.take() {
            let _ = hello.send(Err(lost(Vec::new(), false)));
        }
        for lane in self.lanes.drain(..) {
            lane.end(reason);
        }
        for flight in self.waiting.drain(..).chain(self.orders.try_iter()) {
            let _ = flight.reply.send(Err(lost(Vec::new(), false)));
        }
    }
}
