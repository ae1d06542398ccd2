//! A message of the effects queue: a built-in does one step, and its outcome is sent back.

use std::future::Future;

use serde_json::Value;
use sop_core::Timestamp;
use sop_core::engine::{Effect, EffectKey, Fact, Input, State, Stored, Verdict};
use sop_core::id::RunId;
use sop_core::limits::PAYLOAD_BYTES_MAX;

use crate::envelope::{Body, Envelope};
use crate::flow::{FlowError, Host};
use crate::port::{Blobs, Clock, Journal, Queue, QueueName};

/// One try of one step, for a built-in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What makes it one thing; handed on as `Idempotency-Key`.
    pub key: EffectKey,
    /// The built-in.
    pub capability: String,
    /// Its authored input.
    pub with: Value,
    /// The step's own input: the last step's output or the event's payload, JSON where it is JSON, else
    /// a string; null when there is none.
    pub input: Value,
    /// After this instant the outcome no longer counts.
    pub deadline: Timestamp,
    /// W3C `traceparent`.
    pub trace: Option<String>,
}

/// Carries out built-ins.
pub trait Perform: Send + Sync {
    /// Does `call` and tells how it went: the output in JSON, or the reason of the failure.
    ///
    /// Never fails otherwise: what goes wrong outside is the step's failure.
    fn perform(&self, call: &Call) -> impl Future<Output = Result<Value, String>> + Send;
}

/// Carries out one message of the effects queue. When it returns `Ok` the message may be forgotten.
///
/// An effect that is no longer outstanding (done by an earlier delivery, cancelled, out of time) is not
/// carried out.
///
/// # Errors
/// The message is to be delivered again, or to become a dead letter.
pub async fn execute<S, Q, C, P>(
    host: &Host<S, Q, C>,
    performer: &P,
    message: &str,
) -> Result<(), FlowError>
where
    S: Journal + Blobs,
    Q: Queue,
    C: Clock,
    P: Perform,
{
    let Body::Effect {
        effect: Effect::Perform { key, capability, with, input_seq, deadline, trace },
    } = Envelope::parse(message)?
    else {
        return Err(FlowError::WrongQueue);
    };
    if !is_outstanding(host, &key, deadline).await? {
        tracing::info!(run.id = %key.run, step = key.step, "effect is no longer outstanding");
        return Ok(());
    }
    let input = input(host, &key.run, input_seq).await?;
    let call = Call { key, capability, with, input, deadline, trace };
    let verdict = match performer.perform(&call).await {
        Ok(output) => completed(host, &output).await?,
        Err(reason) => Verdict::Failed { reason },
    };
    let key = call.key;
    tracing::info!(
        run.id = %key.run,
        step = key.step,
        attempt = key.attempt,
        capability = %call.capability,
        trace = call.trace.as_deref().unwrap_or(""),
        done = matches!(verdict, Verdict::Completed { .. }),
        "effect"
    );
    let outcome = Input::Outcome { step: key.step, attempt: key.attempt, verdict };
    let id = outcome.system_id(0);
    let body = Body::Input { run: key.run, id, by: "executor".to_owned(), input: outcome };
    host.queue.send(QueueName::Events, &[body.into_message(0)]).await?;
    Ok(())
}

async fn is_outstanding<S: Journal, Q, C: Clock>(
    host: &Host<S, Q, C>,
    key: &EffectKey,
    deadline: Timestamp,
) -> Result<bool, FlowError> {
    if host.now() >= deadline {
        return Ok(false);
    }
    let Some(sealed) = host.store.latest(&key.run).await? else {
        return Err(FlowError::NoRun(key.run.clone()));
    };
    Ok(match sealed.open()?.after.state {
        State::Performing { step, attempt, .. } => step == key.step && attempt == key.attempt,
        State::Queued { .. }
        | State::AwaitingApproval { .. }
        | State::AwaitingPerson { .. }
        | State::Sleeping { .. }
        | State::Finished { .. } => false,
    })
}

async fn completed<S: Blobs, Q, C>(
    host: &Host<S, Q, C>,
    output: &Value,
) -> Result<Verdict, FlowError> {
    if output.is_null() {
        return Ok(Verdict::Completed { output: None });
    }
    let text = output.to_string();
    if text.len() > PAYLOAD_BYTES_MAX {
        let reason =
            format!("the output has {} bytes; at most {PAYLOAD_BYTES_MAX} are kept", text.len());
        return Ok(Verdict::Failed { reason });
    }
    let stored = Stored::of(&text);
    if let Stored::Blob { digest, .. } = &stored {
        host.store.put_blob(digest, &text).await?;
    }
    Ok(Verdict::Completed { output: Some(stored) })
}

/// The value that entry `seq` of `run` holds: a step's output, or the event's payload.
async fn input<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    seq: u64,
) -> Result<Value, FlowError> {
    let Some(sealed) = host.store.entry(run, seq).await? else {
        return Err(FlowError::NoRun(run.clone()));
    };
    let stored = match sealed.open()?.fact {
        Fact::Started { payload } => payload,
        Fact::StepCompleted { output, .. } => output,
        Fact::Admitted
        | Fact::Approved { .. }
        | Fact::Denied { .. }
        | Fact::StepFailed { .. }
        | Fact::Woke { .. }
        | Fact::Cancelled { .. } => None,
    };
    Ok(match stored {
        Some(stored) => {
            let text = text(host, stored).await?;
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        None => Value::Null,
    })
}

/// The text that `stored` stands for.
pub(super) async fn text<S: Blobs, Q, C>(
    host: &Host<S, Q, C>,
    stored: Stored,
) -> Result<String, FlowError> {
    match stored {
        Stored::Inline(text) => Ok(text),
        Stored::Blob { digest, .. } => {
            host.store.blob(&digest).await?.ok_or(FlowError::NoBlob(digest))
        }
    }
}
