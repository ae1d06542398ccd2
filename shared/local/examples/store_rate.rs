//! Measures the store: durable sends, appends and whole message lives per second, by callers at once.
//!
//! Run `cargo run --release -p sop-local --example store_rate -- DIR`, DIR being on the disk in question.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sop_core::engine::{Head, SlotChange};
use sop_core::id::Tenant;
use sop_local::Sqlite;
use sop_runtime::port::SystemClock;
use sop_runtime::port::{Consumer, Heads, Journal, Message, PortError, Queue, QueueName};
use sop_testkit::ids::{EPOCH, fresh_head, fresh_run, no_change, sealed, sop};

/// For how long each line is measured.
const SPAN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum Work {
    /// One message of 1 KB.
    Send,
    /// One message, received and acknowledged, too.
    Live,
    /// One entry.
    Append,
    /// One entry with a slot, then its head and an effect.
    Start,
    /// The newest entry of a run.
    Latest,
}

async fn once(store: &Sqlite, work: Work) -> Result<(), PortError> {
    let (tenant, sop) = (Tenant::default(), sop("rate"));
    let message = || [Message { body: "x".repeat(1_000), delay_secs: 0 }];
    let entry = || sealed(&fresh_run(&tenant, &sop, EPOCH), 0, "start");
    match work {
        Work::Send => store.send(QueueName::Events, &message()).await,
        Work::Live => {
            let queue = QueueName::Effects;
            store.send(queue, &message()).await?;
            let received = store.receive(queue, 1, 60_000).await?;
            let receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
            store.acknowledge(queue, &receipts).await
        }
        Work::Append => store.append(&entry(), None).await.map(drop),
        Work::Start => {
            let active_max = Some(u32::MAX);
            let slot = SlotChange { active: 1, active_max, ..no_change(&tenant, &sop) };
            store.append(&entry(), Some(&slot)).await?;
            let head = Head { due: Some(EPOCH), ..fresh_head(&tenant, &sop, EPOCH) };
            store.project(&head).await?;
            store.send(QueueName::Events, &message()).await
        }
        Work::Latest => store.latest(&entry().run).await.map(drop),
    }
}

async fn measure(store: &Sqlite, work: Work, callers: usize) -> Result<(), PortError> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                while start.elapsed() < SPAN {
                    let begun = Instant::now();
                    once(&store, work).await?;
                    took.push(begun.elapsed());
                }
                Ok::<_, PortError>(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.append(&mut task.await.expect("a caller does not panic")?);
    }
    took.sort();
    let rate = took.len() as f64 / start.elapsed().as_secs_f64();
    let millis = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!(
        "{:<8} c={callers:<3} {rate:>8.0}/s   p50 {:>7.3} ms   p99 {:>7.3} ms",
        format!("{work:?}"),
        millis(50),
        millis(99)
    );
    Ok(())
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir)?;
    let begun = Instant::now();
    let store = Sqlite::open(dir.path().join("sop.db"), Arc::new(SystemClock))?;
    println!("open     {:.1} ms", begun.elapsed().as_secs_f64() * 1_000.0);
    for work in [Work::Send, Work::Live, Work::Append, Work::Start, Work::Latest] {
        for callers in [1, 32, 256] {
            measure(&store, work, callers).await?;
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    Ok(())
}
