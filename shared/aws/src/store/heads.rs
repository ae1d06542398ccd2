//! Projections of runs: `RUN#<id> / HEAD`, in the index of all runs and in up to three more.
//!
//! One put changes the head and its place in every index, under one condition: an older head cannot
//! move a run anywhere, and nothing is left to clean up.

use std::collections::HashMap;

use sop_core::Timestamp;
use sop_core::engine::Head;
use sop_core::id::{RunId, SopName, Tenant};
use sop_runtime::port::{HeadPage, Heads, PortError};

use super::DynamoStore;
use super::attributes::{Item, get_text, key, number, text};
use super::read::{Range, Within};
use crate::error::unreadable;
use crate::keys::{
    self, G1, G2, G3, G4, INDEX_DUE, INDEX_INBOX, INDEX_QUEUE, INDEX_RUNS, S1, S2, S3, S4,
};

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
        let range = Range {
            index: Some(INDEX_INBOX),
            pk: G3,
            sk: S3,
            partition: keys::inbox_of(tenant),
            within: Within::Between(bottom.to_owned(), ENDS.1.to_owned()),
            descending: false,
            consistent: false,
            limit,
        };
        let mut page = self.page(range, after).await?;
        page.heads.retain(|head| head.inbox.is_some());
        Ok(page)
    }

    async fn queued(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        limit: usize,
    ) -> Result<Vec<RunId>, PortError> {
        let range = Range {
            index: Some(INDEX_QUEUE),
            pk: G4,
            sk: S4,
            partition: keys::queue_of(tenant, sop),
            within: Within::All,
            descending: false,
            consistent: false,
            limit,
        };
        self.places(range).await
    }

    async fn due(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(RunId, Timestamp)>, PortError> {
        let range = Range {
            index: Some(INDEX_DUE),
            pk: G2,
            sk: S2,
            partition: keys::due_of(tenant),
            within: Within::Between(ENDS.0.to_owned(), keys::place_end(now)),
            descending: false,
            consistent: false,
            limit,
        };
        let items = self.query(LIST, range).await?;
        items.iter().map(|item| Ok((run_of(item)?, due_of(item)?))).collect()
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

fn item(head: &Head) -> Result<Item, PortError> {
    let json = serde_json::to_string(head).map_err(|error| PortError::permanent(READ, error))?;
    let mut item = key(keys::run(&head.run), keys::HEAD);
    let mut set = |name: &str, value| item.insert(name.to_owned(), value);
    set(keys::BODY, text(json));
    set(keys::NUMBER, number(head.seq));
    set(G1, text(keys::runs_of(&head.tenant)));
    set(S1, text(head.run.as_str()));
    let run = head.run.as_str();
    for (pk, sk, partition, at) in [
        (G2, S2, keys::due_of(&head.tenant), head.due),
        (G3, S3, keys::inbox_of(&head.tenant), head.inbox),
        (G4, S4, keys::queue_of(&head.tenant, &head.sop), head.queue),
    ] {
        if let Some(at) = at {
            set(pk, text(partition));
            set(sk, text(keys::place(at, run)));
        }
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

/// The instant at which the sweep is to look at the run of an item of [`INDEX_DUE`].
fn due_of(item: &Item) -> Result<Timestamp, PortError> {
    let place = get_text(item, S2).and_then(keys::parse_place);
    place.map(|(at, _)| at).ok_or_else(|| unreadable(LIST, S2))
}
