use std::time::Duration;

use sop_local::Sqlite;
use sop_runtime::port::{Clock, Consumer, Message, Queue, QueueName};

use crate::manual;

const NAME: QueueName = QueueName::Events;

async fn send(store: &Sqlite, body: &str, delay_secs: u32) {
    store.send(NAME, &[Message { body: body.into(), delay_secs }]).await.unwrap();
}

async fn receive(store: &Sqlite, limit: usize) -> Vec<(String, String)> {
    let received = store.receive(NAME, limit, 60_000).await.unwrap();
    received.into_iter().map(|delivery| (delivery.body, delivery.receipt)).collect()
}

fn bodies(received: &[(String, String)]) -> Vec<&str> {
    received.iter().map(|(body, _)| body.as_str()).collect()
}

#[tokio::test]
async fn messages_come_in_the_order_in_which_they_became_available() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = manual(&dir.path().join("sop.db"));
    send(&store, "late", 3).await;
    send(&store, "first", 0).await;
    send(&store, "second", 0).await;
    clock.advance(2_000);
    send(&store, "third", 0).await;
    clock.advance(2_000);
    send(&store, "last", 0).await;
    assert_eq!(bodies(&receive(&store, 2).await), ["first", "second"]);
    assert_eq!(bodies(&receive(&store, 9).await), ["third", "late", "last"]);
}

/// The receipt of an earlier receive neither forgets nor delays, nor does one of a forgotten message
/// touch the message that was sent next.
#[tokio::test]
async fn an_old_receipt_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = manual(&dir.path().join("sop.db"));
    send(&store, "x", 0).await;
    let (_, old) = receive(&store, 1).await.remove(0);
    clock.advance(60_000);
    let (_, new) = receive(&store, 1).await.remove(0);
    store.acknowledge(NAME, std::slice::from_ref(&old)).await.unwrap();
    store.release(NAME, &old, 0).await.unwrap();
    assert_eq!(receive(&store, 1).await, []);
    store.acknowledge(QueueName::Effects, std::slice::from_ref(&new)).await.unwrap();
    assert_eq!(store.backlog(NAME).unwrap(), 1);
    store.acknowledge(NAME, std::slice::from_ref(&new)).await.unwrap();
    assert_eq!(store.backlog(NAME).unwrap(), 0);
    send(&store, "y", 0).await;
    let (_, fresh) = receive(&store, 1).await.remove(0);
    store.acknowledge(NAME, &[old, new]).await.unwrap();
    assert_eq!(store.backlog(NAME).unwrap(), 1, "ids are not used again");
    store.acknowledge(NAME, &[fresh]).await.unwrap();
    assert_eq!(store.backlog(NAME).unwrap(), 0);
}

#[tokio::test]
async fn a_process_that_ends_holds_no_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    for attempt in 1..=3 {
        let (store, clock) = manual(&path);
        if attempt == 1 {
            send(&store, "held", 0).await;
            send(&store, "delayed", 900).await;
        }
        let received = store.receive(NAME, 9, 600_000).await.unwrap();
        assert_eq!(received.len(), 1, "the delayed message still waits: {received:?}");
        assert_eq!((received[0].body.as_str(), received[0].attempt), ("held", attempt));
        assert_eq!(store.next_visible_at(NAME).unwrap(), Some(clock.now().plus_millis(600_000)));
    }
}

#[tokio::test]
async fn a_watcher_is_woken_by_what_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = manual(&dir.path().join("sop.db"));
    let woken = async |name| {
        tokio::time::timeout(Duration::from_secs(5), store.watch(name).notified()).await.is_ok()
    };
    assert_eq!(store.next_visible_at(NAME).unwrap(), None);
    let now = clock.now();
    send(&store, "x", 5).await;
    assert!(woken(NAME).await, "a send that came before the wait");
    assert_eq!(store.next_visible_at(NAME).unwrap(), Some(now.plus_millis(5_000)));
    clock.advance(5_000);
    let received = store.receive(NAME, 1, 60_000).await.unwrap();
    store.release(NAME, &received[0].receipt, 7).await.unwrap();
    assert!(woken(NAME).await, "a release");
    assert_eq!(store.next_visible_at(NAME).unwrap(), Some(clock.now().plus_millis(7)));
    let (sent, seen) = tokio::join!(send(&store, "y", 0), woken(NAME));
    assert!(seen, "a send during the wait: {sent:?}");
    // The other queue was never touched, so its watcher still waits.
    let mut other = Box::pin(store.watch(QueueName::Effects).notified());
    assert!(futures_util::future::poll_immediate(&mut other).await.is_none());
}
