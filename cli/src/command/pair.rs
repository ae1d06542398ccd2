//! `sop pair`: gets this machine a token, or a code for another.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Ask, read};
use crate::context::Context;
use crate::credentials::{self, Credential};
use crate::exit::Exit;
use crate::render::printable;

/// Arguments of `sop pair`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["code", "new"])))]
pub(crate) struct Args {
    /// The one-time code
    code: Option<String>,
    /// Ask the host for a code with which another machine can pair
    #[arg(long)]
    new: bool,
}

#[derive(Debug, Deserialize)]
struct Paired {
    token: String,
    #[serde(default)]
    subject: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    match &args.code {
        Some(code) => pair(code.trim(), context).await,
        None => new_code(context).await,
    }
}

async fn pair(code: &str, context: &mut Context) -> Result<Exit> {
    if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        anyhow::bail!("that is no pairing code: give it as it is shown");
    }
    let ask = Ask::post(&["pair"]).header("x-pairing-code", code);
    let paired: Paired = context.client_without_token()?.send(ask).await?;
    let Paired { token, subject } = paired;
    // The code is used up: whatever happens to the file, the token is not lost.
    if context.is_json() {
        let url = context.url().to_owned();
        context.screen.json(&json!({ "token": token, "subject": subject, "url": url }))?;
    } else {
        context.screen.line(printable(&token))?;
    }
    context.screen.flush()?;
    let saved = credentials::save(context.url(), Credential { token, subject })
        .context("the token was not saved; keep the one printed in SOP_TOKEN")?;
    eprintln!("paired with {}; the token is kept in `{}`", context.url(), saved.display());
    Ok(Exit::Ok)
}

async fn new_code(context: &mut Context) -> Result<Exit> {
    let ask = Ask::post(&["api", "pairing-codes"]);
    let answer: Value = context.client()?.send(ask).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let code: String = read(&answer["code"])?;
    context.screen.line(printable(&code))?;
    let minutes = answer["expires_in_secs"].as_u64().unwrap_or(600) / 60;
    eprintln!(
        "next, on the other machine and within {minutes} minutes: `sop pair {} --url {}`",
        printable(&code),
        context.url()
    );
    Ok(Exit::Ok)
}
