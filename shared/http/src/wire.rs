//! What goes over the wire where it differs from what the domain holds.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use sop_core::engine::Head;
use sop_core::journal::Sealed;
use sop_runtime::flow::GateShown;
use sop_runtime::port::{HeadPage, LogLine, Role, Token};

/// A head as lists show it.
pub(crate) fn head(head: &Head) -> Value {
    json!({
        "run": head.run,
        "sop": head.sop,
        "version": head.version,
        "status": head.status,
        "step": head.step,
        "gate": head.gate,
        "source": head.source,
        "event": head.event,
        "started_at": head.started_at.to_string(),
        "updated_at": head.updated_at.to_string(),
        "reason": head.reason,
    })
}

pub(crate) fn page(page: &HeadPage) -> Value {
    json!({
        "runs": page.heads.iter().map(head).collect::<Vec<_>>(),
        "next_cursor": page.next,
    })
}

/// What an approver is shown.
pub(crate) fn gate(shown: &GateShown) -> Value {
    let GateShown { step, policy, .. } = shown;
    json!({
        "run": shown.run,
        "definition": shown.definition,
        "gate": shown.gate,
        "shown": shown.shown,
        "step": step.number,
        "title": step.title,
        "body": step.body,
        "kind": step.kind,
        "capability": step.capability,
        "prompt": shown.prompt,
        "prompt_problem": shown.prompt_problem,
        "args": shown.args,
        "input": shown.input,
        "edit": step.edit.as_ref().map(|field| json!({
            "field": field,
            "value": shown.editable(),
        })),
        "policy": {
            "name": step.policy,
            "group": policy.group,
            "members": policy.members,
            "quorum": policy.quorum,
            "no_self_approval": policy.no_self_approval,
            "timeout_secs": policy.timeout_secs,
            "on_timeout": policy.on_timeout,
        },
        "votes": shown.votes,
        "escalations": shown.escalations,
        "since": shown.since.to_string(),
        "until": shown.until.map(|until| until.to_string()),
    })
}

pub(crate) fn line(line: &LogLine) -> Value {
    let detail: Value = serde_json::from_str(&line.detail).unwrap_or(Value::Null);
    json!({
        "event": line.event,
        "time": line.time.to_string(),
        "source": line.source,
        "subject": line.subject,
        "outcome": line.outcome,
        "detail": detail,
    })
}

pub(crate) fn sealed(sealed: &Sealed) -> Value {
    json!({
        "run": sealed.run,
        "seq": sealed.seq,
        "input": sealed.input,
        "hash": sealed.hash,
        "body": sealed.body,
    })
}

/// `POST /api/sops`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Push {
    pub(crate) sops: Vec<PushedSop>,
    #[serde(default)]
    pub(crate) workspace: Option<PushedWorkspace>,
    #[serde(default)]
    pub(crate) prune: bool,
    #[serde(default)]
    pub(crate) draft: bool,
}

/// What the SOPs of a push share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushedWorkspace {
    /// Path of `workspace.toml`, for display.
    pub(crate) file: String,
    pub(crate) toml: String,
}

/// The two files of one SOP.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushedSop {
    pub(crate) directory: String,
    pub(crate) toml: String,
    #[serde(default)]
    pub(crate) markdown: Option<String>,
}

/// `POST /api/gates/{run}/decision`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateDecision {
    pub(crate) revision: u32,
    pub(crate) decision: Say,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) comment: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(crate) value: Option<Value>,
    #[serde(default)]
    pub(crate) guidance: Option<String>,
}

/// What is there, `null` included.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a person says at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Say {
    Approve,
    Deny,
    Amend,
    Revise,
}

/// `POST /api/sops/{name}/publish`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activate {
    #[serde(default)]
    pub(crate) digest: Option<String>,
}

/// `POST /api/runs/{run}/rerun`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    pub(crate) from: u32,
}

/// A reason, which is required.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    pub(crate) reason: String,
}

/// What a step gave.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    #[serde(default)]
    pub(crate) output: Option<Value>,
}

/// `POST /api/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emit {
    pub(crate) source: sop_core::Source,
    pub(crate) subject: String,
    #[serde(default)]
    pub(crate) payload: Option<Value>,
}

/// The query of `GET /api/events`, besides paging.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct EventsAsked {
    #[serde(default)]
    pub(crate) source: Option<sop_core::Source>,
    #[serde(default)]
    pub(crate) outcome: Option<Outcome>,
    #[serde(default)]
    pub(crate) sop: Option<String>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Matched,
    Unmatched,
    Refused,
}

impl Outcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::Refused => "refused",
        }
    }
}

/// `POST /api/events/{event}/replay`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    #[serde(default)]
    pub(crate) sop: Option<String>,
}

/// `POST /api/sops/{name}/routine`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Switch {
    pub(crate) on: bool,
}

/// The query of `GET /api/dlq`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DeadAsked {
    #[serde(default)]
    pub(crate) queue: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<u64>,
}

/// `POST /api/dlq/redrive` and `discard`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeadOrder {
    pub(crate) queue: String,
    #[serde(default)]
    pub(crate) ids: Vec<String>,
    #[serde(default)]
    pub(crate) all: bool,
}

/// `POST /pair`, where the code is not in its header.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairBody {
    #[serde(default)]
    pub(crate) code: Option<String>,
}

/// `POST /api/pairing-codes`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCode {
    #[serde(default)]
    pub(crate) subject: Option<String>,
    #[serde(default)]
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) expires_in: Option<String>,
}

/// A token as lists show it.
pub(crate) fn token(token: &Token) -> Value {
    json!({
        "id": token.id(),
        "subject": token.subject,
        "role": token.role,
        "issued_at": token.issued_at.to_string(),
        "expires_at": token.expires_at.map(|at| at.to_string()),
        "revoked_at": token.revoked_at.map(|at| at.to_string()),
    })
}
