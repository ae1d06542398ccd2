//! Dead letters, and the notes on why they died.

use std::collections::BTreeSet;

use sop_runtime::port::{
    Consumer, DeadLetters, DeadQueue, Failure, Failures, Message, Queue, QueueName, Which, dead_id,
};

use crate::ids::{EPOCH, fresh};
use crate::patience::Passage;

/// Milliseconds for which a received message is hidden.
const HIDDEN_MS: u32 = 600_000;

/// Milliseconds between two looks, and how many of them a letter may take to die.
const LOOK_MS: u32 = 50;
const LOOKS_MAX: u32 = 600;

const NAME: QueueName = QueueName::Events;
const DEAD: DeadQueue = DeadQueue::Events;

/// Proves that `queue` keeps its dead letters until it is told what becomes of them.
///
/// # Panics
/// When it breaks a promise.
pub async fn dead<Q>(queue: &Q, passage: &impl Passage, receives_max: u32)
where
    Q: Queue + Consumer + DeadLetters,
{
    queue.discard(DEAD, &Which::All).await.expect("discarded");
    let bodies: Vec<String> = (0..13).map(|i| fresh(&format!("dead-{i}"))).collect();
    kill(queue, passage, &bodies, receives_max).await;
    let all: BTreeSet<String> = bodies.iter().cloned().collect();
    for _ in 0..2 {
        assert_eq!(listed(queue, passage, bodies.len()).await, all, "looking takes nothing away");
    }
    let few = queue.dead(DEAD, 2).await.expect("listed");
    assert_eq!(few.len(), 2);
    assert!(few.iter().all(|letter| letter.id == dead_id(&letter.body) && letter.at.is_some()));
    assert_eq!(queue.dead(DeadQueue::Effects, 10).await.expect("listed"), []);

    let nobody = Which::These(BTreeSet::from(["0123456789abcdef".to_owned()]));
    assert_eq!(queue.redrive(NAME, &nobody).await.expect("redriven"), 0);
    assert_eq!(queue.discard(DEAD, &nobody).await.expect("discarded"), 0);
    let these = |bodies: &[String]| Which::These(bodies.iter().map(|body| dead_id(body)).collect());
    until(passage, async || queue.discard(DEAD, &these(&bodies[..2])).await.expect("discarded"), 2)
        .await;
    until(passage, async || queue.redrive(NAME, &these(&bodies[2..4])).await.expect("moved"), 2)
        .await;
    assert_eq!(drain(queue, passage, 2).await, bodies[2..4].iter().cloned().collect());
    until(passage, async || queue.redrive(NAME, &Which::All).await.expect("moved"), 9).await;
    assert_eq!(drain(queue, passage, 9).await, bodies[4..].iter().cloned().collect());
    assert_eq!(queue.dead(DEAD, 10).await.expect("listed"), []);
    assert_eq!(queue.redrive(NAME, &Which::All).await.expect("redriven"), 0);
}

/// Has `bodies` received too often.
async fn kill<Q: Queue + Consumer>(
    queue: &Q,
    passage: &impl Passage,
    bodies: &[String],
    receives_max: u32,
) {
    let messages: Vec<Message> =
        bodies.iter().map(|body| Message { body: body.clone(), delay_secs: 0 }).collect();
    queue.send(NAME, &messages).await.expect("sent");
    for _ in 0..LOOKS_MAX {
        for delivery in queue.receive(NAME, 10, HIDDEN_MS).await.expect("received") {
            assert!(delivery.attempt <= receives_max);
            queue.release(NAME, &delivery.receipt, 0).await.expect("released");
        }
        if queue.dead_letters(NAME, 10).await.expect("listed").len() == 10
            && queue.receive(NAME, 10, 0).await.expect("received").is_empty()
        {
            return;
        }
        passage.pass(LOOK_MS).await;
    }
    panic!("the messages do not die");
}

/// The bodies of the dead letters, once there are so many.
async fn listed<Q: DeadLetters>(
    queue: &Q,
    passage: &impl Passage,
    count: usize,
) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for _ in 0..LOOKS_MAX {
        let dead = queue.dead(DEAD, 100).await.expect("listed");
        bodies = dead.into_iter().map(|letter| letter.body).collect();
        if bodies.len() >= count {
            break;
        }
        passage.pass(LOOK_MS).await;
    }
    bodies
}

/// Does `work` until it has been done `count` times in all.
async fn until(passage: &impl Passage, work: impl AsyncFn() -> usize, count: usize) {
    let mut done = 0;
    for _ in 0..LOOKS_MAX {
        done += work().await;
        if done >= count {
            break;
        }
        passage.pass(LOOK_MS).await;
    }
    assert_eq!(done, count);
}

/// Receives `count` messages for the first time and acknowledges them.
async fn drain<Q: Consumer>(queue: &Q, passage: &impl Passage, count: usize) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for _ in 0..LOOKS_MAX {
        for delivery in queue.receive(NAME, 10, HIDDEN_MS).await.expect("received") {
            assert_eq!(delivery.attempt, 1, "its attempts begin anew");
            queue.acknowledge(NAME, &[delivery.receipt]).await.expect("acknowledged");
            bodies.insert(delivery.body);
        }
        if bodies.len() >= count {
            break;
        }
        passage.pass(LOOK_MS).await;
    }
    bodies
}

/// Proves that `store` keeps notes of failures.
///
/// # Panics
/// When it breaks a promise.
pub async fn failures<S: Failures>(store: &S) {
    let message = dead_id(&fresh("note"));
    assert_eq!(store.failure(&message).await.expect("read"), None);
    let first = Failure {
        message: message.clone(),
        error: "a port failed: żółć 🚰".into(),
        attempt: 4,
        at: EPOCH,
        expires_at: EPOCH.plus_millis(3_650 * 24 * 3_600_000),
    };
    store.put_failure(&first).await.expect("kept");
    let last = Failure { attempt: 5, at: EPOCH.plus_millis(7), ..first };
    for _ in 0..2 {
        store.put_failure(&last).await.expect("kept");
    }
    assert_eq!(store.failure(&message).await.expect("read"), Some(last));
}
