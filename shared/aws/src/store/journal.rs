//! Journals: `RUN#<id> / J#<seq>`.
//!
//! A body is kept as it is, to the byte, while that is one write unit, and deflated where that saves one.

use aws_sdk_dynamodb::types::{Put as TransactPut, ReturnValuesOnConditionCheckFailure};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{Digest, InputId, RunId, SopName, Tenant};
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, Journal, PortError};

use super::DynamoStore;
use super::admission;
use super::attributes::{Item, bytes, get_bytes, get_text, key, text};
use super::read::{Within, in_table};
use super::write::Put;
use crate::count::{WRITE_UNIT_BYTES, item_bytes};
use crate::error::unreadable;
use crate::keys;

const READ: &str = "read a run's journal";
const APPEND: &str = "append to a run's journal";

/// What makes a put an append.
pub(super) const PLACE_IS_FREE: &str = "attribute_not_exists(PK)";

/// Of 0 to 10: entries are written often and read little.
const LEVEL: u8 = 6;

/// Bytes of a body when it is unpacked again: a bound on memory.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The last seq there can be.
const SEQ_MAX: u64 = 9_999_999_999;

impl Journal for DynamoStore {
    async fn latest(&self, run: &RunId) -> Result<Option<Sealed>, PortError> {
        let mut range = in_table(keys::run(run), Within::Prefix(keys::ENTRIES), 1);
        range.descending = true;
        let items = self.query(READ, range).await?;
        items.first().map(|item| sealed(run, item)).transpose()
    }

    async fn entry(&self, run: &RunId, seq: u64) -> Result<Option<Sealed>, PortError> {
        let item = self.get(READ, keys::run(run), &keys::entry(seq), true).await?;
        item.map(|item| sealed(run, &item)).transpose()
    }

    async fn entries(
        &self,
        run: &RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Sealed>, PortError> {
        if from > SEQ_MAX {
            return Ok(Vec::new());
        }
        let within = Within::Between(keys::entry(from), keys::entry(SEQ_MAX));
        let items = self.query(READ, in_table(keys::run(run), within, limit)).await?;
        items.iter().map(|item| sealed(run, item)).collect()
    }

    async fn append(&self, entry: &Sealed, slot: Option<&SlotChange>) -> Result<Append, PortError> {
        if entry.seq > SEQ_MAX {
            return Err(PortError::permanent(APPEND, "the journal is full"));
        }
        match slot {
            None => self.append_alone(entry).await,
            Some(slot) => self.append_with_slot(entry, slot).await,
        }
    }

    async fn counters(&self, tenant: &Tenant, sop: &SopName) -> Result<Counters, PortError> {
        let pk = keys::admission(tenant, sop);
        let item = self.get("read an SOP's counter", pk, admission::SORT, true).await?;
        Ok(item.map(|item| admission::counters(&item)).unwrap_or_default())
    }

    async fn total(&self, tenant: &Tenant) -> Result<u32, PortError> {
        let pk = keys::total(tenant);
        let item = self.get("read the workspace's counter", pk, admission::SORT, true).await?;
        Ok(item.map(|item| admission::counters(&item).active).unwrap_or_default())
    }

    async fn congested(&self, tenant: &Tenant, limit: usize) -> Result<Vec<SopName>, PortError> {
        self.congested_sops(tenant, limit).await
    }
}

impl DynamoStore {
    async fn append_alone(&self, entry: &Sealed) -> Result<Append, PortError> {
        let put = self.client.put_item().set_item(Some(item(entry)));
        match self.put_if(APPEND, put.condition_expression(PLACE_IS_FREE)).await? {
            Put::Done => Ok(Append::Appended),
            Put::Refused(standing) => self.taken(entry, standing.as_ref()).await,
        }
    }

    /// What it means that the place of `entry` is taken by `standing`.
    pub(super) async fn taken(
        &self,
        entry: &Sealed,
        standing: Option<&Item>,
    ) -> Result<Append, PortError> {
        let standing = match standing {
            Some(item) => Some(sealed(&entry.run, item)?),
            // An endpoint that does not tell what stands there is asked.
            None => self.entry(&entry.run, entry.seq).await?,
        };
        Ok(match standing {
            Some(standing) if standing.input == entry.input => {
                Append::Duplicate(Box::new(standing))
            }
            Some(_) | None => Append::Conflict,
        })
    }

    /// The put of `entry` as a part of a transaction.
    pub(super) fn put_of(&self, entry: &Sealed) -> Result<TransactPut, PortError> {
        TransactPut::builder()
            .table_name(&*self.table)
            .set_item(Some(item(entry)))
            .condition_expression(PLACE_IS_FREE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| PortError::permanent(APPEND, error))
    }
}

/// Bytes of the item that `entry` is stored as: what its write units are counted by.
pub fn entry_bytes(entry: &Sealed) -> usize {
    item_bytes(&item(entry))
}

fn item(entry: &Sealed) -> Item {
    let mut item = key(keys::run(&entry.run), keys::entry(entry.seq));
    item.insert(keys::BODY.to_owned(), text(&entry.body));
    item.insert(keys::HASH.to_owned(), bytes(entry.hash.as_bytes().as_slice()));
    item.insert(keys::INPUT.to_owned(), text(entry.input.as_str()));
    let plain = item_bytes(&item);
    if plain > WRITE_UNIT_BYTES {
        let packed = compress_to_vec(entry.body.as_bytes(), LEVEL);
        let bytes_packed = plain - entry.body.len() + packed.len();
        if bytes_packed.div_ceil(WRITE_UNIT_BYTES) < plain.div_ceil(WRITE_UNIT_BYTES) {
            item.insert(keys::BODY.to_owned(), bytes(packed));
        }
    }
    item
}

/// The body, packed or not.
fn body(item: &Item) -> Option<String> {
    if let Some(body) = get_text(item, keys::BODY) {
        return Some(body.to_owned());
    }
    let packed = get_bytes(item, keys::BODY)?;
    String::from_utf8(decompress_to_vec_with_limit(packed, BODY_BYTES_MAX).ok()?).ok()
}

fn sealed(run: &RunId, item: &Item) -> Result<Sealed, PortError> {
    let missing = |name| unreadable(READ, name);
    let seq = get_text(item, keys::SK)
        .and_then(|sort| sort.strip_prefix(keys::ENTRIES)?.parse().ok())
        .ok_or_else(|| missing(keys::SK))?;
    let input = get_text(item, keys::INPUT)
        .and_then(|text| InputId::parse(text).ok())
        .ok_or_else(|| missing(keys::INPUT))?;
    let hash = get_bytes(item, keys::HASH)
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .map(Digest::from_bytes)
        .ok_or_else(|| missing(keys::HASH))?;
    let body = body(item).ok_or_else(|| missing(keys::BODY))?;
    Ok(Sealed { run: run.clone(), seq, input, hash, body })
}
