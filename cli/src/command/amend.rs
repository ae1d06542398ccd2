//! `sop amend`: says yes at a run's open gate, with the one field changed that may be.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use sop_core::RunId;

use crate::context::Context;
use crate::exit::Exit;
use crate::render::printable;
use crate::{gate, input, person, resolve};

/// Arguments of `sop amend`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The field's new value, @FILE, or - for standard input: the text itself where the field holds a text,
    /// else JSON
    #[arg(value_name = "VALUE|@FILE|-", allow_hyphen_values = true)]
    value: String,
    /// The value is JSON, also where the field holds a text
    #[arg(long)]
    json: bool,
    /// Revision of the gate; the open one when left out
    #[arg(long)]
    gate: Option<u32>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let given = input::bytes(&args.value)?;
    let client = context.client()?;
    let (_, run) = resolve::run(&client, &args.run).await?;
    let revision = person::gate(&run, args.gate)?;
    let shown = gate::fetch(&client, &RunId::parse(&run.run)?, revision).await?;
    let Some(edit) = shown.edit else {
        bail!(
            "gate {revision} of run `{run}` has no field that may be amended: `sop approve {run}` or \
             `sop deny {run} --reason '...'`",
            run = run.run
        );
    };
    let is_text = matches!(edit.value, Value::Null | Value::String(_)) && !args.json;
    let value = value(given, is_text)?;
    if !context.is_json() {
        eprintln!("{}", printable(&format!("- {}: {}", edit.field, edit.value)));
        eprintln!("{}", printable(&format!("+ {}: {value}", edit.field)));
    }
    let body = json!({ "revision": revision, "decision": "amend", "value": value });
    let path = ["api", "gates", &run.run, "decision"];
    person::say(context, &client, &path, body.to_string()).await
}

fn value(given: Vec<u8>, is_text: bool) -> Result<Value> {
    if is_text {
        let text = String::from_utf8(given).context("the value is not UTF-8 text")?;
        return Ok(Value::String(text));
    }
    serde_json::from_slice(&given)
        .context("the field holds no text, so its new value is JSON, such as 5 or '{\"a\": 1}'")
}
