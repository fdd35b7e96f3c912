//! A TCP proxy that can add latency and cut connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// For each direction, the number of bytes that may still pass, and the fault within the next ones.
    left: Mutex<[Option<(u64, Fault)>; 2]>,
    /// Whether nothing passes in either direction, without a notice to either side.
    frozen: AtomicBool,
    /// Whether held bytes are still held.
    held: AtomicBool,
    sent: AtomicU64,
    /// The number of bytes that were dropped while frozen.
    swallowed: AtomicU64,
    connections: AtomicUsize,
    /// The ports from which the proxy has connected to the server.
    ports: Mutex<Vec<u16>>,
    /// How often connections will be cut again, and after how many bytes.
    again: Mutex<(usize, u64)>,
    open: Mutex<Vec<TcpStream>>,
}

#[derive(Clone, Copy)]
enum Fault {
    Cut,
    Frost,
    Hold,
}

impl Proxy {
    /// Starts a proxy that delivers bytes after `delay` in each direction, at any rate.
    pub(crate) fn new(server: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                of_thread.connections.fetch_add(1, Ordering::SeqCst);
                let port = server.local_addr().unwrap().port();
                of_thread.ports.lock().unwrap().push(port);
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                    of_thread.open.lock().unwrap().push(stream.try_clone().unwrap());
                }
                carry(&client, &server, delay, Arc::clone(&of_thread), true);
                carry(&server, &client, delay, Arc::clone(&of_thread), false);
            }
        });
        Self { port, shared }
    }

    /// Cuts all connections after this many more bytes to the server.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.shared.left.lock().unwrap()[0] = Some((bytes, Fault::Cut));
    }

    /// Does what [`cut_after`](Self::cut_after) does, and then cuts `times` more, each after `again` more bytes
    /// to the server.
    pub(crate) fn cut_again_after(&self, bytes: u64, times: usize, again: u64) {
        *self.shared.again.lock().unwrap() = (times, again);
        self.cut_after(bytes);
    }

    /// Cuts all connections after this many more bytes from the server.
    pub(crate) fn cut_after_received(&self, bytes: u64) {
        self.shared.left.lock().unwrap()[1] = Some((bytes, Fault::Cut));
    }

    /// Freezes after this many more bytes to the server.
    pub(crate) fn freeze_after(&self, bytes: u64) {
        self.shared.left.lock().unwrap()[0] = Some((bytes, Fault::Frost));
    }

    /// Holds all bytes from the server after this many more, until they are [released](Self::release).
    pub(crate) fn hold_after_received(&self, bytes: u64) {
        self.shared.held.store(true, Ordering::SeqCst);
        self.shared.left.lock().unwrap()[1] = Some((bytes, Fault::Hold));
    }

    pub(crate) fn release(&self) {
        self.shared.held.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.shared.frozen.load(Ordering::SeqCst)
    }

    /// Cuts all connections now. New ones pass.
    pub(crate) fn cut(&self) {
        self.shared.cut();
    }

    /// With `true`, lets nothing pass in either direction, without a notice. With `false`, only new connections
    /// work.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.shared.frozen.store(frozen, Ordering::SeqCst);
    }

    /// Ends a frost, also one that has not come yet.
    #[allow(dead_code, reason = "only the random faults do not wait for the frost")]
    pub(crate) fn thaw(&self) {
        let mut left = self.shared.left.lock().unwrap();
        if matches!(left[0], Some((_, Fault::Frost))) {
            left[0] = None;
        }
        self.freeze(false);
    }

    /// Drops the planned faults, and lets everything pass.
    #[allow(dead_code, reason = "only the random faults plan faults that may not happen")]
    pub(crate) fn heal(&self) {
        *self.shared.left.lock().unwrap() = [None, None];
        self.freeze(false);
    }

    /// Returns the number of bytes sent to the server.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Returns the number of bytes that were dropped while frozen.
    pub(crate) fn swallowed(&self) -> u64 {
        self.shared.swallowed.load(Ordering::SeqCst)
    }

    /// Returns the ports from which the proxy has connected, as the server sees them.
    #[allow(dead_code, reason = "only the random faults distinguish sessions")]
    pub(crate) fn server_ports(&self) -> Vec<u16> {
        self.shared.ports.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn cut(&self) {
        *self.left.lock().unwrap() = [self.next_cut(), None];
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn next_cut(&self) -> Option<(u64, Fault)> {
        let mut again = self.again.lock().unwrap();
        again.0 = again.0.checked_sub(1)?;
        Some((again.1, Fault::Cut))
    }

    /// Returns how many of `bytes` may pass, and the fault after them.
    fn pass(&self, bytes: usize, up: bool) -> (usize, Option<Fault>) {
        let mut all = self.left.lock().unwrap();
        let left = &mut all[usize::from(!up)];
        match left {
            Some((most, fault)) if *most <= bytes as u64 => {
                let passes = (*most as usize, Some(*fault));
                // While nobody can thaw it.
                if matches!(fault, Fault::Frost) {
                    self.frozen.store(true, Ordering::SeqCst);
                }
                *left = None;
                passes
            }
            Some((most, _)) => {
                *most -= bytes as u64;
                (bytes, None)
            }
            None => (bytes, None),
        }
    }
}

/// Carries bytes one way.
fn carry(from: &TcpStream, to: &TcpStream, delay: Duration, shared: Arc<Shared>, up: bool) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (sender, arriving) = mpsc::channel::<(Instant, Vec<u8>)>();
    let of_reader = Arc::clone(&shared);
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let _ = sender.send((Instant::now() + delay, buffer[..read].to_vec()));
            if of_reader.frozen.load(Ordering::SeqCst) {
                of_reader.swallowed.fetch_add(read as u64, Ordering::SeqCst);
                // The network has forgotten this connection.
                loop {
                    thread::park();
                }
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in arriving {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if shared.frozen.load(Ordering::SeqCst) {
                loop {
                    thread::park();
                }
            }
            let (pass, fault) = shared.pass(bytes.len(), up);
            shared.sent.fetch_add(if up { pass as u64 } else { 0 }, Ordering::SeqCst);
            let written = to.write_all(&bytes[..pass]);
            match fault {
                Some(Fault::Cut) => shared.cut(),
                Some(Fault::Hold) => {
                    while shared.held.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(10));
                    }
                    let _ = to.write_all(&bytes[pass..]);
                }
                // It was frozen at that byte.
                Some(Fault::Frost) | None => {}
            }
            if written.is_err() || matches!(fault, Some(Fault::Cut)) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
