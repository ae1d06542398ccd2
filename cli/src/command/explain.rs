//! `sop explain`: the page of a diagnostic code.

use anyhow::{Result, bail};
use serde_json::json;
use sop_core::definition::code;

use crate::context::Context;
use crate::exit::Exit;

/// Arguments of `sop explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Such as SOP0107; every code with its title when left out
    code: Option<String>,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let Some(wanted) = &args.code else { return all(context) };
    let Some(row) = code::find(wanted) else {
        bail!("there is no code `{wanted}`; `sop explain` lists them all");
    };
    if context.is_json() {
        let page = json!({ "code": row.code, "title": row.title, "page": row.page });
        context.screen.json(&page)?;
    } else {
        context.screen.line(row.page.trim_end())?;
    }
    Ok(Exit::Ok)
}

fn all(context: &mut Context) -> Result<Exit> {
    if context.is_json() {
        let codes: Vec<_> =
            code::ALL.iter().map(|row| json!({ "code": row.code, "title": row.title })).collect();
        context.screen.json(&json!({ "codes": codes }))?;
    } else {
        for row in code::ALL {
            context.screen.line(format!("{}  {}", row.code, row.title))?;
        }
    }
    Ok(Exit::Ok)
}
