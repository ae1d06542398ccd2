//! What people do to runs: decide, complete, fail, cancel.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use sop_core::engine::{Decision, Input, Stored, Verdict};
use sop_core::id::RunId;
use sop_core::ingress::Rejected;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Host, Submitted};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::caller;
use crate::problem::Problem;
use crate::request::{input_id, json, read, run_id};
use crate::route::Shared;
use crate::route::runs::shown;
use crate::wire::{GateDecision, Output, Reason, Say};

/// Bytes of a decision or a reason.
const WORDS_BYTES_MAX: usize = 16 * 1_024;

pub(crate) async fn decide<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Path(run): Path<String>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = caller(&host, &headers).await?;
    let run = run_id(&run)?;
    let asked: GateDecision = json(&read(body, WORDS_BYTES_MAX).await?)?;
    let decision = match (asked.decision, asked.reason) {
        (Say::Approve, _) => Decision::Approve { comment: asked.comment },
        (Say::Deny, Some(reason)) => Decision::Deny { reason },
        (Say::Deny, None) => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "no_reason",
                "say why: a denial has a `reason`",
            ));
        }
    };
    let input = Input::Decide { gate: asked.revision, decision };
    apply(&host, &headers, &run, &caller.subject, input).await
}

pub(crate) async fn complete<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Path((run, step)): Path<(String, u32)>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = caller(&host, &headers).await?;
    let run = run_id(&run)?;
    // Room for the object around the output.
    let given: Output = json(&read(body, PAYLOAD_BYTES_MAX + 64).await?)?;
    let output = match given.output {
        None | Some(Value::Null) => None,
        Some(output) => {
            let text = output.to_string();
            if text.len() > PAYLOAD_BYTES_MAX {
                return Err(Rejected::TooLarge { bytes: text.len() }.into());
            }
            let stored = Stored::of(&text);
            if let Stored::Blob { digest, .. } = &stored {
                host.store.put_blob(digest, &text).await.map_err(flow::FlowError::from)?;
            }
            Some(stored)
        }
    };
    let input = Input::Report { step, verdict: Verdict::Completed { output } };
    apply(&host, &headers, &run, &caller.subject, input).await
}

pub(crate) async fn fail<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Path((run, step)): Path<(String, u32)>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = caller(&host, &headers).await?;
    let run = run_id(&run)?;
    let Reason { reason } = json(&read(body, WORDS_BYTES_MAX).await?)?;
    let input = Input::Report { step, verdict: Verdict::Failed { reason } };
    apply(&host, &headers, &run, &caller.subject, input).await
}

pub(crate) async fn cancel<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Path(run): Path<String>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = caller(&host, &headers).await?;
    let run = run_id(&run)?;
    let Reason { reason } = json(&read(body, WORDS_BYTES_MAX).await?)?;
    apply(&host, &headers, &run, &caller.subject, Input::Cancel { reason }).await
}

async fn apply<S, Q, C>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
    run: &RunId,
    subject: &str,
    input: Input,
) -> Result<Json<Value>, Problem>
where
    S: Store,
    Q: Queue,
    C: Clock,
{
    let id = input_id(headers, subject, run.as_str())?;
    match flow::submit(host, run, &id, subject, input).await? {
        Submitted::Applied => shown(&flow::run_detail(host, run).await?),
        Submitted::Refused(refusal) => Err(refusal.into()),
    }
}
