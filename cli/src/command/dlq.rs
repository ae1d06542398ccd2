//! `sop dlq`: messages that could not be carried out, why, and what becomes of them.

use anyhow::{Result, bail};
use clap::{Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Style, count, printable, printable_block};

/// Arguments of `sop dlq`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List dead letters with the reason each died
    List {
        /// Only those of one queue
        #[arg(long, value_enum)]
        queue: Option<Queue>,
        /// How many of each queue at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one, with its body
    Show {
        /// Id of the letter, or its beginning
        id: String,
    },
    /// Send letters to their queue again; what they stand for still counts once
    Redrive(Order),
    /// Forget letters for good
    Discard(Order),
}

/// Which letters.
#[derive(Debug, clap::Args)]
struct Order {
    /// Ids of letters, or their beginnings
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// All letters of the queue
    #[arg(long, conflicts_with = "ids", requires = "queue")]
    all: bool,
    /// The queue that `--all` is of
    #[arg(long, value_enum)]
    queue: Option<Queue>,
}

/// A queue that has dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Queue {
    /// Events, inputs and timers
    Events,
    /// Work for built-ins
    Effects,
    /// What never became an event; on AWS only
    Arrivals,
}

impl Queue {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Effects => "effects",
            Self::Arrivals => "arrivals",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Letter {
    queue: String,
    id: String,
    kind: String,
    #[serde(default)]
    event: Option<About>,
    #[serde(default)]
    run: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct About {
    id: String,
    source: String,
    subject: String,
}

impl Letter {
    /// What it is, in a few words.
    fn what(&self) -> String {
        match (&self.event, &self.run) {
            (Some(event), _) => format!("{} {}", event.source, event.subject),
            (None, Some(run)) => format!("{} of run {run}", self.kind),
            (None, None) => self.kind.clone(),
        }
    }

    fn why(&self) -> &str {
        self.reason.as_deref().unwrap_or("not known: its process ended each time; see the logs")
    }
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    match &args.action {
        Action::List { queue, limit } => list(*queue, *limit, &client, context).await,
        Action::Show { id } => show(id, &client, context).await,
        Action::Redrive(order) => carry_out("redrive", order, &client, context).await,
        Action::Discard(order) => carry_out("discard", order, &client, context).await,
    }
}

async fn letters(
    client: &Client,
    queue: Option<Queue>,
    limit: usize,
) -> Result<(Value, Vec<Letter>)> {
    let ask = Ask::get(&["api", "dlq"])
        .query("queue", queue.map(Queue::as_str))
        .query("limit", Some(limit));
    let answer: Value = client.send(ask).await?;
    let letters = read(&answer["letters"])?;
    Ok((answer, letters))
}

async fn list(
    queue: Option<Queue>,
    limit: usize,
    client: &Client,
    context: &mut Context,
) -> Result<Exit> {
    let (answer, letters) = letters(client, queue, limit).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    if letters.is_empty() {
        eprintln!("no dead letters");
        return Ok(Exit::Ok);
    }
    let row = |letter: &Letter| {
        let at = letter.at.clone().unwrap_or_default();
        vec![letter.id.clone(), letter.queue.clone(), at, letter.what(), letter.why().to_owned()]
    };
    let rows: Vec<Vec<String>> = letters.iter().map(row).collect();
    context.screen.table(&["ID", "QUEUE", "DIED", "WHAT", "WHY"], &rows)?;
    eprintln!("next: mend the cause, then `sop dlq redrive ID{}`", context.suffix());
    Ok(Exit::Ok)
}

/// The one letter whose id begins with `id`.
async fn find(client: &Client, id: &str) -> Result<Letter> {
    let (_, letters) = letters(client, None, 500).await?;
    let mut found: Vec<Letter> =
        letters.into_iter().filter(|letter| letter.id.starts_with(id)).collect();
    found.dedup_by(|a, b| a.id == b.id && a.queue == b.queue);
    match found.len() {
        0 => bail!("no dead letter has an id that begins with `{id}`; see `sop dlq list`"),
        1 => Ok(found.remove(0)),
        n => bail!("`{id}` begins the ids of {n} dead letters; give more of it"),
    }
}

async fn show(id: &str, client: &Client, context: &mut Context) -> Result<Exit> {
    let found = find(client, id).await?;
    let answer: Value = client.send(Ask::get(&["api", "dlq", &found.queue, &found.id])).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let letter: Letter = read(&answer)?;
    let screen = &mut context.screen;
    let head = screen.paint(Style::Bold, &printable(&letter.what()));
    screen.line(format!("{head}  ({}, {})", printable(&letter.queue), printable(&letter.id)))?;
    if let Some(at) = &letter.at {
        screen.line(format!("  died      {}", printable(at)))?;
    }
    if let Some(attempts) = letter.attempts {
        screen.line(format!("  attempts  {attempts}"))?;
    }
    if let Some(event) = &letter.event {
        screen.line(format!("  event     {}", printable(&event.id)))?;
    }
    screen.line(format!("  why       {}", printable(letter.why())))?;
    let body = letter.body.unwrap_or_default();
    let pretty = serde_json::from_str::<Value>(&body)
        .and_then(|body| serde_json::to_string_pretty(&body))
        .unwrap_or(body);
    screen.line(printable_block(&pretty))?;
    Ok(Exit::Ok)
}

async fn carry_out(
    what: &'static str,
    order: &Order,
    client: &Client,
    context: &mut Context,
) -> Result<Exit> {
    let mut orders: Vec<(String, Value)> = Vec::new();
    if order.all {
        let queue = order.queue.map_or("events", Queue::as_str);
        orders.push((queue.to_owned(), json!({ "queue": queue, "all": true })));
    } else {
        for id in &order.ids {
            let Letter { queue, id, .. } = find(client, id).await?;
            match orders.iter_mut().find(|(of, _)| *of == queue) {
                Some((_, body)) => {
                    if let Some(ids) = body["ids"].as_array_mut() {
                        ids.push(json!(id));
                    }
                }
                None => orders.push((queue.clone(), json!({ "queue": queue, "ids": [id] }))),
            }
        }
    }
    let mut answers: Vec<Value> = Vec::new();
    for (_, body) in &orders {
        answers.push(client.send(Ask::post(&["api", "dlq", what]).json(body)).await?);
    }
    if context.is_json() {
        context.screen.json(&json!({ "done": answers }))?;
        return Ok(Exit::Ok);
    }
    for answer in &answers {
        let done = answer["redriven"].as_u64().or(answer["discarded"].as_u64()).unwrap_or(0);
        let done = count(usize::try_from(done).unwrap_or(usize::MAX), "dead letter");
        let queue = printable(answer["queue"].as_str().unwrap_or_default());
        let said = match what {
            "redrive" => format!("{done} sent to the {queue} queue again"),
            _ => format!("{done} of the {queue} queue discarded"),
        };
        context.screen.line(said)?;
    }
    Ok(Exit::Ok)
}
