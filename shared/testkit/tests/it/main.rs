//! Memory, and memory behind a fuse that holds, pass the conformance suites.

mod busy;
mod crashes;

use sop_runtime::port::{Consumer, Message, Queue, QueueName};
use sop_testkit::conformance::{queue_suite, store_suite};
use sop_testkit::memory::RECEIVES_MAX;
use sop_testkit::{Failing, Fuse, ManualClock, Memory};

#[tokio::test]
async fn memory_is_a_store() {
    let memory = Memory::default();
    store_suite(&memory).await;
    store_suite(&memory).await;
}

#[tokio::test]
async fn memory_is_a_queue() {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    queue_suite(&memory, &clock, RECEIVES_MAX).await;
    queue_suite(&memory, &clock, RECEIVES_MAX).await;
}

#[tokio::test]
async fn a_fuse_that_holds_changes_nothing() {
    let clock = ManualClock::default();
    let fuse = Fuse::whole();
    let failing = Failing::new(Memory::new(clock.clone()), &fuse);
    store_suite(&failing).await;
    let calls = fuse.calls();
    assert!(calls > 500, "{calls} calls were counted");
    queue_suite(&failing, &clock, RECEIVES_MAX).await;
    assert!(fuse.calls() > calls + 50, "{} calls were counted", fuse.calls());
}

/// The receipt of an earlier receive neither forgets nor delays the message.
#[tokio::test]
async fn an_old_receipt_is_ignored() {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let name = QueueName::Events;
    memory.send(name, &[Message { body: "x".into(), delay_secs: 0 }]).await.unwrap();
    assert_eq!(memory.next_visible_at(name), Some(sop_testkit::ids::EPOCH));
    let first = memory.receive(name, 1, 1_000).await.unwrap();
    clock.advance(1_000);
    let second = memory.receive(name, 1, 1_000).await.unwrap();
    memory.acknowledge(name, &[first[0].receipt.clone()]).await.unwrap();
    memory.release(name, &first[0].receipt, 900_000).await.unwrap();
    assert_eq!(memory.backlog(name), 1);
    memory.acknowledge(name, &[second[0].receipt.clone()]).await.unwrap();
    assert_eq!(memory.backlog(name), 0);
}
