//! Several tickers race for a day, two hours of which nobody ticks: what fires is what one ticker alone,
//! that never failed, would have fired.

use std::collections::{BTreeMap, BTreeSet};

use sop_core::Timestamp;
use sop_core::cron::{CronExpr, TimeZone};
use sop_core::definition::SourceFiles;
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{self, Host, Published, Push};
use sop_runtime::port::{Consumer, Queue, QueueName, Store};

use crate::clock::ManualClock;
use crate::failing::{Failing, Fuse, Moment};

/// Tickers at once.
const TICKERS: u64 = 3;

/// Milliseconds between two ticks, and of the day.
const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// The minutes in which nobody ticks.
const DOWN: std::ops::Range<i64> = 600..720;

/// Milliseconds for which a received message is nobody else's.
const HIDDEN_MS: u32 = 600_000;

/// What the schedules are, with their zones. The day is one on which clocks change in Berlin and not in
/// New York: of two to three nothing is there, and all of it is over when it begins.
const SCHEDULES: [(&str, &str); 9] = [
    ("* * * * *", "UTC"),
    ("*/5 * * * *", "UTC"),
    ("*/30 * * * * *", "UTC"),
    ("0 * * * *", "Europe/Berlin"),
    ("30 2 * * *", "Europe/Berlin"),
    ("15 3 * * *", "Europe/Berlin"),
    ("30 2 * * *", "America/New_York"),
    ("0 11 * * *", "UTC"),
    ("@hourly", "Asia/Kathmandu"),
];

/// The instant at which the day begins: 2026-03-29T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_millis(1_774_742_400_000);

/// What was fired: expression, zone and time.
type Fired = BTreeSet<(String, String, Timestamp)>;

/// Races three tickers over a day of virtual time; how many schedules fired. `clock` is the store's and
/// the queue's.
///
/// Each ticker skips some minutes and dies in the middle of others; one of them, never the same for long,
/// comes through.
///
/// # Panics
/// When another set of schedules fired than the window rule says, or one was fired under two ids.
pub async fn tickers<S, Q>(store: S, queue: Q, clock: &ManualClock, seed: u64) -> usize
where
    S: Store + Clone + 'static,
    Q: Queue + Consumer + Clone + 'static,
{
    clock.set(BEGIN);
    publish(&Host::new(store.clone(), queue.clone(), clock.clone())).await;
    let mut random = seed | 1;
    let mut ids: BTreeMap<(String, String, Timestamp), BTreeSet<String>> = BTreeMap::new();
    let mut expected = Fired::new();
    let mut last = BEGIN.plus_millis(-MINUTE_MS);
    for minute in 0..DAY_MINUTES {
        if DOWN.contains(&minute) {
            continue;
        }
        let now = BEGIN.plus_millis(minute * MINUTE_MS);
        clock.set(now);
        // One of them is there and lives, so that the minute is looked at.
        let alive = next(&mut random) % TICKERS;
        let races = (0..TICKERS).filter_map(|ticker| {
            let (skips, call) = (next(&mut random).is_multiple_of(4), 1 + next(&mut random) % 8);
            let fuse = match (ticker == alive, skips) {
                (true, _) => Fuse::whole(),
                (false, true) => return None,
                (false, false) => Fuse::dead_from(call, Moment::After),
            };
            Some(race(store.clone(), queue.clone(), clock.clone(), fuse))
        });
        let races: Vec<_> = races.map(tokio::spawn).collect();
        for race in races {
            race.await.expect("no ticker panics");
        }
        expected.extend(due(last, now));
        last = now;
        collect(&queue, &mut ids).await;
    }
    let fired: Fired = ids.keys().cloned().collect();
    let (lost, extra): (Vec<_>, Vec<_>) =
        (expected.difference(&fired).collect(), fired.difference(&expected).collect());
    assert!(lost.is_empty() && extra.is_empty(), "lost: {lost:?}\nextra: {extra:?}");
    for (schedule, ids) in &ids {
        assert_eq!(ids.len(), 1, "{schedule:?} has one event, however often it was sent");
    }
    fired.len()
}

/// What one ticker that never fails fires in the window (after, upto].
fn due(after: Timestamp, upto: Timestamp) -> impl Iterator<Item = (String, String, Timestamp)> {
    SCHEDULES.into_iter().filter_map(move |(expression, zone)| {
        let parsed = CronExpr::parse(expression).expect("an expression");
        let in_zone = TimeZone::parse(zone).expect("a zone");
        // One by one: the window rule in the words of the documentation, and nothing of its code.
        let next = |at: &Timestamp| parsed.next_after(&in_zone, *at);
        let all = std::iter::successors(next(&after), next).take_while(|at| *at <= upto);
        let last = all.last()?;
        Some((expression.to_owned(), zone.to_owned(), last))
    })
}

async fn race<S, Q>(store: S, queue: Q, clock: ManualClock, fuse: Fuse)
where
    S: Store,
    Q: Queue,
{
    let host = Host::new(Failing::new(store, &fuse), Failing::new(queue, &fuse), clock);
    if let Err(error) = flow::tick(&host).await {
        assert!(fuse.has_blown() || error.is_retryable(), "{error}");
    }
}

/// Takes what was sent off the queue.
async fn collect<Q: Consumer>(
    queue: &Q,
    ids: &mut BTreeMap<(String, String, Timestamp), BTreeSet<String>>,
) {
    loop {
        let received = queue.receive(QueueName::Events, 100, HIDDEN_MS).await.expect("received");
        if received.is_empty() {
            return;
        }
        let receipts: Vec<String> = received.iter().map(|one| one.receipt.clone()).collect();
        queue.acknowledge(QueueName::Events, &receipts).await.expect("acknowledged");
        for one in received {
            let Ok(Body::Event { event }) = Envelope::parse(&one.body) else {
                panic!("no event: {}", one.body)
            };
            let number: usize = event
                .target
                .as_ref()
                .and_then(|sop| sop.as_str().strip_prefix("s-")?.parse().ok())
                .expect("the SOP of a schedule");
            let (expression, zone) = SCHEDULES[number];
            assert_eq!(event.subject, expression);
            let schedule = (expression.to_owned(), zone.to_owned(), event.time);
            ids.entry(schedule).or_default().insert(event.id.to_string());
        }
    }
}

/// One SOP for each schedule.
async fn publish<S: Store, Q: Queue>(host: &Host<S, Q, ManualClock>) {
    let sop = |(number, (expression, zone)): (usize, (&str, &str))| SourceFiles {
        directory: format!("sops/s-{number}"),
        toml: format!(
            "[sop]\nname = \"s-{number}\"\ndescription = \"d\"\nversion = \"1\"\n\
             [[triggers]]\ntype = \"cron\"\nexpression = \"{expression}\"\ntimezone = \"{zone}\"\n"
        ),
        markdown: Some("## Steps\n\n1. **Do** — it.\n".to_owned()),
    };
    let files: Vec<SourceFiles> = SCHEDULES.into_iter().enumerate().map(sop).collect();
    match flow::publish(host, files[..].into(), Push::Replace, "author").await {
        Ok(Published::Active { .. }) => {}
        other => panic!("{other:?}"),
    }
}

fn next(random: &mut u64) -> u64 {
    // xorshift64
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random >> 20
}
