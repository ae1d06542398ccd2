//! The connection: made, lost and made again, with what came over it acknowledged once it is safe.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use rumqttc::{
    AsyncClient, Event, EventLoop, Packet, Publish, QoS, SubscribeFilter, SubscribeReasonCode,
};
use sop_core::topic::{TopicFilter, widest};
use sop_runtime::port::random;
use sop_runtime::report::chain;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::advice::advice;
use super::settings::Settings;
use crate::mqtt::{Published, Refused};

/// Requests that wait to be sent: an acknowledgement for each packet identifier that there is, and some.
const REQUESTS_MAX: usize = 80_000;

/// Messages with the handler at one time.
const IN_HAND_MAX: usize = 64;

/// Packets that were read and not yet looked at.
const UNREAD_MAX: usize = 256;

/// Filters of one SUBSCRIBE.
/// Source: AWS IoT Core quotas: 8 subscriptions a request; other brokers take more.
const SUBSCRIBE_MAX: usize = 8;

/// The pause before a connection is tried again grows from here...
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// ... to here.
const PAUSE_LONGEST: Duration = Duration::from_secs(30);

/// How long a message that could not be made safe waits for the next try.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Takes in the messages of a broker elsewhere until `shutdown` ends; connects again whenever it must.
///
/// `asked` are the filters of the active SOPs, followed as they change, where the settings name none. The
/// handler is called for each message, and again when it says [`Refused::TryAgain`]; another refusal
/// drops the message. A message is acknowledged in its turn when the handler is done with it.
pub async fn run<H, Fut>(
    settings: Settings,
    asked: watch::Receiver<Vec<TopicFilter>>,
    handler: H,
    shutdown: impl Future,
) where
    H: Fn(Published) -> Fut,
    Fut: Future<Output = Result<(), Refused>>,
{
    let (client, events) = AsyncClient::new(settings.options(), REQUESTS_MAX);
    let (sender, packets) = mpsc::channel(UNREAD_MAX);
    let connection = Arc::new(Mutex::new(0));
    let polled = tokio::spawn(poll(events, settings.clone(), Arc::clone(&connection), sender));
    let session = Session {
        client,
        qos: if settings.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
        fixed: settings.topics.clone(),
        asked,
        subscribed: BTreeSet::new(),
        connection,
        is_connected: false,
    };
    tokio::select! {
        () = session.serve(packets, handler) => {}
        _ = pin!(shutdown) => {}
    }
    polled.abort();
}

/// What the broker said, and on which connection.
type Packets = mpsc::Receiver<(u64, Packet)>;

/// Reads packets, and connects whenever there is no connection.
async fn poll(
    mut events: EventLoop,
    settings: Settings,
    connection: Arc<Mutex<u64>>,
    packets: mpsc::Sender<(u64, Packet)>,
) {
    let (address, is_tls) = (settings.address(), settings.tls.is_some());
    let (mut tries, mut was_in) = (0_u32, false);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(packet)) => {
                if matches!(packet, Packet::ConnAck(_)) {
                    tracing::info!(broker = address, "mqtt broker connected");
                    (tries, was_in) = (0, true);
                }
                let number = *lock(&connection);
                if packets.send((number, packet)).await.is_err() {
                    return;
                }
            }
            Ok(Event::Outgoing(_)) => {}
            Err(error) => {
                {
                    // From here on no acknowledgement of this connection is sent, and those that wait
                    // are dropped: on the next one their numbers may mean other messages.
                    let mut number = lock(&connection);
                    *number += 1;
                    events.clean();
                }
                let pause = pause(tries);
                let help = advice(&error, is_tls, was_in);
                let error = chain(&error);
                let retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(broker = address, error, help, retry_ms, "mqtt broker lost");
                (tries, was_in) = (tries.saturating_add(1), false);
                sleep(pause).await;
            }
        }
    }
}

/// The pause before the next try: doubled with each, and of that between a half and the whole, so that
/// many hosts do not come back at once.
fn pause(tries: u32) -> Duration {
    let longest = PAUSE_FIRST.saturating_mul(1 << tries.min(16)).min(PAUSE_LONGEST);
    let [chance] = random::<1>();
    longest.mul_f64(0.5 + f64::from(chance) / 512.0)
}

fn lock(connection: &Mutex<u64>) -> MutexGuard<'_, u64> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Session {
    client: AsyncClient,
    qos: QoS,
    /// What the operator subscribes to; the active SOPs' filters when empty.
    fixed: Vec<TopicFilter>,
    asked: watch::Receiver<Vec<TopicFilter>>,
    subscribed: BTreeSet<String>,
    /// Counts connections.
    connection: Arc<Mutex<u64>>,
    is_connected: bool,
}

impl Session {
    async fn serve<H, Fut>(mut self, mut packets: Packets, handler: H)
    where
        H: Fn(Published) -> Fut,
        Fut: Future<Output = Result<(), Refused>>,
    {
        let mut in_hand = FuturesOrdered::new();
        let mut follows = self.fixed.is_empty();
        loop {
            tokio::select! {
                Some((number, publish)) = in_hand.next(), if !in_hand.is_empty() => {
                    self.acknowledge(number, &publish);
                }
                changed = self.asked.changed(), if follows => match changed {
                    Ok(()) if self.is_connected => self.subscribe(),
                    Ok(()) => {}
                    Err(_) => follows = false,
                },
                packet = packets.recv(), if in_hand.len() < IN_HAND_MAX => match packet {
                    Some((number, Packet::Publish(publish))) => {
                        in_hand.push_back(taken(&handler, number, publish));
                    }
                    Some((_, Packet::ConnAck(_))) => {
                        // The broker may have lost the session, and another host may have changed it.
                        self.is_connected = true;
                        self.subscribed.clear();
                        self.subscribe();
                    }
                    Some((_, Packet::SubAck(answer))) => {
                        let refused = |code: &SubscribeReasonCode| *code == SubscribeReasonCode::Failure;
                        if answer.return_codes.iter().any(refused) {
                            let help = "allow this client to subscribe there, or narrow `topics`";
                            tracing::error!(help, "mqtt broker refused a subscription");
                        }
                    }
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }

    /// Makes what is subscribed to what is asked for.
    fn subscribe(&mut self) {
        let wanted = match &self.fixed[..] {
            [] => self.asked.borrow_and_update().clone(),
            fixed => fixed.to_vec(),
        };
        // A message that two subscriptions match may be sent twice.
        let wanted: BTreeSet<String> =
            widest(&wanted).into_iter().map(|filter| filter.as_str().to_owned()).collect();
        let fresh: Vec<SubscribeFilter> = wanted
            .difference(&self.subscribed)
            .map(|filter| SubscribeFilter::new(filter.clone(), self.qos))
            .collect();
        let mut sent = true;
        for some in fresh.chunks(SUBSCRIBE_MAX) {
            sent &= self.client.try_subscribe_many(some.to_vec()).is_ok();
        }
        for stale in self.subscribed.difference(&wanted) {
            sent &= self.client.try_unsubscribe(stale).is_ok();
        }
        if !sent {
            tracing::error!("mqtt subscriptions not sent; they are with the next connection");
        }
        self.subscribed = wanted;
    }

    fn acknowledge(&self, number: u64, publish: &Publish) {
        // Held while the acknowledgement is handed over, so that it cannot slip into the next connection.
        let now = lock(&self.connection);
        if *now == number
            && let Err(error) = self.client.try_ack(publish)
        {
            tracing::debug!(%error, "mqtt acknowledgement not sent; the broker sends the message again");
        }
    }
}

/// Has a message handled, until it is safe or dropped for good.
async fn taken<H, Fut>(handler: &H, number: u64, publish: Publish) -> (u64, Publish)
where
    H: Fn(Published) -> Fut,
    Fut: Future<Output = Result<(), Refused>>,
{
    let published = Published {
        client_id: String::new(),
        topic: publish.topic.clone(),
        payload: publish.payload.to_vec(),
        qos: publish.qos as u8,
        retain: publish.retain,
        packet_id: Some(publish.pkid).filter(|id| *id > 0),
        dup: publish.dup,
    };
    loop {
        match handler(published.clone()).await {
            Ok(()) => return (number, publish),
            Err(Refused::TryAgain) => sleep(AGAIN_AFTER).await,
            Err(
                Refused::TooLarge
                | Refused::NotAuthorised
                | Refused::TopicNotTaken
                | Refused::PayloadInvalid,
            ) => return (number, publish),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for (tries, longest) in [(0, 500), (1, 1_000), (3, 4_000), (10, 30_000), (u32::MAX, 30_000)]
        {
            let pause = pause(tries).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{tries}: {pause}");
        }
    }
}
