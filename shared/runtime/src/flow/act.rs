//! Acting on what was written: what is outstanding is sent, then the head is brought up to date.
//! Level-triggered: it follows from the state, so doing it again after a crash does what was left undone.
//!
//! INVARIANT: the head is written last, so a head made from an entry proves that what the entry asks for
//! was sent. An input that comes again is told by it from one whose process died, and repeats nothing.

use futures_util::future::try_join;
use sop_core::Timestamp;
use sop_core::definition::Definition;
use sop_core::engine::{Effect, Head, Input, Run, State, Transition, outstanding};
use sop_core::id::{RunId, SopName, Tenant};
use sop_core::journal::Entry;
use sop_core::limits::DELAY_SECS_MAX;

use crate::envelope::Body;
use crate::flow::{FlowError, Host};
use crate::port::{Clock, Heads, Journal, Message, Queue, QueueName, random};

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
    /// An entry that was there: its head tells whether it was acted on.
    Before {
        /// The entry.
        entry: &'a Entry,
    },
    /// An entry whose timer came before its time: it is set again.
    Early {
        /// The entry.
        entry: &'a Entry,
    },
}

/// Sends what is outstanding, and projects the head if it changed.
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
    let entry = match &moved {
        Moved::New { transition, .. } => &transition.entry,
        Moved::Before { entry } | Moved::Early { entry } => entry,
    };
    let head = Head::of(&entry.after, entry.seq, entry.at);
    let (out, look_at_queue) = match &moved {
        Moved::New { before, transition } => {
            let changed =
                before.is_none_or(|(run, seq)| head.differs(&Head::of(run, seq, entry.at)));
            let freed = transition.slot.as_ref().is_some_and(|slot| slot.active < 0);
            let queues = matches!(entry.after.state, State::Queued { .. });
            (Out { send: true, project: changed }, freed || queues)
        }
        Moved::Before { .. } => {
            let left_undone = is_behind(host, entry).await?;
            (Out { send: left_undone, project: left_undone }, true)
        }
        Moved::Early { .. } => (Out { send: true, project: false }, false),
    };
    let (effects, wakes, admit) = messages(host, sop, entry);
    if out.send {
        let send_effects = send(host, QueueName::Effects, &effects);
        let send_wakes = send(host, QueueName::Events, &wakes);
        try_join(send_effects, send_wakes).await?;
    }
    if out.project {
        host.store.project(&head).await?;
    }
    match admit {
        // After the head: a run that queues must be found in the queue.
        Some((tenant, sop_name)) if look_at_queue => {
            admit_next(host, (&tenant, &sop_name), sop.max_concurrent, None).await
        }
        Some(_) | None => Ok(()),
    }
}

/// What has to go out.
struct Out {
    send: bool,
    project: bool,
}

/// Whether the head of `entry`'s run is older than `entry`: whoever appended it died before acting on
/// it, or has not got there yet.
async fn is_behind<S: Heads, Q, C>(host: &Host<S, Q, C>, entry: &Entry) -> Result<bool, FlowError> {
    let head = host.store.head(&entry.after.identity.id).await?;
    Ok(head.is_none_or(|head| head.seq < entry.seq))
}

/// Seconds given to whoever appended an entry to act on it, before somebody else does.
const HANDS_OFF_SECS: u32 = 2;

/// Has the run of `entry`, its newest, looked at soon if nobody has acted on it yet.
pub(super) async fn look_again<S: Heads, Q: Queue, C>(
    host: &Host<S, Q, C>,
    entry: &Entry,
) -> Result<(), FlowError> {
    if is_behind(host, entry).await? {
        let run = entry.after.identity.id.clone();
        let wake = Body::Wake { run, seq: None }.into_message(HANDS_OFF_SECS);
        send(host, QueueName::Events, &[wake]).await?;
    }
    Ok(())
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

/// Runs that are looked at for one ask, and runs that the sweep asks at once.
const CANDIDATES: usize = 16;

/// Asks one of the runs that have waited longest for a slot of `sop` to try for one, if one is free.
///
/// One slot given back is one ask, and an ask that finds its run gone passes itself on (`not` names that
/// run), so there are never more asks on their way than slots were given back. Among as many runs as
/// slots are free, all of which are to go on, any may be asked: two asks seldom meet.
///
/// The run is asked through the queue, so that a crash after it took its slot cannot leave it without
/// its effects.
pub(super) async fn admit_next<S, Q, C>(
    host: &Host<S, Q, C>,
    identity: (&Tenant, &SopName),
    max: Option<u32>,
    not: Option<&RunId>,
) -> Result<(), FlowError>
where
    S: Journal + Heads,
    Q: Queue,
    C: Clock,
{
    let (tenant, sop) = identity;
    let counters = host.store.counters(tenant, sop).await?;
    let free = max.unwrap_or(u32::MAX).saturating_sub(counters.active) as usize;
    if counters.waiting == 0 || free == 0 {
        return Ok(());
    }
    let mut runs = host.store.queued(tenant, sop, free.min(CANDIDATES) + 1).await?;
    runs.retain(|run| Some(run) != not);
    runs.truncate(free.min(CANDIDATES));
    if runs.is_empty() {
        return Ok(());
    }
    let any = usize::from_be_bytes(random()) % runs.len();
    send(host, QueueName::Events, &[ask(runs.swap_remove(any))]).await
}

/// Asks as many of the runs that have waited longest for a slot of `sop` as one tick may: the sweep's
/// way to mend asks that were lost.
pub(super) async fn admit_waiting<S, Q, C>(
    host: &Host<S, Q, C>,
    tenant: &Tenant,
    sop: &SopName,
) -> Result<(), FlowError>
where
    S: Heads,
    Q: Queue,
    C: Clock,
{
    let runs = host.store.queued(tenant, sop, CANDIDATES).await?;
    let asks: Vec<Message> = runs.into_iter().map(ask).collect();
    send(host, QueueName::Events, &asks).await
}

/// Each ask has an id of its own: of two that ask the same run, the second must hear that the run is not
/// queued, and pass itself on.
fn ask(run: RunId) -> Message {
    let id = Input::Admit.system_id(u64::from_be_bytes(random()));
    Body::Input { run, id, by: "admission".to_owned(), input: Input::Admit }.into_message(0)
}
