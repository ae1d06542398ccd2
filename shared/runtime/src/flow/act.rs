//! Acting on what was written: the head, then what is outstanding. Level-triggered: it follows from the
//! state, so doing it again after a crash does what was left undone.

use futures_util::future::try_join3;
use sop_core::Timestamp;
use sop_core::definition::Definition;
use sop_core::engine::{Effect, Head, Input, Run, State, Transition, outstanding};
use sop_core::id::{SopName, Tenant};
use sop_core::journal::Entry;
use sop_core::limits::DELAY_SECS_MAX;

use crate::envelope::Body;
use crate::flow::{FlowError, Host};
use crate::port::{Clock, Heads, Journal, Message, Queue, QueueName};

/// What is acted on.
#[derive(Debug)]
pub(super) enum Moved<'a> {
    /// A transition that was appended just now.
    New {
        /// The run before it.
        before: Option<(&'a Run, u64)>,
        /// The transition.
        transition: &'a Transition,
    },
    /// An entry that was there: whether it was acted on is not known.
    Before {
        /// The entry.
        entry: &'a Entry,
    },
}

/// Projects the head if it changed, and sends what is outstanding.
pub(super) async fn act<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    moved: Moved<'_>,
) -> Result<(), FlowError>
where
    S: Journal + Heads,
    Q: Queue,
    C: Clock,
{
    let (entry, project, look_at_queue) = match &moved {
        Moved::New { before, transition } => {
            let entry = &transition.entry;
            let head = Head::of(&entry.after, entry.seq, entry.at);
            let changed =
                before.is_none_or(|(run, seq)| head.differs(&Head::of(run, seq, entry.at)));
            let freed = transition.slot.as_ref().is_some_and(|slot| slot.active < 0);
            let queues = matches!(entry.after.state, State::Queued { .. });
            (entry, changed, freed || queues)
        }
        Moved::Before { entry } => (*entry, true, true),
    };
    let (effects, wakes, admit) = messages(host, sop, entry);
    let head = Head::of(&entry.after, entry.seq, entry.at);
    let project = async {
        if project {
            host.store.project(&head).await?;
        }
        Ok(())
    };
    let send_effects = send(host, QueueName::Effects, &effects);
    let send_wakes = send(host, QueueName::Events, &wakes);
    try_join3(project, send_effects, send_wakes).await?;
    match admit {
        // After the head: a run that queues must be found in the queue.
        Some((tenant, sop_name)) if look_at_queue => {
            admit_next(host, &tenant, &sop_name, sop.max_concurrent, 0).await
        }
        Some(_) | None => Ok(()),
    }
}

type Messages = (Vec<Message>, Vec<Message>, Option<(Tenant, SopName)>);

fn messages<S, Q, C: Clock>(host: &Host<S, Q, C>, sop: &Definition, entry: &Entry) -> Messages {
    let mut effects = Vec::new();
    let mut wakes = Vec::new();
    let mut admit = None;
    for effect in outstanding(sop, &entry.after) {
        match effect {
            Effect::Perform { .. } => effects.push(Body::Effect { effect }.into_message(0)),
            Effect::Wake { run, at } => {
                // What is further away is the sweep's.
                if let Some(delay_secs) = delay_secs(host.now(), at) {
                    wakes.push(Body::Wake { run, seq: Some(entry.seq) }.into_message(delay_secs));
                }
            }
            Effect::AdmitNext { tenant, sop } => admit = Some((tenant, sop)),
        }
    }
    (effects, wakes, admit)
}

/// Whole seconds from `now` until `at` has come, or `None` when no message can be delayed that long.
fn delay_secs(now: Timestamp, at: Timestamp) -> Option<u32> {
    let secs = u32::try_from(at.millis_since(now).max(0).saturating_add(999) / 1_000).ok()?;
    (secs <= DELAY_SECS_MAX).then_some(secs)
}

async fn send<S, Q: Queue, C>(
    host: &Host<S, Q, C>,
    queue: QueueName,
    messages: &[Message],
) -> Result<(), FlowError> {
    if !messages.is_empty() {
        host.queue.send(queue, messages).await?;
    }
    Ok(())
}

/// Runs that are asked to try for a slot when the bound is not known.
const CANDIDATES: usize = 8;

/// Asks the runs that have waited longest for a slot of `sop` to try for one, as many as are free.
///
/// The runs are asked through the queue, so that a crash after one took its slot cannot leave it
/// without its effects.
pub(super) async fn admit_next<S, Q, C>(
    host: &Host<S, Q, C>,
    tenant: &Tenant,
    sop: &SopName,
    max: Option<u32>,
    delay_secs: u32,
) -> Result<(), FlowError>
where
    S: Journal + Heads,
    Q: Queue,
    C: Clock,
{
    let counters = host.store.counters(tenant, sop).await?;
    let free = match max {
        Some(max) => max.saturating_sub(counters.active) as usize,
        None => CANDIDATES,
    };
    if counters.waiting == 0 || free == 0 {
        return Ok(());
    }
    let runs = host.store.queued(tenant, sop, free.min(counters.waiting as usize)).await?;
    let now = host.now();
    let asks: Vec<Message> = runs
        .into_iter()
        .map(|run| {
            let id = Input::Admit.system_id(u64::try_from(now.as_millis()).unwrap_or(0));
            Body::Input { run, id, by: "admission".to_owned(), input: Input::Admit }
                .into_message(delay_secs)
        })
        .collect();
    send(host, QueueName::Events, &asks).await
}
