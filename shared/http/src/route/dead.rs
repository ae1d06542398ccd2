//! Dead letters: what died and why, and what becomes of it.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use sop_core::engine::Effect;
use sop_runtime::envelope::{Body as Carried, Envelope};
use sop_runtime::flow::{self, Dead};
use sop_runtime::port::{Clock, DeadLetters, DeadQueue, Queue, Store, Which};

use crate::auth::{operator, reader};
use crate::problem::Problem;
use crate::request::{Segments, json as object, of_query, read, segments};
use crate::route::Shared;
use crate::wire::{DeadAsked, DeadOrder};

/// Letters of each queue that a list has when the caller does not say, and at most.
const LETTERS_DEFAULT: usize = 50;
const LETTERS_MAX: usize = 500;

/// Bytes of an order: the ids of as many letters as there may be, and some.
const ORDER_BYTES_MAX: usize = 64 * 1_024;

pub(crate) async fn list_dead<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let asked: DeadAsked = of_query(&uri)?;
    let limit = asked.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(LETTERS_DEFAULT).clamp(1, LETTERS_MAX);
    let queues = match asked.queue.as_deref() {
        Some(name) => vec![queue_of(name)?],
        None => DeadQueue::ALL.to_vec(),
    };
    let mut letters = Vec::new();
    for queue in queues {
        let found = flow::dead_letters(&host, queue, limit).await?;
        letters.extend(found.iter().map(|dead| letter(queue, dead)));
    }
    Ok(Json(json!({ "letters": letters })))
}

pub(crate) async fn show_dead<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    place: Segments<(String, String)>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let (queue, id) = segments(place)?;
    let queue = queue_of(&queue)?;
    let Some(dead) = flow::dead_letter(&host, queue, &id).await? else {
        return Err(no_letter(queue));
    };
    let mut shown = letter(queue, &dead);
    shown["body"] = json!(dead.letter.body);
    Ok(Json(shown))
}

/// Sends letters to their queue again.
pub(crate) async fn redrive<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let (queue, which) = order(&read(body, ORDER_BYTES_MAX).await?)?;
    let Some(home) = queue.home() else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "not_redrivable",
            "an arrival is a service's own message, which never became an event; see \
             `docs/operations.md`, \"Dead letters\", for how to hand it over again",
        ));
    };
    let redriven = flow::redrive(&host, home, &which, &caller.subject).await?;
    done("redriven", queue, &which, redriven)
}

/// Forgets letters for good.
pub(crate) async fn discard<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let (queue, which) = order(&read(body, ORDER_BYTES_MAX).await?)?;
    let discarded = flow::discard(&host, queue, &which, &caller.subject).await?;
    done("discarded", queue, &which, discarded)
}

/// What is answered to an order; letters that were named and are not there are missed.
fn done(what: &str, queue: DeadQueue, which: &Which, n: usize) -> Result<Json<Value>, Problem> {
    if n == 0 && *which != Which::All {
        return Err(no_letter(queue));
    }
    Ok(Json(json!({ "queue": queue, what: n })))
}

fn order(bytes: &[u8]) -> Result<(DeadQueue, Which), Problem> {
    let DeadOrder { queue, ids, all } = object(bytes)?;
    let which = match (ids.is_empty(), all) {
        (false, false) => Which::These(ids.into_iter().collect::<BTreeSet<_>>()),
        (true, true) => Which::All,
        (true, false) | (false, true) => {
            let detail = "say which letters: either their `ids`, or `\"all\": true`";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_body", detail));
        }
    };
    Ok((queue_of(&queue)?, which))
}

fn queue_of(name: &str) -> Result<DeadQueue, Problem> {
    DeadQueue::parse(name).ok_or_else(|| {
        let detail = format!("`{name}` is none of the queues `events`, `effects` and `arrivals`");
        Problem::new(StatusCode::BAD_REQUEST, "bad_queue", detail)
    })
}

fn no_letter(queue: DeadQueue) -> Problem {
    let detail = format!(
        "there is no such dead letter of the {} queue now; `sop dlq list` shows those there are",
        queue.as_str()
    );
    Problem::new(StatusCode::NOT_FOUND, "no_letter", detail)
}

/// A letter as lists show it.
fn letter(queue: DeadQueue, dead: &Dead) -> Value {
    let (kind, event, run) = match Envelope::parse(&dead.letter.body) {
        Ok(Carried::Event { event }) => {
            let what = json!({ "id": event.id, "source": event.source, "subject": event.subject });
            ("event", what, None)
        }
        Ok(Carried::Input { run, .. }) => ("input", Value::Null, Some(run)),
        Ok(Carried::Wake { run, .. }) => ("wake", Value::Null, Some(run)),
        Ok(Carried::Effect { effect }) => {
            let run = match effect {
                Effect::Perform { key, .. } => Some(key.run),
                Effect::StartChild { .. }
                | Effect::TellParent { .. }
                | Effect::CancelChild { .. }
                | Effect::Notify { .. }
                | Effect::Wake { .. }
                | Effect::AdmitNext { .. } => None,
            };
            ("effect", Value::Null, run)
        }
        Err(_) => ("unknown", Value::Null, None),
    };
    let failure = dead.failure.as_ref();
    let died = failure.map(|failure| failure.at).or(dead.letter.at);
    json!({
        "queue": queue,
        "id": dead.letter.id,
        "kind": kind,
        "event": event,
        "run": run,
        "at": died.map(|at| at.to_string()),
        "attempts": failure.map(|failure| failure.attempt),
        "reason": failure.map(|failure| &failure.error),
    })
}
