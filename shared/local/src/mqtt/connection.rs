//! One connection, from its first byte to its last.

use std::{future::Future, ops::ControlFlow, time::Duration};

use bytes::Bytes;
use mqtt_proto::{Pid, QosPid, TopicName};
use sop_runtime::report::chain;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{
    CONNECT_WITHIN, Published, Refused, Shared,
    codec::{Frame, Packet, Publish, Version},
    fault::Fault,
    handshake::{self, Admitted},
    in_flight::{InFlight, Receipt, Ticket},
    registry::{Mailbox, Place, Unsaved},
    reply,
    wire::Wire,
};

/// How long messages with the handler may take once their connection has ended.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// Serves one client until either side ends the connection or the server stops.
pub(super) async fn run<S, H, Fut>(
    stream: S,
    shared: &Shared,
    handler: H,
    mut stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Published) -> Fut,
    Fut: Future<Output = Result<(), Refused>>,
{
    let mut wire = Wire::new(stream);
    let admitted = tokio::select! {
        biased;
        _ = stopping.wait_for(|stop| *stop) => return,
        admitted = admit(&mut wire, shared) => admitted,
    };
    let Admitted { version, keep_alive_secs, place, mailbox, welcome } = match admitted {
        Ok(admitted) => admitted,
        Err(fault) => {
            if fault.is_refusal() {
                tracing::warn!(error = fault.shown(), "mqtt client refused");
            } else {
                tracing::debug!(error = fault.shown(), "mqtt client not let in");
            }
            wire.close().await;
            return;
        }
    };
    save(&place, shared).await;
    wire.push(welcome.as_ref());
    // Source: MQTT 5.0, section 3.1.2.10: one and a half times the keep-alive; 0 turns it off.
    let keep_alive = Duration::from_millis(u64::from(keep_alive_secs) * 1_500);
    let connection = Connection {
        wire,
        version,
        keep_alive: Some(keep_alive).filter(|keep_alive| !keep_alive.is_zero()),
        heard_at: Instant::now(),
        place,
        mailbox,
        handler,
        in_flight: InFlight::new(),
        has_changed: false,
    };
    connection.serve(shared, stopping).await;
}

/// Saves what has changed of the session, before the client is told.
async fn save(place: &Place, shared: &Shared) {
    let Some(store) = &shared.store else { return };
    let saved = match place.unsaved() {
        None => return,
        Some(Unsaved::Keep(session)) => store.keep_session(session).await,
        Some(Unsaved::Forget(client)) => store.forget_session(client).await,
    };
    if let Err(error) = saved {
        place.not_saved();
        tracing::warn!(error = chain(&error), "mqtt session not saved");
    }
}

async fn admit<S>(wire: &mut Wire<S>, shared: &Shared) -> Result<Admitted, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame =
        timeout(CONNECT_WITHIN, wire.first_frame()).await.map_err(|_| Fault::NoConnect)??;
    handshake::admit(&frame, shared).map_err(|(answer, fault)| {
        if let Some(answer) = answer {
            wire.push(answer.as_ref());
        }
        fault
    })
}

struct Connection<S, H, Fut: Future> {
    wire: Wire<S>,
    version: Version,
    keep_alive: Option<Duration>,
    /// When the last packet came, or when the server began to read again.
    heard_at: Instant,
    place: Place,
    mailbox: Mailbox,
    handler: H,
    in_flight: InFlight<Fut>,
    /// Whether the session has to be saved before the client hears more.
    has_changed: bool,
}

/// What a connection waits for.
enum Woken {
    Bytes,
    Answer(Ticket, Result<(), Refused>),
    Message(Bytes),
}

impl<S, H, Fut> Connection<S, H, Fut>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Published) -> Fut,
    Fut: Future<Output = Result<(), Refused>>,
{
    async fn serve(mut self, shared: &Shared, mut stopping: watch::Receiver<bool>) {
        let fault = loop {
            if let Err(fault) = self.turn(shared, &mut stopping).await {
                break fault;
            }
        };
        let client = &*self.place.client_id;
        if fault.is_refusal() {
            tracing::warn!(client, error = fault.shown(), "mqtt client refused");
        } else {
            tracing::debug!(client, error = fault.shown(), "mqtt connection ended");
        }
        let Self { mut wire, version, place, mut in_flight, .. } = self;
        let goodbye = fault.reason().and_then(|reason| reply::goodbye(version, reason));
        // Messages that were read are finished: those of QoS 0 nobody would send again. Only when the
        // server stops is the client still there to hear that they are safe.
        if matches!(fault, Fault::ShuttingDown) {
            let acks =
                timeout(DRAIN_WITHIN, acknowledge_rest(&mut wire, version, &place, &mut in_flight));
            if acks.await.is_err() {
                tracing::debug!("mqtt messages abandoned: their handler takes too long");
            }
        }
        if let Some(goodbye) = goodbye {
            wire.push(goodbye.as_ref());
        }
        let rest = timeout(DRAIN_WITHIN, finish_rest(&place, &mut in_flight));
        let ((), rest) = tokio::join!(wire.close(), rest);
        if rest.is_err() {
            tracing::debug!("mqtt messages abandoned: their handler takes too long");
        }
    }

    /// Does all that can be done now, then waits for something to happen.
    async fn turn(
        &mut self,
        shared: &Shared,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), Fault> {
        while let ControlFlow::Continue(()) = self.work()? {}
        if std::mem::take(&mut self.has_changed) {
            save(&self.place, shared).await;
        }
        self.wire.flush().await?;
        while let Ok(message) = self.mailbox.messages.try_recv() {
            self.wire.send(message).await?;
        }
        match self.wait(stopping).await? {
            Woken::Bytes => Ok(()),
            Woken::Answer(ticket, answer) => {
                let had_room = self.in_flight.has_room();
                self.answer(ticket, answer)?;
                if !had_room {
                    self.heard_at = Instant::now();
                }
                Ok(())
            }
            Woken::Message(message) => self.wire.send(message).await,
        }
    }

    /// Reads the packets that are here and sends off the answers that are here; breaks when there is
    /// nothing left of both.
    fn work(&mut self) -> Result<ControlFlow<()>, Fault> {
        let mut worked = false;
        while self.in_flight.has_room() {
            let Some(frame) = self.wire.take_frame()? else { break };
            self.heard_at = Instant::now();
            self.receive(&frame)?;
            worked = true;
        }
        while let Some((ticket, answer)) = self.in_flight.next_now() {
            self.answer(ticket, answer)?;
            worked = true;
        }
        Ok(if worked { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    async fn wait(&mut self, stopping: &mut watch::Receiver<bool>) -> Result<Woken, Fault> {
        let reads = self.in_flight.has_room();
        let silent_at = self.keep_alive.map(|keep_alive| self.heard_at + keep_alive);
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => Err(Fault::ShuttingDown),
            _ = &mut self.mailbox.taken_over => Err(Fault::TakenOver),
            Some((ticket, answer)) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                Ok(Woken::Answer(ticket, answer))
            }
            filled = self.wire.fill(), if reads => filled.map(|()| Woken::Bytes),
            Some(message) = self.mailbox.messages.recv() => Ok(Woken::Message(message)),
            () = sleep_until(silent_at.unwrap_or(self.heard_at)), if reads && silent_at.is_some() => {
                Err(Fault::KeepAlive)
            }
        }
    }

    fn receive(&mut self, frame: &Frame) -> Result<(), Fault> {
        match frame.packet(self.version)? {
            Packet::Publish(publish) => self.publish(publish)?,
            Packet::Release(pid) => {
                let known = self.place.unreleased().release(pid)?;
                self.wire.push(reply::released(self.version, pid, known).as_ref());
            }
            Packet::Subscribe(pid, filters) => {
                let outcomes = self.place.subscribe(&filters);
                self.has_changed = true;
                self.wire.push(reply::subscribed(self.version, pid, &outcomes).as_ref());
            }
            Packet::Unsubscribe(pid, filters) => {
                let existed = self.place.unsubscribe(&filters);
                self.has_changed = true;
                self.wire.push(reply::unsubscribed(self.version, pid, &existed).as_ref());
            }
            Packet::Ping => self.wire.push(reply::pong().as_ref()),
            Packet::Disconnect => return Err(Fault::Disconnected),
            Packet::Ack => {}
        }
        Ok(())
    }

    /// Hands a message to the handler, unless it is a QoS 2 message that came before.
    fn publish(&mut self, publish: Publish) -> Result<(), Fault> {
        let Publish { dup, retain, qos_pid: message, topic, payload } = publish;
        if let QosPid::Level2(pid) = message {
            let receipt = self.place.unreleased().receive(pid)?;
            match receipt {
                Receipt::New => {}
                Receipt::WithHandler => return Ok(()),
                Receipt::Taken => {
                    self.acknowledge(message);
                    return Ok(());
                }
            }
        }
        let copy = self.place.has_audience().then(|| (topic.clone(), payload.clone()));
        let ticket = Ticket { message, payload_bytes: payload.len(), copy };
        let published = Published {
            client_id: self.place.client_id.as_ref().to_owned(),
            topic: (*topic).to_owned(),
            payload: payload.into(),
            qos: message.qos() as u8,
            retain,
            packet_id: message.pid().map(Pid::value),
            dup,
        };
        self.in_flight.push(ticket, (self.handler)(published));
        Ok(())
    }

    /// Tells the client, and those who subscribe, what became of a message.
    fn answer(&mut self, ticket: Ticket, answer: Result<(), Refused>) -> Result<(), Fault> {
        let Ticket { message, copy, payload_bytes: _ } = ticket;
        match answer {
            Ok(()) => {
                if let QosPid::Level2(pid) = message {
                    self.place.unreleased().take(pid);
                }
                self.acknowledge(message);
                finish(&self.place, copy);
                Ok(())
            }
            Err(why) => {
                tracing::debug!(client = &*self.place.client_id, error = %why, "mqtt message refused");
                self.refuse(message, why)
            }
        }
    }

    fn refuse(&mut self, message: QosPid, why: Refused) -> Result<(), Fault> {
        if message == QosPid::Level0 {
            return Ok(());
        }
        if let QosPid::Level2(pid) = message {
            self.place.unreleased().forget(pid);
        }
        match reply::refused(self.version, message, why) {
            Some(refusal) => {
                self.wire.push(refusal.as_ref());
                Ok(())
            }
            None if why == Refused::TryAgain => Err(Fault::TryAgain),
            None => Err(Fault::Refused),
        }
    }

    fn acknowledge(&mut self, message: QosPid) {
        if let Some(ack) = reply::taken(self.version, message) {
            self.wire.push(ack.as_ref());
        }
    }
}

fn finish(place: &Place, copy: Option<(TopicName, Bytes)>) {
    if let Some((topic, payload)) = copy {
        place.publish(&topic, &payload);
    }
}

/// Waits for the messages with the handler and acknowledges them, up to the first that is refused.
async fn acknowledge_rest<S, Fut>(
    wire: &mut Wire<S>,
    version: Version,
    place: &Place,
    in_flight: &mut InFlight<Fut>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    Fut: Future<Output = Result<(), Refused>>,
{
    while let Some((ticket, Ok(()))) = in_flight.next().await {
        if let Some(ack) = reply::taken(version, ticket.message) {
            wire.push(ack.as_ref());
        }
        finish(place, ticket.copy);
    }
}

/// Waits for the messages with the handler and acknowledges none.
async fn finish_rest<Fut>(place: &Place, in_flight: &mut InFlight<Fut>)
where
    Fut: Future<Output = Result<(), Refused>>,
{
    while let Some((ticket, answer)) = in_flight.next().await {
        if answer.is_ok() {
            finish(place, ticket.copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use mqtt_proto::v3;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn take(_: Published) -> Ready<Result<(), Refused>> {
        ready(Ok(()))
    }

    /// Starts a connection; the sender must live, or the server stops.
    fn start() -> (DuplexStream, watch::Sender<bool>) {
        let (client, server) = duplex(1024);
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move { run(server, &Shared::default(), take, stopping).await });
        (client, stop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_say_who_it_is_is_let_go() {
        for bytes in [&b""[..], b"\x10", b"\x10\x0c\0\x04MQTT"] {
            let ((mut client, _stop), began) = (start(), Instant::now());
            client.write_all(bytes).await.unwrap();
            assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
            assert_eq!(began.elapsed().as_secs(), CONNECT_WITHIN.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_keep_alive_counts_from_the_last_packet() {
        let ((mut client, _stop), began) = (start(), Instant::now());
        let connect = v3::Packet::from(v3::Connect::new("a".into(), 20)).encode().unwrap();
        client.write_all(connect.as_ref()).await.unwrap();
        tokio::time::advance(Duration::from_secs(25)).await;
        client.write_all(b"\xc0\0").await.unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"\x20\x02\0\0\xd0\0");
        assert_eq!(began.elapsed().as_secs(), 25 + 30);
    }
}
