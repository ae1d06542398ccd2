//! `sop doctor`: looks whether a host is well, part by part, and says how to mend what is not.

mod look;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::SopsDir;
use crate::client::{Ask, Client};
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Style, printable};
use crate::workspace::Workspace;

/// Arguments of `sop doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sops: SopsDir,
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// Something to know; nothing is lost.
    Warn,
    /// Something to mend.
    Fail,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    part: &'static str,
    state: State,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Finding {
    fn ok(part: &'static str, found: impl Into<String>) -> Self {
        Self { part, state: State::Ok, found: found.into(), mend: None }
    }

    fn warn(part: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { part, state: State::Warn, found: found.into(), mend: Some(mend.into()) }
    }

    fn fail(part: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { part, state: State::Fail, found: found.into(), mend: Some(mend.into()) }
    }
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let findings = examine(&client, args).await;
    let is_well = findings.iter().all(|finding| finding.state != State::Fail);
    if context.is_json() {
        context.screen.json(&json!({ "well": is_well, "findings": findings }))?;
    } else {
        for finding in &findings {
            let (word, style) = match finding.state {
                State::Ok => ("ok  ", Style::Green),
                State::Warn => ("warn", Style::Yellow),
                State::Fail => ("FAIL", Style::Red),
            };
            let word = context.screen.paint(style, word);
            let found = printable(&finding.found);
            context.screen.line(format!("{word}  {:<13} {found}", finding.part))?;
            if let Some(mend) = &finding.mend {
                context.screen.line(format!("      {:<13} -> {}", "", printable(mend)))?;
            }
        }
    }
    Ok(if is_well { Exit::Ok } else { Exit::Found })
}

/// All that can be found out: what one part needs of another that is not there is left out.
async fn examine(client: &Client, args: &Args) -> Vec<Finding> {
    let mut findings = Vec::new();
    let local = Workspace::read(&args.sops.dir);
    findings.push(look::definitions(&args.sops.dir, local.as_ref()));
    let alive: Result<Value, _> = client.send(Ask::get(&["healthz"])).await;
    findings.push(look::host(alive.as_ref()));
    if alive.is_err() {
        return findings;
    }
    let health: Result<Value, _> = client.send(Ask::get(&["api", "health"])).await;
    findings.push(look::token(health.as_ref()));
    let Ok(health) = health else { return findings };
    findings.extend(look::parts(&health, look::now()));
    if let Ok(local) = local {
        let active: Result<Value, _> = client.send(Ask::get(&["api", "sops"])).await;
        findings.push(look::drift(&local, active.as_ref()));
    }
    findings
}
