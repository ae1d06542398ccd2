//! `sop emit`: sends an event as if it had come in at a front door.

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::{Door, EventArgs};
use crate::client::Ask;
use crate::context::Context;
use crate::exit::Exit;
use crate::input;
use crate::render::printable;

/// Arguments of `sop emit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    event: EventArgs,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    source: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    if args.event.source == Door::Manual {
        bail!("a manual start has a name and no subject: `sop run NAME`");
    }
    let subject = input::subject(&args.event, None)?;
    let payload = input::json(args.event.payload.as_deref())?;
    let source = input::source(args.event.source).as_str();
    let body =
        serde_json::to_string(&Body { source, subject: &subject, payload: payload.as_deref() })?;
    let ask = Ask::post(&["api", "events"]).text(Some(body));
    let answer: Value = context.client()?.send(ask).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        let id = answer["event_id"].as_str().unwrap_or_default();
        context.screen.line(format!("accepted as event {}", printable(id)))?;
        eprintln!("next: `sop events --limit 1{}` tells what came of it", context.suffix());
    }
    Ok(Exit::Ok)
}
