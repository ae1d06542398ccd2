//! What events, steps and runs cost on AWS, from the tables that a test holds against what is sent.

use std::collections::BTreeMap;

use crate::{Row, root};

/// Dollars a million: write unit, read unit, SQS request, Lambda request, GB-second of Lambda on arm64.
/// Source: the prices at the head of `docs/store.md`; AWS Lambda pricing, us-east-1.
const WRITE: f64 = 0.625;
const READ: f64 = 0.125;
const SQS: f64 = 0.40;
const LAMBDA: f64 = 0.20;
const GB_SECOND: f64 = 13.333_4;

/// GB-seconds of one message's share of an invocation: 128 MB for 5 ms.
const GB_SECONDS: f64 = 0.125 * 0.005;

/// Messages that a poll takes on average when there is load: receive and delete are shared by them.
const BATCH: f64 = 5.0;

#[derive(Default, Clone, Copy)]
struct Cost {
    requests: f64,
    write: f64,
    index: f64,
    read: f64,
    sqs: f64,
    messages: f64,
}

impl Cost {
    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            write: self.write + other.write,
            index: self.index + other.index,
            read: self.read + other.read,
            sqs: self.sqs + other.sqs,
            messages: self.messages + other.messages,
        }
    }

    fn times(self, n: f64) -> Self {
        Self {
            requests: self.requests * n,
            write: self.write * n,
            index: self.index * n,
            read: self.read * n,
            sqs: self.sqs * n,
            messages: self.messages * n,
        }
    }

    /// Dollars for a million of these.
    fn dollars(self) -> f64 {
        (self.write + self.index) * WRITE
            + self.read * READ
            + (self.sqs + self.messages * 2.0 / BATCH) * SQS
            + self.messages / BATCH * LAMBDA
            + self.messages * GB_SECONDS * GB_SECOND
    }

    fn row(self, what: &str) -> Row {
        Row::new(
            format!("cost: {what}"),
            format!("{:.2} $/M", self.dollars()),
            format!(
                "{} DynamoDB and SQS requests, {} write + {} index units, {} read units",
                self.requests, self.write, self.index, self.read
            ),
        )
    }
}

/// A row of `docs/store.md`, carried out for one message.
fn flow(table: &BTreeMap<String, Cost>, name: &str) -> Cost {
    let cost = table.get(name).copied().unwrap_or_default();
    Cost { messages: 1.0, ..cost }
}

fn table() -> BTreeMap<String, Cost> {
    let text = std::fs::read_to_string(root().join("docs/store.md")).unwrap_or_default();
    let mut table = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let Some((name, rest)) = line.split_once("` | ") else { continue };
        let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
        let number = |at: usize| cells.get(at).and_then(|cell| cell.parse().ok()).unwrap_or(0.0);
        let (mut requests, mut sqs) = (0.0, 0.0);
        for part in cells.first().unwrap_or(&"").split(" + ") {
            let (operation, n) = part.split_once(" x ").unwrap_or((part, "1"));
            let n: f64 = n.parse().unwrap_or(1.0);
            requests += n;
            if operation.contains("Message") {
                sqs += n;
            }
        }
        let (write, index, read) = (number(1), number(2), number(3));
        let cost = Cost { requests, write, index, read, sqs, messages: 0.0 };
        table.insert(name.to_owned(), cost);
    }
    table
}

pub(crate) fn rows() -> Vec<Row> {
    let table = table();
    let webhook = flow(&table, "webhook");
    let unmatched = flow(&table, "event that matches nothing");
    let start = flow(&table, "event that starts a run");
    let effect = flow(&table, "effect carried out");
    let (step, last) = (flow(&table, "step"), flow(&table, "last step"));
    let run = start.plus(effect.times(5.0)).plus(step.times(4.0)).plus(last);
    vec![
        webhook.row("a webhook accepted"),
        unmatched.row("an event that matches nothing"),
        start.row("an event that starts a run"),
        start.plus(webhook).row("a webhook that starts a run"),
        effect.plus(step).row("a built-in's step"),
        run.row("a run of five built-in steps, from its event to its end"),
    ]
}
