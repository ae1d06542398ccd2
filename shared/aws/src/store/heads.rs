//! Projections of runs: `RUN#<id> / HEAD`, in the index of all runs and in that of what needs attention.

use std::collections::HashMap;

use sop_core::Timestamp;
use sop_core::engine::{Attention, Head};
use sop_core::id::{RunId, SopName, Tenant};
use sop_runtime::port::{HeadPage, Heads, PortError};

use super::DynamoStore;
use super::attributes::{Item, get_text, key, number, text};
use super::read::{Range, Within};
use crate::error::unreadable;
use crate::keys::{self, G1, G2, INDEX_ATTENTION, INDEX_RUNS, S1, S2};

const READ: &str = "read a run's head";
const LIST: &str = "list runs";

/// Sorts before and after every run id and every place.
const ENDS: (&str, &str) = ("!", "~");

impl Heads for DynamoStore {
    async fn project(&self, head: &Head) -> Result<(), PortError> {
        let put = self
            .client
            .put_item()
            .set_item(Some(item(head)?))
            .condition_expression("attribute_not_exists(PK) OR n < :seq")
            .expression_attribute_values(":seq", number(head.seq));
        self.put_if("write a run's head", put).await.map(|_| ())
    }

    async fn head(&self, run: &RunId) -> Result<Option<Head>, PortError> {
        let item = self.get(READ, keys::run(run), keys::HEAD, true).await?;
        item.map(|item| parse(&item)).transpose()
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        let top = after.filter(|after| !after.is_empty()).unwrap_or(ENDS.1);
        let range = Range {
            index: Some(INDEX_RUNS),
            pk: G1,
            sk: S1,
            partition: keys::runs_of(tenant),
            within: Within::Between(ENDS.0.to_owned(), top.to_owned()),
            descending: true,
            consistent: false,
            limit,
        };
        self.page(range, after).await
    }

    async fn inbox(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        let bottom = after.filter(|after| !after.is_empty()).unwrap_or(ENDS.0);
        let partition = keys::inbox_of(tenant);
        let mut page = self.page(attention(partition, bottom, ENDS.1, limit), after).await?;
        page.heads.retain(|head| matches!(head.attention, Attention::Inbox { .. }));
        Ok(page)
    }

    async fn queued(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        limit: usize,
    ) -> Result<Vec<RunId>, PortError> {
        let partition = keys::queue_of(tenant, sop);
        self.places(attention(partition, ENDS.0, ENDS.1, limit)).await
    }

    async fn due(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunId>, PortError> {
        let end = keys::place_end(now);
        self.places(attention(keys::due_of(tenant), ENDS.0, &end, limit)).await
    }
}

impl DynamoStore {
    /// The runs at the places of `range`, without their heads.
    async fn places(&self, range: Range<'_>) -> Result<Vec<RunId>, PortError> {
        let items = self.query(LIST, range).await?;
        items.iter().map(run_of).collect()
    }

    /// One page of heads; `after`, the last place of the page before, is left out.
    async fn page(&self, mut range: Range<'_>, after: Option<&str>) -> Result<HeadPage, PortError> {
        let (limit, sort) = (range.limit, range.sk);
        // One more for `after` itself, one more to know whether there is a next page.
        range.limit = limit.saturating_add(1 + usize::from(after.is_some()));
        let mut places = self.query(LIST, range).await?;
        places.retain(|item| after.is_none() || get_text(item, sort) != after);
        let more = places.len() > limit;
        places.truncate(limit);
        let next = places.last().filter(|_| more).and_then(|item| get_text(item, sort));
        let next = next.map(str::to_owned);
        let runs = places.iter().map(run_of).collect::<Result<Vec<_>, _>>()?;
        let keys = runs.iter().map(|run| key(keys::run(run), keys::HEAD)).collect();
        let mut heads = HashMap::new();
        for item in self.batch(LIST, keys).await? {
            let head = parse(&item)?;
            heads.insert(head.run.clone(), head);
        }
        Ok(HeadPage { heads: runs.iter().filter_map(|run| heads.remove(run)).collect(), next })
    }
}

fn attention<'a>(partition: String, low: &str, high: &str, limit: usize) -> Range<'a> {
    Range {
        index: Some(INDEX_ATTENTION),
        pk: G2,
        sk: S2,
        partition,
        within: Within::Between(low.to_owned(), high.to_owned()),
        descending: false,
        consistent: false,
        limit,
    }
}

fn item(head: &Head) -> Result<Item, PortError> {
    let json = serde_json::to_string(head).map_err(|error| PortError::permanent(READ, error))?;
    let mut item = key(keys::run(&head.run), keys::HEAD);
    let mut set = |name: &str, value| item.insert(name.to_owned(), value);
    set(keys::BODY, text(json));
    set(keys::NUMBER, number(head.seq));
    set(G1, text(keys::runs_of(&head.tenant)));
    set(S1, text(head.run.as_str()));
    let run = head.run.as_str();
    let place = match &head.attention {
        Attention::Nothing => None,
        Attention::Due { at } => Some((keys::due_of(&head.tenant), keys::place(*at, run))),
        Attention::Inbox { since } => {
            Some((keys::inbox_of(&head.tenant), keys::place(*since, run)))
        }
        Attention::Queue { since } => {
            Some((keys::queue_of(&head.tenant, &head.sop), keys::place(*since, run)))
        }
    };
    if let Some((partition, sort)) = place {
        set(G2, text(partition));
        set(S2, text(sort));
    }
    Ok(item)
}

fn parse(item: &Item) -> Result<Head, PortError> {
    let json = get_text(item, keys::BODY).ok_or_else(|| unreadable(READ, keys::BODY))?;
    serde_json::from_str(json).map_err(|error| PortError::permanent(READ, error))
}

/// The run that an item of an index stands for.
fn run_of(item: &Item) -> Result<RunId, PortError> {
    get_text(item, keys::PK)
        .and_then(|pk| RunId::parse(pk.strip_prefix("RUN#")?).ok())
        .ok_or_else(|| unreadable(LIST, keys::PK))
}
