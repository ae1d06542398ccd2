//! An open gate on screen: exactly what a yes would be for.

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use sop_core::RunId;

use crate::client::{Ask, Client, read};
use crate::render::{printable, printable_block};

/// `GET /api/runs/{run}/gates/{gate}`, read leniently.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Gate {
    gate: u32,
    shown: Option<String>,
    step: u32,
    title: String,
    body: String,
    kind: String,
    capability: Option<String>,
    prompt: Option<String>,
    prompt_problem: Option<String>,
    args: Option<Value>,
    input: Value,
    pub(crate) edit: Option<Edit>,
    policy: Policy,
    votes: Vec<String>,
    until: Option<String>,
}

/// The field that an approver may amend.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Edit {
    pub(crate) field: String,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Policy {
    group: Option<String>,
    members: Vec<String>,
    quorum: u32,
    no_self_approval: bool,
    on_timeout: String,
}

/// The gate `gate` of `run`.
pub(crate) async fn fetch(client: &Client, run: &RunId, gate: u32) -> Result<Gate> {
    let gate = gate.to_string();
    let answer: Value =
        client.send(Ask::get(&["api", "runs", run.as_str(), "gates", &gate])).await?;
    Ok(read(&answer)?)
}

/// What it shows, a line each, free of what a terminal obeys.
pub(crate) fn lines(gate: &Gate) -> Vec<String> {
    let mut lines = vec![format!("gate {} of step {}: {}", gate.gate, gate.step, gate.title)];
    let mut block = |lead: &str, text: &str| {
        let text = printable_block(text);
        let mut each = text.trim_end().lines();
        if let Some(first) = each.next() {
            lines.push(format!("  {lead}{first}"));
        }
        lines.extend(each.map(|line| format!("  {line}")));
    };
    block("", &gate.body);
    if let Some(prompt) = &gate.prompt {
        block("asks: ", prompt);
    }
    if let Some(problem) = &gate.prompt_problem {
        block("its prompt could not be filled in: ", problem);
    }
    if let Some(capability) = &gate.capability {
        block("does: ", capability);
    }
    if let Some(args) = &gate.args {
        block("with: ", &pretty(args));
    }
    if !gate.input.is_null() {
        let lead = if gate.kind == "checkpoint" { "hands on: " } else { "gets: " };
        block(lead, &pretty(&gate.input));
    }
    if let Some(edit) = &gate.edit {
        block("may be amended: ", &format!("{} = {}", edit.field, edit.value));
    }
    block("decided by: ", &policy(gate));
    if let Some(shown) = &gate.shown {
        block("shown: ", shown);
    }
    lines.iter().map(|line| printable(line)).collect()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn policy(gate: &Gate) -> String {
    let Policy { group, members, quorum, no_self_approval, on_timeout } = &gate.policy;
    let who = match group {
        Some(group) => format!("`{group}` ({})", members.join(", ")),
        None => "anyone who is paired".to_owned(),
    };
    let mut said = vec![who];
    if *quorum > 1 {
        let by = match gate.votes.as_slice() {
            [] => String::new(),
            votes => format!(" ({})", votes.join(", ")),
        };
        said.push(format!("{} of {quorum} yeses so far{by}", gate.votes.len()));
    }
    if *no_self_approval {
        said.push("not by who started the run or did the step before".to_owned());
    }
    if let Some(until) = &gate.until {
        said.push(format!("until {until}, then {}", on_timeout.replace('_', " ")));
    }
    said.join("; ")
}
