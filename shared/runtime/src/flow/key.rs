//! A message that comes twice, told by its own id: the `key` of the trigger that it matches.

use serde::{Deserialize, Serialize};
use sop_core::condition::{Payload, ValuePath};
use sop_core::event::Event;
use sop_core::id::{Digest, EventId, RunId, SopName};
use sop_core::time::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{Claim, Clock, Idempotency, Journal};

/// Milliseconds for which a key is remembered: longer than a device or a broker holds a message back.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// Whether an event is the first with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum First {
    /// It is, or it is that one delivered again.
    Yes,
    /// It has no key, so it stands for itself.
    Keyless,
    /// Another one came before it.
    No {
        /// What the log says.
        reason: String,
        /// The run that the other one started, if it is there.
        run: Option<RunId>,
    },
}

/// What is remembered under a key: the event that came first.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    event: EventId,
    time: Timestamp,
}

/// Claims the key that `event` has at `path` for `sop`.
///
/// Claimed before the run is started: a crash in between leaves the message on the queue, and the same
/// event finds its own claim. A value of any type is a key but null.
pub(super) async fn first<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    path: &ValuePath,
    (event, payload): (&Event, &Payload<'_>),
) -> Result<First, FlowError>
where
    S: Idempotency + Journal,
    C: Clock,
{
    let Some(value) = path.find(payload).filter(|value| !value.is_null()) else {
        return Ok(First::Keyless);
    };
    let (now, value) = (host.now(), value.to_string());
    let key = format!("trigger/{sop}/{}", Digest::of(value.as_bytes()));
    let holder = Holder { event: event.id.clone(), time: event.time };
    let record = serde_json::to_string(&holder).expect("a holder has only string keys");
    let until = now.plus_millis(KEPT_MS);
    let held = match host.store.claim(&event.tenant, &key, &record, now, until).await? {
        Claim::New => return Ok(First::Yes),
        Claim::Held(record) => record,
    };
    let Ok(before) = serde_json::from_str::<Holder>(&held) else { return Ok(First::Yes) };
    if before.event == event.id {
        return Ok(First::Yes);
    }
    let run = RunId::derive(&event.tenant, sop, &before.event, before.time);
    let is_there = host.store.latest(&run).await?.is_some();
    let of = match is_there {
        true => format!("run {run}"),
        // Admission turned it away, or it is still on its way.
        false => format!("event {}", before.event),
    };
    let reason = format!("duplicate of {of} by key `{}`", path.as_str());
    Ok(First::No { reason, run: is_there.then_some(run) })
}
