//! `sop capabilities`: the built-ins that a step can name, and what each takes.

use anyhow::Result;
use serde_json::{Value, json};
use sop_core::definition::capability::TABLE;

use crate::context::Context;
use crate::exit::Exit;
use crate::render::Style;

/// Arguments of `sop capabilities`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, context: &mut Context) -> Result<Exit> {
    if context.is_json() {
        let all: Vec<Value> = TABLE
            .iter()
            .map(|built_in| {
                let takes: Vec<Value> = built_in
                    .takes
                    .iter()
                    .map(|key| {
                        json!({ "key": key.name, "required": key.required, "what": key.what })
                    })
                    .collect();
                json!({
                    "name": built_in.name, "does": built_in.does, "takes": takes,
                    "gives": built_in.gives,
                })
            })
            .collect();
        context.screen.json(&json!({ "capabilities": all }))?;
        return Ok(Exit::Ok);
    }
    for built_in in TABLE {
        let name = context.screen.paint(Style::Bold, built_in.name);
        context.screen.line(format!("{name}: {}", built_in.does))?;
        let width = built_in.takes.iter().map(|key| key.name.len()).max().unwrap_or_default();
        for key in built_in.takes {
            let mark = if key.required { '*' } else { ' ' };
            context.screen.line(format!("  {mark} {:<width$}  {}", key.name, key.what))?;
        }
        context.screen.line(format!("    gives {}", built_in.gives))?;
    }
    eprintln!("what has a `*` is needed; a step says it in `with`");
    Ok(Exit::Ok)
}
