//! Something between the program and a server, which counts connections, cuts them off, or says nothing any more.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What happens once the server has sent so many bytes on a connection.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Cut,
    Silence,
}

/// A way to a server of this machine.
pub(crate) struct Between {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    after: Arc<AtomicU64>,
    passed: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Between {
    /// One that lets everything pass, to the server at this port.
    pub(crate) fn start(to: u16) -> Self {
        Self::with(to, Then::Cut)
    }

    /// One that does this to each connection, once it was told after how many bytes.
    pub(crate) fn with(to: u16, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let between = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            after: Arc::new(AtomicU64::new(u64::MAX)),
            passed: Arc::default(),
            over: Arc::default(),
        };
        let (connections, after, passed, over) = (
            Arc::clone(&between.connections),
            Arc::clone(&between.after),
            Arc::clone(&between.passed),
            Arc::clone(&between.over),
        );
        thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", to)))
                else {
                    continue;
                };
                connections.fetch_add(1, Ordering::Relaxed);
                passed.store(0, Ordering::Relaxed);
                let (from_client, to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pump(from_client, to_server));
                let (after, passed) = (after.load(Ordering::Relaxed), Arc::clone(&passed));
                thread::spawn(move || pump_until(server, client, after, then, &passed));
            }
        });
        between
    }

    /// From the next connection on, it happens after so many bytes of the server.
    pub(crate) fn after(&self, bytes: u64) {
        self.after.store(bytes, Ordering::Relaxed);
    }

    /// How many connections there were since this was asked last.
    pub(crate) fn connections(&self) -> usize {
        self.connections.swap(0, Ordering::Relaxed)
    }

    /// How many bytes the server has sent on the last connection.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn pump_until(mut from: TcpStream, mut to: TcpStream, most: u64, then: Then, passed: &AtomicU64) {
    let mut left = most;
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Ok(read @ 1..) = from.read(&mut buffer[..room]) else {
            break;
        };
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed.fetch_add(read as u64, Ordering::Relaxed);
        left -= read as u64;
    }
    if left == 0 && matches!(then, Then::Silence) {
        // Until the client has had enough.
        let mut rest = [0; 1];
        let _ = to.set_read_timeout(Some(Duration::from_secs(60)));
        let _ = to.peek(&mut rest);
        thread::sleep(Duration::from_secs(30));
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
