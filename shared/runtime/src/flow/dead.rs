//! Messages that cannot be carried out: why, and what an operator does about them.

use sop_core::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{
    Clock, DeadLetter, DeadLetters, DeadQueue, Failure, Failures, PortError, QueueName,
    RECEIVES_MAX, Which, dead_id,
};

/// Milliseconds for which a note is kept: longer than a dead letter lives.
/// Source: Amazon SQS developer guide, message retention (14 days at most).
const NOTE_KEPT_MS: i64 = 15 * 24 * 3_600_000;

/// Characters of an error that a note has.
const ERROR_CHARS_MAX: usize = 2_000;

/// Attempts after which a failure is worth a note: the last, and the one before, since the last may end
/// with its process.
const NOTED_FROM: u32 = RECEIVES_MAX - 1;

/// Keeps why handling the message with `body` failed, once few attempts are left; before that it costs
/// nothing.
///
/// # Errors
/// When the store fails; nobody depends on the note.
pub async fn note_failure<S: Failures>(
    store: &S,
    body: &str,
    attempt: u32,
    error: &str,
    now: Timestamp,
) -> Result<(), PortError> {
    if attempt < NOTED_FROM {
        return Ok(());
    }
    let failure = Failure {
        message: dead_id(body),
        error: error.chars().take(ERROR_CHARS_MAX).collect(),
        attempt,
        at: now,
        expires_at: now.plus_millis(NOTE_KEPT_MS),
    };
    store.put_failure(&failure).await
}

/// A dead letter and why it died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The letter.
    pub letter: DeadLetter,
    /// Why, unless its process ended without a word each time.
    pub failure: Option<Failure>,
}

/// Up to `limit` dead letters of `queue`, those that are known to have died last first.
///
/// # Errors
/// When a port fails.
pub async fn dead_letters<S: Failures, Q: DeadLetters, C>(
    host: &Host<S, Q, C>,
    queue: DeadQueue,
    limit: usize,
) -> Result<Vec<Dead>, FlowError> {
    let mut found = Vec::new();
    for letter in host.queue.dead(queue, limit).await? {
        let failure = match queue.home() {
            Some(_) => host.store.failure(&letter.id).await?,
            None => None,
        };
        found.push(Dead { letter, failure });
    }
    let died = |dead: &Dead| dead.failure.as_ref().map(|failure| failure.at).or(dead.letter.at);
    found.sort_by_key(|dead| std::cmp::Reverse(died(dead)));
    Ok(found)
}

/// The dead letter of `queue` with this id.
///
/// # Errors
/// When a port fails.
pub async fn dead_letter<S: Failures, Q: DeadLetters, C>(
    host: &Host<S, Q, C>,
    queue: DeadQueue,
    id: &str,
) -> Result<Option<Dead>, FlowError> {
    let all = host.queue.dead(queue, crate::port::DEAD_AT_ONCE_MAX).await?;
    let Some(letter) = all.into_iter().find(|letter| letter.id == id) else { return Ok(None) };
    let failure = host.store.failure(&letter.id).await?;
    Ok(Some(Dead { letter, failure }))
}

/// Sends dead letters to their queue again; how many.
///
/// What they stand for has the effect that it would have had: events start their runs once, inputs and
/// effects count once, and what came too late is refused as ever.
///
/// # Errors
/// When a port fails; letters that were not counted may have been sent, and may be sent again.
pub async fn redrive<S, Q: DeadLetters, C: Clock>(
    host: &Host<S, Q, C>,
    queue: QueueName,
    which: &Which,
    by: &str,
) -> Result<usize, FlowError> {
    let redriven = host.queue.redrive(queue, which).await?;
    tracing::info!(queue = queue.as_str(), by, redriven, "dead letters redriven");
    Ok(redriven)
}

/// Forgets dead letters for good; how many.
///
/// # Errors
/// When a port fails.
pub async fn discard<S, Q: DeadLetters, C: Clock>(
    host: &Host<S, Q, C>,
    queue: DeadQueue,
    which: &Which,
    by: &str,
) -> Result<usize, FlowError> {
    let discarded = host.queue.discard(queue, which).await?;
    tracing::info!(queue = queue.as_str(), by, discarded, "dead letters discarded");
    Ok(discarded)
}
