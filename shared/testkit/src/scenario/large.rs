//! Runs as large as they may be: wide, long, deep and heavy.

use std::fmt::Write;

use sop_core::engine::{End, How, Phase, Run, Stored};
use sop_core::id::{Digest, SopName};
use sop_core::journal::verify;
use sop_core::limits::{DEPTH_MAX, PAYLOAD_BYTES_MAX, STEPS_MAX};
use sop_runtime::flow;
use sop_runtime::port::{Clock, Consumer, Queue, Store};

use super::{NOOP, texts, toml, webhook};
use crate::ids::sop;
use crate::patience::Passage;
use crate::world::World;

/// Times that the loop goes round.
const ROUNDS: u32 = 50;

/// Bytes of the longest entry that may be, before it is packed: half of what an item may have.
/// Source: Amazon DynamoDB developer guide, item size (400 KB).
const ITEM_BYTES_MAX: usize = 200 * 1024;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Large {
    /// Runs, all of which came to their end.
    pub runs: usize,
    /// Entries in their journals.
    pub entries: u64,
    /// Bytes of the longest entry.
    pub entry_bytes_max: usize,
}

/// A graph: the first step, then all but one at the same time, then the last, which waits for them.
fn wide() -> (String, String) {
    let steps: Vec<String> = (1..=STEPS_MAX)
        .map(|number| match number {
            1 => NOOP.to_owned(),
            STEPS_MAX => {
                let all: Vec<String> = (2..STEPS_MAX).map(|number| number.to_string()).collect();
                format!("{NOOP}\n   - depends_on: {}", all.join(", "))
            }
            _ => format!("{NOOP}\n   - depends_on: 1"),
        })
        .collect();
    // Below a number of three digits a key stands further right.
    let steps: Vec<String> =
        steps.iter().map(|step| step.replace("\n   - ", "\n     - ")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    texts(&toml("wide", "", &webhook("/sop/wide")), &steps)
}

/// A graph whose steps all begin at the same time, each with arguments of almost the size that an entry keeps
/// inside it; two of them are the engine's own.
fn broad() -> (String, String) {
    let steps: Vec<String> = (1..=STEPS_MAX)
        .map(|number| match number {
            1 => NOOP.to_owned(),
            2 | STEPS_MAX => "**Wait** — a little.\n     - capability: wait\n     \
                  - with: {\"ms\": \"{{ event.n }}\"}\n     - depends_on: 1"
                .to_owned(),
            _ => format!(
                "**Do** — it.\n     - capability: noop\n     - depends_on: 1\n     \
                 - with: {{\"step\": {number}, \"text\": \"{{{{ event.text }}}}\"}}"
            ),
        })
        .collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    texts(&toml("broad", "", &webhook("/sop/broad")), &steps)
}

/// A payload with a text of 4000 bytes that hardly packs.
fn long_text() -> String {
    let digests = (0..63_u8).map(|n| Digest::of(&[n]).to_string());
    let text: String = digests.collect::<String>().chars().take(4_000).collect();
    format!("{{\"n\": 1, \"text\": \"{text}\"}}")
}

/// A loop that goes round until its step was done [`ROUNDS`] times.
fn long() -> (String, String) {
    let again = format!("{NOOP}\n   - switch: $.steps.1.output.attempt < {ROUNDS} -> 1");
    texts(&toml("long", "", &webhook("/sop/long")), &[&again, NOOP])
}

/// Runs that start each other, the first one at `/sop/<name>`, `depth` of them.
fn deep(name: &str, depth: u32) -> Vec<(String, String)> {
    (1..=depth)
        .map(|level| {
            let trigger = if level == 1 { webhook(&format!("/sop/{name}")) } else { String::new() };
            let next = format!(
                "**Go** — deeper.\n   - capability: sop.start\n   \
                 - with: {{\"sop\": \"{name}-{}\", \"payload\": {{\"level\": {level}}}}}",
                level + 1
            );
            let step = if level == depth { NOOP.to_owned() } else { next };
            texts(&toml(&format!("{name}-{level}"), "", &trigger), &[&step])
        })
        .collect()
}

/// An output of exactly the largest size, and one that is a byte too large; the run goes on after both.
fn heavy() -> (String, String) {
    let give = |bytes: usize, more: &str| {
        format!("**Give** — it.\n   - capability: noop\n   - with: {{\"bytes\": {bytes}}}{more}")
    };
    let fits = give(PAYLOAD_BYTES_MAX, "");
    let too_large = give(PAYLOAD_BYTES_MAX + 1, "\n   - on_failure: continue");
    texts(&toml("heavy", "", &webhook("/sop/heavy")), &[&fits, &too_large, NOOP])
}

/// Plays runs at the stated limits to their end: 200 steps in parallel, without arguments and with large ones, a loop of 50 rounds, runs 8 deep (and
/// 9 deep, which is one too many), an output of 256 KiB (and one of a byte more).
///
/// # Panics
/// When one of them does not end as it must, or its ledger does not hold.
pub async fn large<S, Q, C>(mut world: World<S, Q, C>) -> Large
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
    C: Clock + Passage + Clone,
{
    let mut sops = vec![wide(), broad(), long(), heavy()];
    sops.extend(deep("deep", DEPTH_MAX));
    sops.extend(deep("deeper", DEPTH_MAX + 1));
    world.publish(&sops).await;
    for path in ["wide", "long", "heavy", "deep", "deeper"] {
        world.call(&format!("/sop/{path}"), path, "{\"n\": 1}").await;
    }
    world.call("/sop/broad", "broad", &long_text()).await;
    world.settle().await;
    let seen = check(&world).await;
    world.close().await;
    seen
}

async fn check<S, Q, C>(world: &World<S, Q, C>) -> Large
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
    C: Clock + Passage + Clone,
{
    let mut seen = Large { runs: 0, entries: 0, entry_bytes_max: 0 };
    for head in world.heads().await {
        let entries = flow::journal(world.plain(), &head.run).await.expect("the journal is read");
        let newest = entries.last().expect("not empty").open().expect("it can be read");
        let definition = world.plain().definition(&newest.after.identity.definition).await;
        verify(&entries, &definition.expect("the definition is there")).expect("it verifies");
        ended_well(&head.sop, &newest.after);
        seen.runs += 1;
        seen.entries += entries.len() as u64;
        let longest = entries.iter().map(|entry| entry.body.len()).max().unwrap_or_default();
        seen.entry_bytes_max = seen.entry_bytes_max.max(longest);
        if head.sop == sop("heavy") {
            let given = entries[1].open().expect("it can be read").fact;
            let stored = given.brings().cloned().expect("it gave something");
            assert!(matches!(stored, Stored::Blob { bytes: PAYLOAD_BYTES_MAX, .. }), "{stored:?}");
            let mut said = String::new();
            write!(said, "{:?}", entries[2].open().expect("it can be read").fact).expect("text");
            assert!(said.contains("262145 bytes; at most 262144 are kept"), "{said}");
        }
    }
    // What is one too deep is never started.
    let depth = DEPTH_MAX as usize;
    assert_eq!(seen.runs, 4 + depth + depth, "{seen:?}");
    assert!(seen.entry_bytes_max < ITEM_BYTES_MAX, "{seen:?}");
    seen
}

fn ended_well(name: &SopName, run: &Run) {
    let Phase::Finished { end, .. } = &run.phase else { panic!("{name}: {:?}", run.phase) };
    if name.as_str().starts_with("deeper-") {
        let told = matches!(end, End::Failed { reason } if reason.contains("8 deep"));
        assert!(told, "{name}: {end:?}");
        return;
    }
    assert_eq!(*end, End::Completed, "{name}");
    let done = run.past.iter().filter(|past| past.how == How::Done).count();
    match name.as_str() {
        "wide" | "broad" => assert_eq!(done, STEPS_MAX),
        "long" => assert_eq!(run.past(1).map(|past| past.visits), Some(ROUNDS)),
        "heavy" => assert_eq!(done, 2),
        _ => assert_eq!(done, 1, "{name}"),
    }
}
