//! Waiting for the child, with a deadline.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

/// How often is looked.
const POLL: Duration = Duration::from_millis(50);

/// How long one question may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What came of waiting.
pub(crate) enum Answer {
    /// It answers.
    Ready,
    /// It has ended.
    Ended,
    /// It runs and does not answer.
    Silent,
}

/// Waits until the emulator on `port` says that it is ready.
pub(crate) fn wait(port: u16, child: &mut Child, timeout: Duration) -> Answer {
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return Answer::Ended;
        }
        if probe(port).unwrap_or(false) {
            return Answer::Ready;
        }
        std::thread::sleep(POLL);
    }
    Answer::Silent
}

/// Waits until `child` has ended; tells whether it has.
pub(crate) fn ended(child: &mut Child, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        std::thread::sleep(POLL);
    }
    false
}

fn probe(port: u16) -> std::io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(
        b"GET /_ministack/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(head.ends_with(b" 200"))
}
