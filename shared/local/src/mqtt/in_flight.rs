//! The messages of one connection that are with the handler.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream::FuturesOrdered};
use mqtt_proto::{Pid, QosPid, TopicName};

use super::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX, Refused, UNRELEASED_MAX, fault::Fault};

/// What is to be done for a message once the handler is done with it.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) message: QosPid,
    pub(super) payload_bytes: usize,
    /// What subscribers are sent; none when there were none.
    pub(super) copy: Option<(TopicName, Bytes)>,
}

/// Messages with the handler, which runs concurrently and whose answers come in the order of receipt.
pub(super) struct InFlight<Fut: Future> {
    answers: FuturesOrdered<Fut>,
    tickets: VecDeque<Ticket>,
    payload_bytes: usize,
}

impl<Fut: Future<Output = Result<(), Refused>>> InFlight<Fut> {
    pub(super) fn new() -> Self {
        Self { answers: FuturesOrdered::new(), tickets: VecDeque::new(), payload_bytes: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Whether one more message may be read.
    pub(super) fn has_room(&self) -> bool {
        self.tickets.len() < IN_FLIGHT_MAX && self.payload_bytes < IN_FLIGHT_BYTES_MAX
    }

    pub(super) fn push(&mut self, ticket: Ticket, answer: Fut) {
        self.payload_bytes += ticket.payload_bytes;
        self.tickets.push_back(ticket);
        self.answers.push_back(answer);
    }

    /// Waits for the oldest message's answer; none when there is no message.
    pub(super) async fn next(&mut self) -> Option<(Ticket, Result<(), Refused>)> {
        let answer = self.answers.next().await?;
        let ticket = self.tickets.pop_front()?;
        self.payload_bytes -= ticket.payload_bytes;
        Some((ticket, answer))
    }

    /// Returns the oldest message's answer if it is here.
    pub(super) fn next_now(&mut self) -> Option<(Ticket, Result<(), Refused>)> {
        self.next().now_or_never().flatten()
    }
}

/// The QoS 2 messages of one connection, by packet identifier, until their release.
#[derive(Debug, Default)]
pub(super) struct Unreleased(HashMap<Pid, bool>);

/// What a QoS 2 message is, by its identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipt {
    New,
    /// Sent again while the first is with the handler.
    WithHandler,
    /// Sent again after the first was acknowledged.
    Taken,
}

impl Unreleased {
    /// Forgets the messages that no handler of the new connection has.
    pub(super) fn resume(&mut self) {
        self.0.retain(|_, taken| *taken);
    }

    /// Notes that a message came.
    pub(super) fn receive(&mut self, pid: Pid) -> Result<Receipt, Fault> {
        match self.0.get(&pid) {
            Some(true) => Ok(Receipt::Taken),
            Some(false) => Ok(Receipt::WithHandler),
            None if self.0.len() >= UNRELEASED_MAX => Err(Fault::TooManyUnreleased),
            None => {
                self.0.insert(pid, false);
                Ok(Receipt::New)
            }
        }
    }

    /// Notes that the handler took a message.
    pub(super) fn take(&mut self, pid: Pid) {
        self.0.insert(pid, true);
    }

    /// Forgets a message that the handler refused.
    pub(super) fn forget(&mut self, pid: Pid) {
        self.0.remove(&pid);
    }

    /// Forgets a message that the client released, and says whether it waited for that.
    pub(super) fn release(&mut self, pid: Pid) -> Result<bool, Fault> {
        match self.0.get(&pid) {
            Some(false) => Err(Fault::Protocol("a release before the message was acknowledged")),
            Some(true) => Ok(self.0.remove(&pid).is_some()),
            None => Ok(false),
        }
    }
}
