//! What people do to runs: decide, complete, fail, pause, resume, retry, rerun, cancel.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json as object};
use sop_core::engine::{Awaited, Decision, Input, Stored, Verdict, value_of_text};
use sop_core::id::{Digest, RunId};
use sop_core::ingress::Rejected;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Host, Rerun, Submitted};
use sop_runtime::port::{Clock, Queue, Store, random};

use crate::auth::operator;
use crate::problem::Problem;
use crate::request::{
    Segments, bad_body, guidance, input_id, json, key, read, reason, run_id, segments, step_number,
    too_large,
};
use crate::route::Shared;
use crate::route::catalog::started;
use crate::schema;
use crate::wire::{From, GateDecision, Output, Reason, Say};

/// Bytes of a decision or a reason.
const WORDS_BYTES_MAX: usize = 16 * 1_024;

/// Bytes of a decision: an amendment may be as long as what it amends.
const DECISION_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + WORDS_BYTES_MAX;

/// Takes a run up again from one of its steps, as a new run.
pub(crate) async fn rerun<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    run: Segments<String>,
    body: Body,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let run = run_id(&segments(run)?)?;
    let given: From = json(&read(body, WORDS_BYTES_MAX).await?)?;
    let key = match key(&headers)? {
        Some(key) => key.to_owned(),
        None => Digest::of(&random::<32>()).to_string(),
    };
    match flow::rerun(&host, &run, given.from, &caller.subject, &key).await? {
        Rerun::Refused { reason } => Err(Problem::new(StatusCode::CONFLICT, "not_rerun", reason)),
        Rerun::ByHand(done) => started(done, run.as_str()),
    }
}

/// Moves a run by an order that needs no more words: pause, resume, retry.
pub(crate) async fn order<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    run: Segments<String>,
    input: Input,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let run = run_id(&segments(run)?)?;
    apply(&host, &headers, &run, &caller.subject, input, None).await
}

pub(crate) async fn decide<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    run: Segments<String>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let run = run_id(&segments(run)?)?;
    let body = read(body, DECISION_BYTES_MAX).await?;
    let asked: GateDecision = json(&body)?;
    if asked.decision != Say::Amend && body.len() > WORDS_BYTES_MAX {
        return Err(too_large(WORDS_BYTES_MAX));
    }
    let revision = asked.revision;
    let decision = decision(asked)?;
    let input = Input::Decide { gate: revision, decision };
    apply(&host, &headers, &run, &caller.subject, input, None).await
}

/// What is said at a gate. What belongs to another answer is not passed over: it would not be done.
fn decision(asked: GateDecision) -> Result<Decision, Problem> {
    let stray = match asked.decision {
        Say::Amend => asked.guidance.is_some(),
        Say::Revise => asked.value.is_some(),
        Say::Approve | Say::Deny => asked.value.is_some() || asked.guidance.is_some(),
    };
    if stray {
        return Err(bad_body("`value` belongs to `amend`, `guidance` to `revise`"));
    }
    Ok(match asked.decision {
        Say::Approve => Decision::Approve { comment: asked.comment },
        Say::Deny => Decision::Deny { reason: reason(asked.reason.unwrap_or_default())? },
        Say::Amend => match asked.value {
            Some(value) => Decision::Amend { value },
            None => return Err(bad_body("an amendment needs a `value`")),
        },
        Say::Revise => Decision::Revise { guidance: guidance(asked.guidance.unwrap_or_default())? },
    })
}

pub(crate) async fn complete<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    path: Segments<(String, String)>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let (run, step) = segments(path)?;
    let (run, step) = (run_id(&run)?, step_number(&step)?);
    // Room for the object around the output.
    let given: Output = json(&read(body, PAYLOAD_BYTES_MAX + 64).await?)?;
    let output = match given.output {
        None | Some(Value::Null) => None,
        Some(output) => Some(output.to_string()),
    };
    if let Some(bytes) = output.as_ref().map(String::len).filter(|bytes| *bytes > PAYLOAD_BYTES_MAX)
    {
        return Err(Rejected::TooLarge { bytes }.into());
    }
    // A step that is not awaited is refused as such, whatever is said of it.
    let detail = flow::run_detail(&host, &run).await?;
    let waits = |at: &Awaited| at.step == step && (at.on == "person" || at.on == "unknown");
    if detail.view.awaits.iter().any(waits)
        && let Some(schema) = detail.sop.step(step).and_then(|step| step.output.as_ref())
    {
        let value = output.as_deref().map(value_of_text).unwrap_or_default();
        schema::fits(schema, &value, "bad_output", &format!("step {step} gives"))?;
    }
    let verdict = Verdict::Completed { output: output.as_deref().map(Stored::of) };
    let input = Input::Report { step, verdict };
    apply(&host, &headers, &run, &caller.subject, input, output.as_deref()).await
}

pub(crate) async fn fail<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    path: Segments<(String, String)>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let (run, step) = segments(path)?;
    let (run, step) = (run_id(&run)?, step_number(&step)?);
    let given: Reason = json(&read(body, WORDS_BYTES_MAX).await?)?;
    let verdict = Verdict::Failed { reason: reason(given.reason)? };
    let input = Input::Report { step, verdict };
    apply(&host, &headers, &run, &caller.subject, input, None).await
}

pub(crate) async fn cancel<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    run: Segments<String>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let run = run_id(&segments(run)?)?;
    let given: Reason = json(&read(body, WORDS_BYTES_MAX).await?)?;
    let input = Input::Cancel { reason: reason(given.reason)? };
    apply(&host, &headers, &run, &caller.subject, input, None).await
}

async fn apply<S, Q, C>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
    run: &RunId,
    subject: &str,
    input: Input,
    output: Option<&str>,
) -> Result<Json<Value>, Problem>
where
    S: Store,
    Q: Queue,
    C: Clock,
{
    let id = input_id(headers, subject, run, &input)?;
    match flow::submit(host, run, &id, subject, input, output).await? {
        Submitted::Applied => {
            let detail = flow::run_detail(host, run).await?;
            Ok(Json(object!({ "run": detail.view })))
        }
        Submitted::Refused(refusal) => Err(refusal.into()),
    }
}
