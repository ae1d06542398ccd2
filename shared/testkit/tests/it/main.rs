//! Memory, and memory behind a fuse that holds, pass the conformance suites.

mod busy;
mod crashes;

use sop_core::engine::Head;
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, Consumer, Heads, Journal, Message, PortError, Queue, QueueName};
use sop_testkit::conformance::{queue_suite, store_suite};
use sop_testkit::ids::{EPOCH, fresh_head, fresh_tenant, sealed, sop};
use sop_testkit::memory::RECEIVES_MAX;
use sop_testkit::{Failing, Fuse, ManualClock, Memory, Moment};

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

/// Three tickers race for a day with two hours down: what fires is what the window rule says, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn tickers_that_race_fire_what_one_would() {
    for seed in 1..=5 {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let fired = sop_testkit::scenario::tickers(memory.clone(), memory, &clock, seed).await;
        assert!(fired > 2 * (24 * 60 - 120), "{fired} fired");
    }
}

/// The receipt of an earlier receive neither forgets nor delays the message.
#[tokio::test]
async fn an_old_receipt_is_ignored() {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let name = QueueName::Events;
    memory.send(name, &[Message { body: "x".into(), delay_secs: 0 }]).await.unwrap();
    assert_eq!(memory.next_visible_at(name), Some(EPOCH));
    let first = memory.receive(name, 1, 1_000).await.unwrap();
    clock.advance(1_000);
    let second = memory.receive(name, 1, 1_000).await.unwrap();
    memory.acknowledge(name, &[first[0].receipt.clone()]).await.unwrap();
    memory.release(name, &first[0].receipt, 900_000).await.unwrap();
    assert_eq!(memory.backlog(name), 1);
    memory.acknowledge(name, &[second[0].receipt.clone()]).await.unwrap();
    assert_eq!(memory.backlog(name), 0);
}

/// Decides, appends and acts, as flows do, with the least there is to it.
async fn flow(ports: &Failing<Memory>, entry: &Sealed, head: &Head) -> Result<(), PortError> {
    match ports.append(entry, None).await? {
        Append::Appended | Append::Duplicate(_) => {}
        Append::Conflict | Append::Full => panic!("nobody else is there"),
    }
    ports.project(head).await?;
    let message = Message { body: entry.run.to_string(), delay_secs: 0 };
    ports.send(QueueName::Effects, &[message]).await
}

/// The way in which flows are to be tested: die at every call, on either side of its effect, start
/// again, and see that all is there.
#[tokio::test]
async fn a_flow_that_dies_anywhere_heals_when_made_again() {
    let head = fresh_head(&fresh_tenant(), &sop("heal"), EPOCH);
    let entry = sealed(&head.run, 0, "start");
    let fuse = Fuse::whole();
    flow(&Failing::new(Memory::default(), &fuse), &entry, &head).await.unwrap();
    assert_eq!(fuse.calls(), 3);
    for call in 1..=fuse.calls() {
        for moment in [Moment::Before, Moment::After] {
            let (memory, fuse) = (Memory::default(), Fuse::dead_from(call, moment));
            let ports = Failing::new(memory.clone(), &fuse);
            flow(&ports, &entry, &head).await.unwrap_err();
            let lost = call == 1 && moment == Moment::Before;
            assert_eq!(memory.latest(&entry.run).await.unwrap().is_none(), lost, "call {call}");
            fuse.mend();
            flow(&ports, &entry, &head).await.unwrap();
            assert_eq!(
                memory.entries(&entry.run, 0, 9).await.unwrap(),
                std::slice::from_ref(&entry)
            );
            assert_eq!(memory.head(&entry.run).await.unwrap().as_ref(), Some(&head));
            let twice = call == 3 && moment == Moment::After;
            assert_eq!(memory.backlog(QueueName::Effects), 1 + usize::from(twice), "call {call}");
        }
    }
}
