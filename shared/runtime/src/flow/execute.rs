//! A message of the effects queue: one thing is done outside, and what came of it is sent back.

mod perform;
mod relate;

use std::future::Future;

use serde_json::Value;
use sop_core::Timestamp;
use sop_core::definition::{Definition, Route};
use sop_core::engine::{Effect, EffectKey, Input, Ran, Run, Verdict};
use sop_core::id::RunId;

use crate::envelope::{Body, Envelope};
use crate::flow::advance::load;
use crate::flow::{FlowError, Host};
use crate::port::{Blobs, Catalog, Clock, Idempotency, Journal, Queue, QueueName, Secrets};

pub(super) use relate::{awaits, no_child};

/// One try of one step, for a built-in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What makes it one thing; handed on as `Idempotency-Key`.
    pub key: EffectKey,
    /// The built-in.
    pub capability: String,
    /// Its authored input, rendered and with its secrets. Never to be logged.
    pub with: Value,
    /// The step's own input: the last step's output or the event's payload, JSON where it is JSON, else
    /// a string; null when there is none. Of several steps an object, by their numbers.
    pub input: Value,
    /// JSON Schema that `input` has to fit.
    pub input_schema: Option<Value>,
    /// JSON Schema that the output has to fit.
    pub output_schema: Option<Value>,
    /// What an approver asked to be changed about the last try's result.
    pub guidance: Option<String>,
    /// After this instant the outcome no longer counts.
    pub deadline: Timestamp,
    /// W3C `traceparent`.
    pub trace: Option<String>,
}

/// Word of an open gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same for the same word: run, gate, escalation and route.
    pub id: String,
    /// When the gate opened or escalated.
    pub at: Timestamp,
    /// A short line for people.
    pub subject: String,
    /// Where it is sent.
    pub route: Route,
    /// What is said: `run`, `sop`, `version`, `step`, `title`, `prompt` (filled in, without secrets; where it
    /// cannot be, `prompt_problem` says why), `gate`, `shown`, `escalations`, `until`.
    pub body: Value,
}

/// Does what is to be done outside.
pub trait Perform: Send + Sync {
    /// Does `call` and tells how it went: the output in JSON, or the reason of the failure.
    ///
    /// Never fails otherwise: what goes wrong outside is the step's failure.
    fn perform(&self, call: &Call) -> impl Future<Output = Result<Value, String>> + Send;

    /// Sends word of an open gate; why it could not be sent otherwise, in which case it is sent again.
    fn notify(&self, notice: &Notice) -> impl Future<Output = Result<(), String>> + Send;
}

/// Carries out one message of the effects queue. When it returns `Ok` the message may be forgotten.
///
/// An effect that is no longer outstanding (done by an earlier delivery, cancelled, out of time) is not
/// carried out.
///
/// # Errors
/// The message is to be delivered again, or to become a dead letter.
pub async fn execute<S, Q, C, P, K>(
    host: &Host<S, Q, C>,
    (performer, secrets): (&P, &K),
    message: &str,
) -> Result<(), FlowError>
where
    S: Journal + Blobs + Catalog + Idempotency,
    Q: Queue,
    C: Clock,
    P: Perform,
    K: Secrets,
{
    let Body::Effect { effect } = Envelope::parse(message)? else {
        return Err(FlowError::WrongQueue);
    };
    match effect {
        Effect::Perform { ref key, .. } => {
            let at = load(host, &key.run).await?;
            perform::perform(host, (performer, secrets), (&at.sop, at.run()), effect).await
        }
        Effect::StartChild { ref parent, .. } => {
            let at = load(host, &parent.run).await?;
            relate::start_child(host, at.run(), effect).await
        }
        Effect::TellParent { run, parent } => {
            let at = load(host, &run).await?;
            relate::tell_parent(host, (&at.sop, at.run()), &parent).await
        }
        Effect::Notify { ref run, .. } => {
            let at = load(host, run).await?;
            perform::notify(host, performer, (&at.sop, at.run()), &effect).await
        }
        Effect::CancelChild { .. } | Effect::Wake { .. } | Effect::AdmitNext { .. } => {
            Err(FlowError::WrongQueue)
        }
    }
}

/// A run with its definition.
type Of<'a> = (&'a Definition, &'a Run);

/// Tells `run` what became of a step of it.
pub(super) async fn tell<S, Q: Queue, C>(
    host: &Host<S, Q, C>,
    run: RunId,
    (step, attempt): (u32, u32),
    by: &str,
    (verdict, ran): (Verdict, Option<Ran>),
) -> Result<(), FlowError> {
    let outcome = Input::Outcome { step, attempt, verdict, ran };
    let id = outcome.system_id(0);
    let body = Body::Input { run, id, by: by.to_owned(), input: outcome };
    Ok(host.queue.send(QueueName::Events, &[body.into_message(0)]).await?)
}
