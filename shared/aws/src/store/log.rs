//! The dispatch log: `LOG#<tenant> / <millis>#<event>`, until its lines expire.
//!
//! One partition a tenant, so that any span of time is one query. Lines come in order of time, which
//! heats one partition however the key is cut by hours or days: cutting would cost queries and gain nothing.
//! Payloads that a line has no room for are items of their own, so that lists do not read them.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::event::Source;
use sop_core::id::{EventId, Tenant};
use sop_runtime::port::{EventLog, LogLine, LogPage, LogQuery, PortError};

use super::DynamoStore;
use super::attributes::{Item, get_number, get_text, key, number, text};
use super::read::{Within, in_table};
use crate::error::{failed, unreadable};
use crate::keys;

const RECORD: &str = "write a line of the log";
const LIST: &str = "list lines of the log";
const READ: &str = "read a recorded payload";
const COUNT: &str = "count unmatched events";

/// The sort keys of a payload and of a count, each alone in its partition.
const PAYLOAD: &str = "PAYLOAD";
const TALLY: &str = "TALLY";

/// What of a line its key does not say.
#[derive(Serialize, Deserialize)]
struct Body {
    s: Source,
    u: String,
    o: String,
    d: String,
    x: Timestamp,
}

impl EventLog for DynamoStore {
    async fn record(&self, line: &LogLine) -> Result<(), PortError> {
        // First, so that a line that is there has its payload.
        if let Some(payload) = &line.payload {
            let mut item = key(keys::payload(&line.tenant, &line.event), PAYLOAD);
            item.insert(keys::BODY.to_owned(), text(payload));
            item.insert(keys::TTL.to_owned(), number(keys::ttl(line.expires_at)));
            let put = self.client.put_item().table_name(&*self.table).set_item(Some(item));
            put.send().await.map_err(|error| failed(RECORD, error))?;
        }
        let body = Body {
            s: line.source,
            u: line.subject.clone(),
            o: line.outcome.clone(),
            d: line.detail.clone(),
            x: line.expires_at,
        };
        let json =
            serde_json::to_string(&body).map_err(|error| PortError::permanent(RECORD, error))?;
        let mut item = key(keys::log(&line.tenant), keys::log_line(line.time, &line.event));
        item.insert(keys::BODY.to_owned(), text(json));
        item.insert(keys::TTL.to_owned(), number(keys::ttl(line.expires_at)));
        self.client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(RECORD, error))
    }

    async fn list(&self, query: &LogQuery) -> Result<LogPage, PortError> {
        let end = keys::place_end(query.until);
        let after = query.after.as_deref().filter(|after| !after.is_empty());
        let high = after.filter(|after| *after < end.as_str()).unwrap_or(&end);
        let low = keys::millis(query.since);
        if high < low.as_str() || query.limit == 0 {
            return Ok(LogPage { lines: Vec::new(), next: None });
        }
        let within = Within::Between(low, high.to_owned());
        let limit = query.limit.saturating_add(1 + usize::from(after.is_some()));
        let mut range = in_table(keys::log(&query.tenant), within, limit);
        range.descending = true;
        range.consistent = false;
        let mut items = self.query(LIST, range).await?;
        items.retain(|item| after.is_none() || get_text(item, keys::SK) != after);
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        let next = items.last().filter(|_| more).and_then(|item| get_text(item, keys::SK));
        let next = next.map(str::to_owned);
        let lines = items.iter().map(|item| line(&query.tenant, item)).collect::<Result<_, _>>()?;
        Ok(LogPage { lines, next })
    }

    async fn payload(&self, tenant: &Tenant, event: &EventId) -> Result<Option<String>, PortError> {
        let item = self.get(READ, keys::payload(tenant, event), PAYLOAD, true).await?;
        Ok(item.as_ref().and_then(|item| get_text(item, keys::BODY)).map(str::to_owned))
    }

    async fn tally(
        &self,
        tenant: &Tenant,
        minute: Timestamp,
        expires_at: Timestamp,
    ) -> Result<u64, PortError> {
        let output = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key(keys::tally(tenant, minute), TALLY)))
            .update_expression("ADD n :one SET #ttl = :ttl")
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(keys::ttl(expires_at)))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| failed(COUNT, error))?;
        let count = output.attributes().and_then(|item| get_number(item, keys::NUMBER));
        count.ok_or_else(|| unreadable(COUNT, keys::NUMBER))
    }

    async fn tallied(&self, tenant: &Tenant, minute: Timestamp) -> Result<u64, PortError> {
        let item = self.get(COUNT, keys::tally(tenant, minute), TALLY, true).await?;
        Ok(item.and_then(|item| get_number(&item, keys::NUMBER)).unwrap_or_default())
    }
}

fn line(tenant: &Tenant, item: &Item) -> Result<LogLine, PortError> {
    let (time, event) = get_text(item, keys::SK)
        .and_then(keys::parse_place)
        .and_then(|(time, event)| Some((time, EventId::parse(event).ok()?)))
        .ok_or_else(|| unreadable(LIST, keys::SK))?;
    let json = get_text(item, keys::BODY).ok_or_else(|| unreadable(LIST, keys::BODY))?;
    let body: Body =
        serde_json::from_str(json).map_err(|error| PortError::permanent(LIST, error))?;
    Ok(LogLine {
        event,
        tenant: tenant.clone(),
        time,
        source: body.s,
        subject: body.u,
        outcome: body.o,
        detail: body.d,
        payload: None,
        expires_at: body.x,
    })
}
