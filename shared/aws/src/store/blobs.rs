//! Values too big for an entry: `BLOB#<digest>`, packed.

use sop_core::id::Digest;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::port::{Blobs, PortError};

use super::DynamoStore;
use crate::keys;

const PUT: &str = "store a value";

impl Blobs for DynamoStore {
    async fn put_blob(&self, digest: &Digest, text: &str) -> Result<(), PortError> {
        if text.len() > PAYLOAD_BYTES_MAX {
            return Err(PortError::permanent(PUT, "a value is at most 256 KiB"));
        }
        self.put_packed(PUT, keys::blob(digest), text).await
    }

    async fn blob(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.packed("read a value", keys::blob(digest)).await
    }
}
