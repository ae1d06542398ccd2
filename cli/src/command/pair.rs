//! `sop pair`: gets this machine a token, or a code for another.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{Ask, read};
use crate::context::Context;
use crate::credentials::{self, Credential};
use crate::exit::Exit;
use crate::render::printable;

/// Arguments of `sop pair`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["code", "new", "list", "revoke"])))]
pub(crate) struct Args {
    /// The one-time code
    code: Option<String>,
    /// Ask the host for a code with which another machine can pair
    #[arg(long)]
    new: bool,
    /// What the other machine may do: `ingress` calls webhooks, `viewer` reads, `operator` does all
    #[arg(long, requires = "new", value_parser = ["ingress", "viewer", "operator"])]
    role: Option<String>,
    /// How long its token lives, such as `12h` or `90d`; for ever when left out
    #[arg(long, requires = "new", value_name = "TIME")]
    expires: Option<String>,
    /// Who it is, for the ledger and for lists
    #[arg(long, requires = "new", value_name = "NAME")]
    subject: Option<String>,
    /// List the tokens that the host has given out
    #[arg(long)]
    list: bool,
    /// Take back the token with this id, at once
    #[arg(long, value_name = "ID")]
    revoke: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Paired {
    token: String,
    #[serde(default)]
    subject: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    if let Some(code) = &args.code {
        return pair(code.trim(), context).await;
    }
    if let Some(id) = &args.revoke {
        return revoke(id.trim(), context).await;
    }
    if args.list { list(context).await } else { new_code(args, context).await }
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

async fn new_code(args: &Args, context: &mut Context) -> Result<Exit> {
    let mut asked = Map::new();
    for (name, value) in
        [("role", &args.role), ("expires_in", &args.expires), ("subject", &args.subject)]
    {
        if let Some(value) = value {
            asked.insert(name.to_owned(), json!(value));
        }
    }
    let ask = Ask::post(&["api", "pairing-codes"]).json(&Value::Object(asked));
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

async fn list(context: &mut Context) -> Result<Exit> {
    let mut tokens: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let ask = Ask::get(&["api", "tokens"]).query("limit", Some(100)).query("cursor", cursor);
        let mut page: Value = context.client()?.send(ask).await?;
        tokens.append(&mut read(&page["tokens"].take())?);
        cursor = read(&page["next_cursor"])?;
        if cursor.is_none() {
            break;
        }
    }
    if context.is_json() {
        context.screen.json(&json!({ "tokens": tokens }))?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    context.screen.table(&["ID", "ROLE", "SUBJECT", "SINCE", "UNTIL"], &rows)?;
    Ok(Exit::Ok)
}

fn row(token: &Value) -> Vec<String> {
    let text = |key: &str| token[key].as_str().unwrap_or_default().to_owned();
    let until = match (&token["revoked_at"], &token["expires_at"]) {
        (Value::String(at), _) => format!("taken back {at}"),
        (_, Value::String(at)) => at.clone(),
        _ => String::new(),
    };
    vec![text("id"), text("role"), text("subject"), text("issued_at"), until]
}

async fn revoke(id: &str, context: &mut Context) -> Result<Exit> {
    let answer: Value = context.client()?.send(Ask::delete(&["api", "tokens", id])).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let subject: String = read(&answer["token"]["subject"])?;
    context.screen.line(format!("{id} of {} opens nothing any more", printable(&subject)))?;
    Ok(Exit::Ok)
}
