//! Queues.

use std::collections::{BTreeMap, BTreeSet};

use sop_runtime::port::{Consumer, Delivery, Message, Queue, QueueName};

use crate::ids::fresh;
use crate::patience::Passage;

/// Milliseconds for which a received message is hidden, where a scenario waits for their end. Whole
/// seconds, as Amazon SQS wants them, and long enough for a slow machine to look in between.
const SHORT_MS: u32 = 2_000;

/// Milliseconds for which a received message is hidden, where no scenario waits so long.
const LONG_MS: u32 = 600_000;

/// Milliseconds within which a message must arrive.
const ARRIVAL_MS: u32 = 30_000;

/// Milliseconds between two looks.
const LOOK_MS: u32 = 50;

/// Proves that `queue` is a queue; see [`super::queue_suite`].
///
/// # Panics
/// When it breaks a promise.
pub async fn queue<Q: Queue + Consumer>(queue: &Q, passage: &impl Passage, receives_max: u32) {
    let suite = Suite { queue, passage };
    suite.any_number_of_messages_arrives().await;
    suite.bodies_arrive_as_they_were_sent().await;
    suite.queues_are_apart().await;
    suite.an_unacknowledged_message_comes_again().await;
    suite.a_released_message_comes_again().await;
    suite.a_delayed_message_waits().await;
    suite.a_receipt_without_meaning_is_ignored().await;
    suite.a_message_received_too_often_is_a_dead_letter(receives_max).await;
}

fn message(body: &str) -> Message {
    Message { body: body.into(), delay_secs: 0 }
}

struct Suite<'a, Q, P> {
    queue: &'a Q,
    passage: &'a P,
}

impl<Q: Queue + Consumer, P: Passage> Suite<'_, Q, P> {
    async fn send(&self, name: QueueName, messages: &[Message]) {
        self.queue.send(name, messages).await.expect("sent");
    }

    async fn receive(&self, name: QueueName, limit: usize, visibility_ms: u32) -> Vec<Delivery> {
        let received = self.queue.receive(name, limit, visibility_ms).await.expect("received");
        assert!(received.len() <= limit, "{} of at most {limit}", received.len());
        received
    }

    async fn acknowledge(&self, name: QueueName, receipts: &[String]) {
        self.queue.acknowledge(name, receipts).await.expect("acknowledged");
    }

    /// Receives until `count` different bodies have come, hidden from others for `hidden_ms`.
    async fn collect(&self, name: QueueName, count: usize, hidden_ms: u32) -> Vec<Delivery> {
        let mut found: BTreeMap<String, Delivery> = BTreeMap::new();
        let mut waited_ms = 0;
        while found.len() < count {
            let received = self.receive(name, 10, hidden_ms).await;
            if received.is_empty() {
                assert!(waited_ms < ARRIVAL_MS, "{} of {count} messages arrived", found.len());
                self.passage.pass(LOOK_MS).await;
                waited_ms += LOOK_MS;
            }
            found.extend(received.into_iter().map(|delivery| (delivery.body.clone(), delivery)));
        }
        assert_eq!(found.len(), count, "a message that nobody sent arrived");
        found.into_values().collect()
    }

    /// Receives `count` messages and acknowledges them.
    async fn drain(&self, name: QueueName, count: usize) -> BTreeSet<String> {
        let received = self.collect(name, count, LONG_MS).await;
        let receipts: Vec<_> = received.iter().map(|delivery| delivery.receipt.clone()).collect();
        self.acknowledge(name, &receipts).await;
        received.into_iter().map(|delivery| delivery.body).collect()
    }

    /// Sees for as long as a hidden message would take to show that there is none.
    async fn assert_empty(&self, name: QueueName, what: &str) {
        for _ in 0..3 {
            let received = self.receive(name, 10, LONG_MS).await;
            assert!(received.is_empty(), "{what}: {received:?}");
            self.passage.pass(LOOK_MS).await;
        }
    }

    async fn any_number_of_messages_arrives(&self) {
        let name = QueueName::Effects;
        self.assert_empty(name, "the queue is nobody else's").await;
        self.send(name, &[]).await;
        self.assert_empty(name, "none were sent").await;
        let bodies: BTreeSet<_> = (0..25).map(|i| fresh(&format!("batch-{i}"))).collect();
        let messages: Vec<_> = bodies.iter().map(|body| message(body)).collect();
        self.send(name, &messages).await;
        assert_eq!(self.drain(name, bodies.len()).await, bodies);
        self.assert_empty(name, "all were acknowledged").await;
        // The same text twice is two messages.
        self.send(name, &[message("twin"), message("twin")]).await;
        let (mut twins, mut looks) = (0, 0);
        while twins < 2 {
            let received = self.receive(name, 1, LONG_MS).await;
            twins += received.len();
            let receipts: Vec<_> = received.into_iter().map(|delivery| delivery.receipt).collect();
            self.acknowledge(name, &receipts).await;
            assert!(looks * LOOK_MS < ARRIVAL_MS, "{twins} of 2 twins arrived");
            looks += 1;
            self.passage.pass(LOOK_MS).await;
        }
        self.assert_empty(name, "twins are two").await;
    }

    async fn bodies_arrive_as_they_were_sent(&self) {
        let name = QueueName::Effects;
        let large = |i: u8| {
            format!("{}{}", fresh("large"), char::from(b'a' + i).to_string().repeat(200 * 1024))
        };
        let mut bodies: BTreeSet<_> = (0..6).map(large).collect();
        bodies
            .insert(format!("{{\"text\": \"żółć 🚰 \\u0000\", \"id\": \"{}\"}}\n\t ", fresh("x")));
        let messages: Vec<_> = bodies.iter().map(|body| message(body)).collect();
        self.send(name, &messages).await;
        let arrived = self.drain(name, bodies.len()).await;
        assert!(
            arrived == bodies,
            "{} of {} are the same",
            arrived.intersection(&bodies).count(),
            bodies.len()
        );
    }

    async fn queues_are_apart(&self) {
        let body = fresh("apart");
        self.send(QueueName::Events, &[message(&body)]).await;
        self.assert_empty(QueueName::Effects, "it was sent to the other queue").await;
        assert_eq!(self.drain(QueueName::Events, 1).await, BTreeSet::from([body]));
    }

    async fn an_unacknowledged_message_comes_again(&self) {
        let name = QueueName::Events;
        let (kept, gone) = (fresh("kept"), fresh("gone"));
        self.send(name, &[message(&kept), message(&gone)]).await;
        let first = self.collect(name, 2, SHORT_MS).await;
        assert!(first.iter().all(|delivery| delivery.attempt == 1), "{first:?}");
        assert_eq!(self.receive(name, 10, LONG_MS).await, [], "hidden from everybody else");
        let done = first.iter().find(|delivery| delivery.body == gone).expect("it was received");
        self.acknowledge(name, std::slice::from_ref(&done.receipt)).await;
        let again = self.collect(name, 1, LONG_MS).await;
        assert_eq!((again[0].body.as_str(), again[0].attempt), (kept.as_str(), 2));
        self.acknowledge(name, &[again[0].receipt.clone()]).await;
        self.passage.pass(SHORT_MS + LOOK_MS).await;
        self.assert_empty(name, "both are acknowledged").await;
    }

    async fn a_released_message_comes_again(&self) {
        let name = QueueName::Events;
        let body = fresh("released");
        self.send(name, &[message(&body)]).await;
        let first = self.collect(name, 1, LONG_MS).await;
        self.queue.release(name, &first[0].receipt, 0).await.expect("released");
        let second = self.collect(name, 1, LONG_MS).await;
        assert_eq!((second[0].body.as_str(), second[0].attempt), (body.as_str(), 2));
        self.queue.release(name, &second[0].receipt, SHORT_MS).await.expect("released");
        assert_eq!(self.receive(name, 10, LONG_MS).await, [], "not before its delay is over");
        let third = self.collect(name, 1, LONG_MS).await;
        assert_eq!((third[0].body.as_str(), third[0].attempt), (body.as_str(), 3));
        self.acknowledge(name, &[third[0].receipt.clone()]).await;
        self.assert_empty(name, "it is acknowledged").await;
    }

    async fn a_delayed_message_waits(&self) {
        let name = QueueName::Events;
        let (now, soon, late) = (fresh("now"), fresh("soon"), fresh("late"));
        let delayed = |body: &str, delay_secs| Message { body: body.into(), delay_secs };
        self.send(name, &[delayed(&soon, 2), delayed(&now, 0)]).await;
        assert_eq!(self.drain(name, 1).await, BTreeSet::from([now]), "the other is delayed");
        assert_eq!(self.drain(name, 1).await, BTreeSet::from([soon]));
        self.send(name, &[delayed(&late, 3)]).await;
        self.assert_empty(name, "it is delayed by three seconds").await;
        assert_eq!(self.drain(name, 1).await, BTreeSet::from([late]));
    }

    async fn a_receipt_without_meaning_is_ignored(&self) {
        let name = QueueName::Events;
        let body = fresh("receipt");
        self.send(name, &[message(&body)]).await;
        let received = self.collect(name, 1, LONG_MS).await;
        let good = received[0].receipt.clone();
        let hostile =
            ["x", "-1.1", "99999999999999999999.1", "1.", "' OR 1=1 --"].map(String::from);
        self.acknowledge(name, &[]).await;
        self.acknowledge(name, &hostile).await;
        let mut all = hostile.to_vec();
        all.insert(2, good.clone());
        self.acknowledge(name, &all).await;
        self.acknowledge(name, &[good]).await;
        self.assert_empty(name, "the good receipt among bad ones counts").await;
    }

    async fn a_message_received_too_often_is_a_dead_letter(&self, receives_max: u32) {
        let name = QueueName::Events;
        let (poison, healthy) = (fresh("poison"), fresh("healthy"));
        self.send(name, &[message(&poison)]).await;
        for attempt in 1..=receives_max {
            let received = self.collect(name, 1, LONG_MS).await;
            assert_eq!(
                (received[0].body.as_str(), received[0].attempt),
                (poison.as_str(), attempt)
            );
            self.queue.release(name, &received[0].receipt, 0).await.expect("released");
        }
        self.send(name, &[message(&healthy)]).await;
        assert_eq!(self.drain(name, 1).await, BTreeSet::from([healthy]), "poison goes alone");
        let mut waited_ms = 0;
        loop {
            assert_eq!(self.receive(name, 10, LONG_MS).await, [], "it is received no more");
            let dead = self.queue.dead_letters(name, 10).await.expect("listed");
            if dead.contains(&poison) {
                break;
            }
            assert!(waited_ms < ARRIVAL_MS, "not among the dead letters: {dead:?}");
            self.passage.pass(LOOK_MS).await;
            waited_ms += LOOK_MS;
        }
        let others = self.queue.dead_letters(QueueName::Effects, 10).await.expect("listed");
        assert!(!others.contains(&poison), "dead letters belong to one queue");
    }
}
