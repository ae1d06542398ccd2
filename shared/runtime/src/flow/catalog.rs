//! What a host remembers of the catalog: snapshots and definitions are immutable, the head is looked at
//! every few seconds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sop_core::definition::Definition;
use sop_core::id::Digest;
use sop_core::matching::{Index, Snapshot};
use sop_core::time::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{Catalog, CatalogHead, Clock};

/// Milliseconds for which a head that was looked at is taken to be the newest.
const HEAD_AGE_MS_MAX: i64 = 2_000;

/// Snapshots kept: the active one, and those that events on their way still name.
const SNAPSHOTS_MAX: usize = 4;

/// Definitions kept; the least recently loaded go first.
const DEFINITIONS_MAX: usize = 2_048;

/// A snapshot with its index.
#[derive(Debug)]
pub struct Active {
    /// Its digest; of nothing before the first publish.
    pub digest: Option<Digest>,
    /// The SOPs it lists, and who matches what.
    pub index: Index,
}

/// The memory of one host.
#[derive(Debug, Default)]
pub struct CatalogCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    head: Option<(Timestamp, Option<CatalogHead>)>,
    snapshots: VecDeque<Arc<Active>>,
    definitions: BTreeMap<Digest, Arc<Definition>>,
    order: VecDeque<Digest>,
}

impl CatalogCache {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic while the lock was held leaves a cache that is still only a cache.
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the next call look at the head.
    pub fn forget_head(&self) {
        self.with(|inner| inner.head = None);
    }

    fn kept(&self, digest: Option<Digest>) -> Option<Arc<Active>> {
        self.with(|inner| inner.snapshots.iter().find(|active| active.digest == digest).cloned())
    }

    fn keep(&self, active: &Arc<Active>) {
        self.with(|inner| {
            inner.snapshots.push_front(Arc::clone(active));
            inner.snapshots.truncate(SNAPSHOTS_MAX);
        });
    }
}

impl<S: Catalog, Q, C: Clock> Host<S, Q, C> {
    /// The active snapshot, at most a few seconds old.
    ///
    /// # Errors
    /// When the store cannot be read, or what it holds cannot.
    pub async fn active(&self) -> Result<Arc<Active>, FlowError> {
        self.active_since(self.now().plus_millis(-HEAD_AGE_MS_MAX)).await
    }

    /// The active snapshot as a look at the head after `since` tells it: with all that was published until then.
    ///
    /// # Errors
    /// As for [`Host::active`].
    pub async fn active_since(&self, since: Timestamp) -> Result<Arc<Active>, FlowError> {
        let now = self.now();
        let known = self.catalog.with(|inner| inner.head);
        let head = match known {
            Some((at, head)) if since < at && at <= now => head,
            Some(_) | None => {
                let head = self.store.catalog_head(&self.tenant).await?;
                self.catalog.with(|inner| inner.head = Some((now, head)));
                head
            }
        };
        self.load(head.map(|head| head.snapshot)).await
    }

    /// The snapshot that `digest` names: what a door promised is matched against what the door saw.
    ///
    /// # Errors
    /// As for [`Host::active`].
    pub async fn pinned(&self, digest: &Digest) -> Result<Arc<Active>, FlowError> {
        self.load(Some(*digest)).await
    }

    pub(super) async fn load(&self, digest: Option<Digest>) -> Result<Arc<Active>, FlowError> {
        if let Some(active) = self.catalog.kept(digest) {
            return Ok(active);
        }
        let snapshot = match &digest {
            Some(digest) => {
                let json = self.store.snapshot(digest).await?;
                let json = json.ok_or(FlowError::NoSnapshot(*digest))?;
                serde_json::from_str::<Snapshot>(&json)
                    .map_err(|source| FlowError::BadCatalog { digest: *digest, source })?
            }
            None => Snapshot::default(),
        };
        let index = Index::build(snapshot.sops);
        let active = Arc::new(Active { digest, index });
        self.catalog.keep(&active);
        Ok(active)
    }

    /// The definition that `digest` names.
    ///
    /// # Errors
    /// When the store cannot be read, or what it holds cannot.
    pub async fn definition(&self, digest: &Digest) -> Result<Arc<Definition>, FlowError> {
        if let Some(found) = self.catalog.with(|inner| inner.definitions.get(digest).cloned()) {
            return Ok(found);
        }
        let json = self.store.definition(digest).await?;
        let json = json.ok_or(FlowError::NoDefinition(*digest))?;
        let definition: Definition = serde_json::from_str(&json)
            .map_err(|source| FlowError::BadCatalog { digest: *digest, source })?;
        let definition = Arc::new(definition);
        self.catalog.with(|inner| {
            if inner.definitions.insert(*digest, Arc::clone(&definition)).is_none() {
                inner.order.push_back(*digest);
            }
            if inner.order.len() > DEFINITIONS_MAX
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.definitions.remove(&oldest);
            }
        });
        Ok(definition)
    }
}
