//! Acting on what was written: what is outstanding is sent, then the head is brought up to date.
//! Level-triggered: it follows from the state, so doing it again after a crash does what was left undone.
//!
//! INVARIANT: the head is written last, so a head made from an entry proves that what the entry asks for
//! was sent. An input that comes again is told by it from one whose process died, and repeats nothing.

use std::cmp::Reverse;

use futures_util::future::try_join;
use sop_core::Timestamp;
use sop_core::definition::Definition;
use sop_core::engine::{
    Counters, Effect, Head, Input, Run, SlotChange, Stand, Transition, newly_outstanding,
    outstanding,
};
use sop_core::event::Event;
use sop_core::id::{Digest, InputId, RunId, SopName, Tenant};
use sop_core::journal::Entry;
use sop_core::limits::{DELAY_SECS_MAX, LOOK_AHEAD_MS, WAIT_MS_MAX};
use sop_core::matching::Listed;

use crate::envelope::Body;
use crate::flow::ended::event_of_end;
use crate::flow::{FlowError, Host};
use crate::metric;
use crate::port::{
    Blobs, Catalog, Clock, Heads, Journal, Message, Queue, QueueName, Waiting, Waits, random,
};

/// Who cancels a run whose parent no longer waits for it.
pub(super) const PARENT: &str = "parent";

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
    /// An entry that the sweep led to before anything is due: besides, what is due soon is set.
    Swept {
        /// The entry.
        entry: &'a Entry,
    },
    /// An entry one of whose timers came before its time: it is set again.
    Early {
        /// The entry.
        entry: &'a Entry,
        /// What it is set for.
        at: Timestamp,
    },
}

/// Stores what the entry of `transition` names, before it is appended.
pub(super) async fn prepare<S, Q, C>(
    host: &Host<S, Q, C>,
    before: Option<&Run>,
    transition: &Transition,
) -> Result<(), FlowError>
where
    S: Blobs + Waits,
{
    for blob in &transition.blobs {
        host.store.put_blob(&blob.digest, &blob.text).await?;
    }
    // Before the append: no event that comes after it may be missed.
    let after = &transition.entry.after;
    for (key, step, until) in awaited(after) {
        let is_known = before.is_some_and(|run| awaited(run).any(|it| (it.0, it.1) == (key, step)));
        if !is_known {
            let until = until.unwrap_or(transition.entry.at.plus_millis(WAIT_MS_MAX));
            let waiting = Waiting { run: after.identity.id.clone(), step };
            host.store.subscribe(&key, &waiting, until).await?;
        }
    }
    Ok(())
}

/// The events that steps of `run` wait for: key, step, and until when.
fn awaited(run: &Run) -> impl Iterator<Item = (Digest, u32, Option<Timestamp>)> {
    run.live.iter().filter_map(|live| match &live.stand {
        Stand::Event { key, until } => Some((*key, live.step, *until)),
        Stand::Slot
        | Stand::Approval(_)
        | Stand::Person { .. }
        | Stand::Performer { .. }
        | Stand::Timer { .. }
        | Stand::Retry { .. }
        | Stand::Child { .. }
        | Stand::Unknown => None,
    })
}

/// Sends what is outstanding, and projects the head if it changed.
pub(super) async fn act<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    moved: Moved<'_>,
) -> Result<(), FlowError>
where
    S: Journal + Heads + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    if let Moved::New { before, transition } = &moved {
        metric::moved(before.map(|(run, _)| run), &transition.entry);
    }
    let plan = plan(host, sop, &moved).await?;
    let (effects, mut events) = messages(host, plan.effects);
    let ends = plan.ends.into_iter().map(|event| Body::Event { event: Box::new(event) });
    events.extend(ends.map(|body| body.into_message(0)));
    let send_effects = send(host, QueueName::Effects, &effects);
    let send_events = send(host, QueueName::Events, &events);
    try_join(send_effects, send_events).await?;
    if let Some(head) = &plan.project {
        host.store.project(head).await?;
    }
    if let Moved::New { before: Some((before, _)), transition } = &moved {
        forget(host, before, &transition.entry.after).await?;
    }
    if plan.look_at_queue {
        // After the head: a run that queues must be found in the queue.
        let tenant = match &moved {
            Moved::New { transition, .. } => &transition.entry.after.identity.tenant,
            Moved::Before { entry } | Moved::Swept { entry } | Moved::Early { entry, .. } => {
                &entry.after.identity.tenant
            }
        };
        admit_next(host, sop, tenant, None).await?;
    }
    Ok(())
}

/// What has to be done about a move.
struct Plan {
    effects: Vec<Effect>,
    /// The run's end, for those who want to hear of it.
    ends: Vec<Event>,
    project: Option<Head>,
    look_at_queue: bool,
}

async fn plan<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    moved: &Moved<'_>,
) -> Result<Plan, FlowError>
where
    S: Journal + Heads + Catalog,
    C: Clock,
{
    match moved {
        Moved::New { before, transition } => plan_new(host, sop, *before, transition).await,
        Moved::Before { entry } | Moved::Swept { entry } => {
            let left_undone = is_behind(host, entry).await?;
            let head = Head::of(sop, &entry.after, entry.seq, entry.at);
            let mut effects = outstanding(sop, &entry.after);
            let look_at_queue = asks_next(&effects);
            let mut ends = Vec::new();
            if left_undone {
                ends.extend(event_of_end(host, sop, (&entry.after, entry.seq)).await?);
            } else {
                let soon = host.now().plus_millis(LOOK_AHEAD_MS);
                let is_swept = matches!(moved, Moved::Swept { .. });
                effects
                    .retain(|it| matches!(it, Effect::Wake { at, .. } if is_swept && *at <= soon));
            }
            Ok(Plan { effects, ends, project: left_undone.then_some(head), look_at_queue })
        }
        Moved::Early { entry, at } => {
            let wake = Effect::Wake { run: entry.after.identity.id.clone(), at: *at };
            Ok(Plan { effects: vec![wake], ends: Vec::new(), project: None, look_at_queue: false })
        }
    }
}

async fn plan_new<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    before: Option<(&Run, u64)>,
    transition: &Transition,
) -> Result<Plan, FlowError>
where
    S: Journal + Heads + Catalog,
    C: Clock,
{
    let entry = &transition.entry;
    let head = Head::of(sop, &entry.after, entry.seq, entry.at);
    let all = outstanding(sop, &entry.after);
    let known = before.map(|(run, _)| outstanding(sop, run)).unwrap_or_default();
    let mut effects = newly_outstanding(&known, &all);
    let mut changed =
        before.is_none_or(|(run, seq)| head.differs(&Head::of(sop, run, seq, entry.at)));
    let goes_on = all.iter().any(|effect| is_work(effect) && !effects.contains(effect));
    if let Some((run, seq)) = before.filter(|_| goes_on) {
        // What is under way besides was asked for by an earlier entry. Should whoever appended that have
        // died before it asked, it is asked for now.
        let projected = host.store.head(&run.identity.id).await?;
        if projected.is_none_or(|head| head.seq < seq) {
            effects.clone_from(&all);
        }
        changed = true;
    }
    let frees = transition.slot.as_ref().is_some_and(SlotChange::frees);
    let look_at_queue = asks_next(&all) && (frees || head.queue.is_some());
    let ends = ends(host, sop, before, entry).await?;
    Ok(Plan { effects, ends, project: changed.then_some(head), look_at_queue })
}

/// The end that `entry` tells of, and the one before it, which is no longer the run's state, where whoever
/// appended that has not acted on it.
async fn ends<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    before: Option<(&Run, u64)>,
    entry: &Entry,
) -> Result<Vec<Event>, FlowError>
where
    S: Journal + Heads + Catalog,
    C: Clock,
{
    let mut ends = Vec::new();
    if let Some((run, seq)) = before
        && let Some(event) = event_of_end(host, sop, (run, seq)).await?
        && host.store.head(&run.identity.id).await?.is_none_or(|head| head.seq < seq)
    {
        ends.push(event);
    }
    ends.extend(event_of_end(host, sop, (&entry.after, entry.seq)).await?);
    Ok(ends)
}

fn asks_next(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::AdmitNext { .. }))
}

/// Whether nobody but the one it is asked of will do it: timers and queues are swept.
fn is_work(effect: &Effect) -> bool {
    match effect {
        Effect::Perform { .. }
        | Effect::StartChild { .. }
        | Effect::TellParent { .. }
        | Effect::CancelChild { .. }
        | Effect::Notify { .. } => true,
        Effect::Wake { .. } | Effect::AdmitNext { .. } => false,
    }
}

/// Forgets what `before` waited for and `after` does not.
async fn forget<S: Waits, Q, C>(
    host: &Host<S, Q, C>,
    before: &Run,
    after: &Run,
) -> Result<(), FlowError> {
    for (key, step, _) in awaited(before) {
        if !awaited(after).any(|it| (it.0, it.1) == (key, step)) {
            let waiting = Waiting { run: after.identity.id.clone(), step };
            host.store.unsubscribe(&key, &waiting).await?;
        }
    }
    Ok(())
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
        let wake = Body::Wake { run, at: None }.into_message(HANDS_OFF_SECS);
        send(host, QueueName::Events, &[wake]).await?;
    }
    Ok(())
}

/// The messages for `effects`: for whoever works outside, and for the dispatcher.
fn messages<S, Q, C: Clock>(
    host: &Host<S, Q, C>,
    effects: Vec<Effect>,
) -> (Vec<Message>, Vec<Message>) {
    let (mut work, mut events) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Perform { .. }
            | Effect::StartChild { .. }
            | Effect::TellParent { .. }
            | Effect::Notify { .. } => work.push(Body::Effect { effect }.into_message(0)),
            Effect::CancelChild { run, parent } => events.push(cancel_child(run, &parent)),
            Effect::Wake { run, at } => {
                // What is further away is the sweep's.
                if let Some(delay_secs) = delay_secs(host.now(), at) {
                    events.push(Body::Wake { run, at: Some(at) }.into_message(delay_secs));
                }
            }
            Effect::AdmitNext { .. } => {}
        }
    }
    (work, events)
}

fn cancel_child(run: RunId, parent: &RunId) -> Message {
    let (id, input) = orphaned(parent);
    Body::Input { run, id, by: PARENT.to_owned(), input }.into_message(0)
}

/// What stops a run that `parent` no longer waits for.
pub(super) fn orphaned(parent: &RunId) -> (InputId, Input) {
    let reason = format!("run {parent}, which it worked for, no longer waits for it");
    let id = InputId::parse(&format!("orphaned-by-{parent}")).expect("visible ASCII");
    (id, Input::Cancel { reason })
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

/// SOPs whose queues are looked at for one ask, where the whole workspace is limited.
const QUEUES: usize = 64;

/// Asks one of the runs that have waited longest for a slot of `sop` to try for one, if one is free. Where
/// the whole workspace is limited, the runs of other SOPs have a claim to it too, by their priority.
///
/// One slot given back is one ask, and an ask that finds its run gone passes itself on (`not` names that
/// run), so there are never more asks on their way than slots were given back. Among as many runs as
/// slots are free, all of which are to go on, any may be asked: two asks seldom meet.
///
/// The run is asked through the queue, so that a crash after it took its slot cannot leave it without
/// its effects.
pub(super) async fn admit_next<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    tenant: &Tenant,
    not: Option<&RunId>,
) -> Result<(), FlowError>
where
    S: Journal + Heads + Catalog,
    Q: Queue,
    C: Clock,
{
    let own = Limits::from(&Listed::from(sop));
    let Some(total_max) = sop.max_concurrent_total else {
        return ask_one(host, (tenant, &sop.name), own, not).await.map(drop);
    };
    if host.store.total(tenant).await? >= total_max {
        return Ok(());
    }
    let active = host.active().await?;
    let mut queues = host.store.congested(tenant, QUEUES).await?;
    if !queues.contains(&sop.name) {
        queues.push(sop.name.clone());
    }
    let listed = |name: &SopName| active.index.find(name);
    queues.sort_by_key(|name| Reverse(listed(name).map(|listed| listed.priority)));
    for name in &queues {
        let limits = listed(name).map_or(own, Limits::from);
        if ask_one(host, (tenant, name), limits, not).await? {
            break;
        }
    }
    Ok(())
}

/// What bounds the runs of one SOP.
#[derive(Debug, Clone, Copy)]
struct Limits {
    active_max: Option<u32>,
    pending_max: Option<u32>,
    one_at_a_time: bool,
}

impl From<&Listed> for Limits {
    fn from(listed: &Listed) -> Self {
        Self {
            active_max: listed.max_concurrent,
            pending_max: listed.max_pending_approvals,
            one_at_a_time: listed.admission_policy.is_one_at_a_time(),
        }
    }
}

impl Limits {
    /// Runs that may begin now.
    fn free(self, counters: &Counters) -> u32 {
        let left =
            |max: Option<u32>, count: u32| max.map_or(u32::MAX, |max| max.saturating_sub(count));
        let open_max = self.one_at_a_time.then_some(1);
        left(self.active_max, counters.active)
            .min(left(self.pending_max, counters.pending))
            .min(left(open_max, counters.open))
    }
}

/// Asks one run of the SOP's queue, if it may begin; whether there was one.
async fn ask_one<S, Q, C>(
    host: &Host<S, Q, C>,
    (tenant, sop): (&Tenant, &SopName),
    limits: Limits,
    not: Option<&RunId>,
) -> Result<bool, FlowError>
where
    S: Journal + Heads,
    Q: Queue,
    C: Clock,
{
    let counters = host.store.counters(tenant, sop).await?;
    let free = usize::try_from(limits.free(&counters)).unwrap_or(CANDIDATES).min(CANDIDATES);
    if counters.waiting == 0 || free == 0 {
        return Ok(false);
    }
    let mut runs = host.store.queued(tenant, sop, free + 1).await?;
    runs.retain(|run| Some(run) != not);
    runs.truncate(free);
    if runs.is_empty() {
        return Ok(false);
    }
    let any = usize::from(host.clock.chance()[0]) % runs.len();
    send(host, QueueName::Events, &[ask(runs.swap_remove(any))]).await?;
    Ok(true)
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
