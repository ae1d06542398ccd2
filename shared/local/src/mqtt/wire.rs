//! One connection's bytes: a buffer in, a buffer out, and time limits on both.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{
    codec::{self, Frame},
    fault::Fault,
};

/// Bytes a buffer starts with, and shrinks back to when it is empty.
const BUFFER_BYTES: usize = 4 * 1024;

/// Bytes an empty buffer may keep.
const BUFFER_KEPT_BYTES: usize = 32 * 1024;

/// How long a client may take to read what it is sent.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How long a closed connection is read, so that the last packet sent is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// A stream with its buffers.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::with_capacity(BUFFER_BYTES), output: BytesMut::new() }
    }

    /// Takes the next frame that is already here.
    pub(super) fn take_frame(&mut self) -> Result<Option<Frame>, Fault> {
        codec::take_frame(&mut self.input)
    }

    /// Waits for more bytes; may be dropped and called again without losing any.
    pub(super) async fn fill(&mut self) -> Result<(), Fault> {
        if self.input.is_empty() && self.input.capacity() > BUFFER_KEPT_BYTES {
            self.input = BytesMut::with_capacity(BUFFER_BYTES);
        }
        self.input.reserve(BUFFER_BYTES);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// Waits for the first frame, which must be a CONNECT's; others are refused before they are whole.
    pub(super) async fn first_frame(&mut self) -> Result<Frame, Fault> {
        loop {
            if self.input.first().is_some_and(|&first| first != codec::CONNECT) {
                return Err(Fault::Protocol("the first packet is not a CONNECT"));
            }
            if let Some(frame) = self.take_frame()? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// Adds bytes to be sent by the next [`flush`](Self::flush).
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Sends what was pushed.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sent = timeout(WRITE_WITHIN, self.stream.write_all(&self.output)).await;
        self.output.clear();
        if self.output.capacity() > BUFFER_KEPT_BYTES {
            self.output = BytesMut::new();
        }
        match sent {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Fault::NotReading),
        }
    }

    /// Sends bytes that are not worth copying.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), Fault> {
        self.flush().await?;
        match timeout(WRITE_WITHIN, self.stream.write_all(&bytes)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Fault::NotReading),
        }
    }

    /// Sends what is left, says that no more follows, and reads on for a moment.
    pub(super) async fn close(&mut self) {
        const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
        if self.flush().await.is_err() || self.stream.shutdown().await.is_err() {
            return;
        }
        let discard = async {
            let mut discarded = 0;
            while discarded < DISCARDED_BYTES_MAX {
                self.input.clear();
                self.input.reserve(BUFFER_BYTES);
                match self.stream.read_buf(&mut self.input).await {
                    Ok(0) | Err(_) => break,
                    Ok(bytes) => discarded += bytes,
                }
            }
        };
        if timeout(LINGER, discard).await.is_err() {
            tracing::debug!("mqtt client did not close its side");
        }
    }
}
