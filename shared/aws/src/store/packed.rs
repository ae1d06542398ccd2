//! Immutable texts of any size: compressed, in chunks below an item's limit.
//!
//! Chunk 0 is written last and tells how many there are, so a text that was written by half is not there.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use sop_runtime::port::PortError;

use super::DynamoStore;
use super::attributes::{Item, bytes, get_bytes, get_number, key, number};
use super::journal::PLACE_IS_FREE;
use super::read::{Within, in_table};
use crate::error::unreadable;
use crate::keys;

/// Bytes of one chunk. An item holds 400 KB, names and keys included.
/// Source: Amazon DynamoDB developer guide, quotas.
const CHUNK_BYTES_MAX: usize = 350 * 1024;

/// Chunks of one text.
const CHUNKS_MAX: usize = 200;

/// Bytes of a text when it is unpacked again: a bound on memory.
const TEXT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Of 0 to 10: what is written once and read often may take a little longer to pack.
const LEVEL: u8 = 6;

impl DynamoStore {
    /// Stores `text` at `pk` unless one is there.
    pub(super) async fn put_packed(
        &self,
        action: &'static str,
        pk: String,
        text: &str,
    ) -> Result<(), PortError> {
        let packed = compress_to_vec(text.as_bytes(), LEVEL);
        let chunks: Vec<&[u8]> = packed.chunks(CHUNK_BYTES_MAX).collect();
        if text.len() > TEXT_BYTES_MAX || chunks.len() > CHUNKS_MAX {
            return Err(PortError::permanent(action, "the text is too large for the store"));
        }
        if chunks.len() > 1 {
            // Another build may pack differently: chunks under a finished text must not change.
            if self.get(action, pk.clone(), &keys::chunk(0), true).await?.is_some() {
                return Ok(());
            }
            for (i, chunk) in chunks.iter().enumerate().skip(1) {
                self.put_chunk(action, &pk, i, chunk, None).await?;
            }
        }
        let first = chunks.first().copied().unwrap_or_default();
        self.put_chunk(action, &pk, 0, first, Some(chunks.len())).await
    }

    async fn put_chunk(
        &self,
        action: &'static str,
        pk: &str,
        number_of: usize,
        chunk: &[u8],
        count: Option<usize>,
    ) -> Result<(), PortError> {
        let mut item = key(pk, keys::chunk(number_of));
        item.insert(keys::BODY.to_owned(), bytes(chunk));
        let mut put = self.client.put_item();
        if let Some(count) = count {
            item.insert(keys::NUMBER.to_owned(), number(count));
            put = put.condition_expression(PLACE_IS_FREE);
        }
        self.put_if(action, put.set_item(Some(item))).await.map(|_| ())
    }

    /// The text at `pk`. What is immutable and there is right however old the read is; what is not
    /// there is asked for again, up to date.
    pub(super) async fn packed(
        &self,
        action: &'static str,
        pk: String,
    ) -> Result<Option<String>, PortError> {
        for consistent in [false, true] {
            let mut range = in_table(pk.clone(), Within::All, CHUNKS_MAX);
            range.consistent = consistent;
            let items = self.query(action, range).await?;
            if let Some(packed) = joined(&items) {
                let unpacked = decompress_to_vec_with_limit(&packed, TEXT_BYTES_MAX)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                return unpacked.map(Some).ok_or_else(|| unreadable(action, keys::BODY));
            }
        }
        Ok(None)
    }
}

/// The chunks put together, or `None` when one is missing. `items` are sorted by chunk.
fn joined(items: &[Item]) -> Option<Vec<u8>> {
    let count: usize = get_number(items.first()?, keys::NUMBER)?;
    let chunks = items.get(..count)?;
    Some(chunks.iter().filter_map(|item| get_bytes(item, keys::BODY)).flatten().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_lacking_a_chunk_is_not_there() {
        let chunk = |n: usize, count: Option<usize>| {
            let mut item = key("P", keys::chunk(n));
            item.insert(keys::BODY.to_owned(), bytes(vec![u8::try_from(n).unwrap()]));
            if let Some(count) = count {
                item.insert(keys::NUMBER.to_owned(), number(count));
            }
            item
        };
        assert_eq!(joined(&[]), None);
        assert_eq!(joined(&[chunk(1, None)]), None);
        assert_eq!(joined(&[chunk(0, Some(2))]), None);
        assert_eq!(joined(&[chunk(0, Some(2)), chunk(1, None), chunk(2, None)]), Some(vec![0, 1]));
    }
}
