//! The ports of a store, guarded.

use sop_core::Timestamp;
use sop_core::engine::{Counters, Head, SlotChange};
use sop_core::id::{Digest, EventId, RunId, SopName, Tenant};
use sop_core::journal::Sealed;
use sop_runtime::port::{
    Append, Blobs, Catalog, CatalogHead, Claim, CronCursor, EventLog, Failure, Failures, HeadPage,
    Heads, Idempotency, Journal, LogLine, LogPage, LogQuery, Pairing, PortError, Publish,
    RateLimits, Routine, Routines, Token, Tokens, Version, Versions, Waiting, Waits,
};

use crate::failing::Failing;

impl<P: Journal> Journal for Failing<P> {
    async fn latest(&self, run: &RunId) -> Result<Option<Sealed>, PortError> {
        self.fuse.guard("read the newest entry", self.inner.latest(run)).await
    }

    async fn entry(&self, run: &RunId, seq: u64) -> Result<Option<Sealed>, PortError> {
        self.fuse.guard("read an entry", self.inner.entry(run, seq)).await
    }

    async fn entries(
        &self,
        run: &RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Sealed>, PortError> {
        self.fuse.guard("list entries", self.inner.entries(run, from, limit)).await
    }

    async fn append(&self, entry: &Sealed, slot: Option<&SlotChange>) -> Result<Append, PortError> {
        self.fuse.guard("append an entry", self.inner.append(entry, slot)).await
    }

    async fn counters(&self, tenant: &Tenant, sop: &SopName) -> Result<Counters, PortError> {
        self.fuse.guard("read counters", self.inner.counters(tenant, sop)).await
    }

    async fn total(&self, tenant: &Tenant) -> Result<u32, PortError> {
        self.fuse.guard("read the workspace's counter", self.inner.total(tenant)).await
    }

    async fn congested(&self, tenant: &Tenant, limit: usize) -> Result<Vec<SopName>, PortError> {
        self.fuse.guard("list congested SOPs", self.inner.congested(tenant, limit)).await
    }
}

impl<P: Blobs> Blobs for Failing<P> {
    async fn put_blob(&self, digest: &Digest, text: &str) -> Result<(), PortError> {
        self.fuse.guard("store a blob", self.inner.put_blob(digest, text)).await
    }

    async fn blob(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.fuse.guard("read a blob", self.inner.blob(digest)).await
    }
}

impl<P: Heads> Heads for Failing<P> {
    async fn project(&self, head: &Head) -> Result<(), PortError> {
        self.fuse.guard("project a head", self.inner.project(head)).await
    }

    async fn head(&self, run: &RunId) -> Result<Option<Head>, PortError> {
        self.fuse.guard("read a head", self.inner.head(run)).await
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        self.fuse.guard("list runs", self.inner.runs(tenant, after, limit)).await
    }

    async fn inbox(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        self.fuse.guard("list the inbox", self.inner.inbox(tenant, after, limit)).await
    }

    async fn queued(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        limit: usize,
    ) -> Result<Vec<RunId>, PortError> {
        self.fuse.guard("list queued runs", self.inner.queued(tenant, sop, limit)).await
    }

    async fn due(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(RunId, Timestamp)>, PortError> {
        self.fuse.guard("list due runs", self.inner.due(tenant, now, limit)).await
    }
}

impl<P: Waits> Waits for Failing<P> {
    async fn subscribe(
        &self,
        key: &Digest,
        waiting: &Waiting,
        until: Timestamp,
    ) -> Result<(), PortError> {
        self.fuse.guard("note who waits", self.inner.subscribe(key, waiting, until)).await
    }

    async fn unsubscribe(&self, key: &Digest, waiting: &Waiting) -> Result<(), PortError> {
        self.fuse.guard("forget who waits", self.inner.unsubscribe(key, waiting)).await
    }

    async fn waiting(&self, key: &Digest, limit: usize) -> Result<Vec<Waiting>, PortError> {
        self.fuse.guard("list who waits", self.inner.waiting(key, limit)).await
    }
}

impl<P: Versions> Versions for Failing<P> {
    async fn put_version(&self, tenant: &Tenant, version: &Version) -> Result<(), PortError> {
        self.fuse.guard("store a version", self.inner.put_version(tenant, version)).await
    }

    async fn versions(
        &self,
        tenant: &Tenant,
        sop: Option<&SopName>,
        limit: usize,
    ) -> Result<Vec<Version>, PortError> {
        self.fuse.guard("list versions", self.inner.versions(tenant, sop, limit)).await
    }
}

impl<P: Catalog> Catalog for Failing<P> {
    async fn catalog_head(&self, tenant: &Tenant) -> Result<Option<CatalogHead>, PortError> {
        self.fuse.guard("read the catalog's head", self.inner.catalog_head(tenant)).await
    }

    async fn publish(
        &self,
        tenant: &Tenant,
        expected: u64,
        snapshot: &Digest,
    ) -> Result<Publish, PortError> {
        self.fuse.guard("publish a snapshot", self.inner.publish(tenant, expected, snapshot)).await
    }

    async fn put_snapshot(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.fuse.guard("store a snapshot", self.inner.put_snapshot(digest, json)).await
    }

    async fn snapshot(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.fuse.guard("read a snapshot", self.inner.snapshot(digest)).await
    }

    async fn put_definition(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.fuse.guard("store a definition", self.inner.put_definition(digest, json)).await
    }

    async fn definition(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.fuse.guard("read a definition", self.inner.definition(digest)).await
    }
}

impl<P: EventLog> EventLog for Failing<P> {
    async fn record(&self, line: &LogLine) -> Result<(), PortError> {
        self.fuse.guard("record an event", self.inner.record(line)).await
    }

    async fn list(&self, query: &LogQuery) -> Result<LogPage, PortError> {
        self.fuse.guard("list the log", self.inner.list(query)).await
    }

    async fn payload(&self, tenant: &Tenant, event: &EventId) -> Result<Option<String>, PortError> {
        self.fuse.guard("read a payload", self.inner.payload(tenant, event)).await
    }

    async fn tally(
        &self,
        tenant: &Tenant,
        minute: Timestamp,
        expires_at: Timestamp,
    ) -> Result<u64, PortError> {
        self.fuse.guard("count an event", self.inner.tally(tenant, minute, expires_at)).await
    }

    async fn tallied(&self, tenant: &Tenant, minute: Timestamp) -> Result<u64, PortError> {
        self.fuse.guard("read a count", self.inner.tallied(tenant, minute)).await
    }
}

impl<P: Idempotency> Idempotency for Failing<P> {
    async fn claim(
        &self,
        tenant: &Tenant,
        key: &str,
        record: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, PortError> {
        self.fuse.guard("claim a key", self.inner.claim(tenant, key, record, now, expires_at)).await
    }
}

impl<P: Tokens> Tokens for Failing<P> {
    async fn token(&self, hash: &Digest) -> Result<Option<Token>, PortError> {
        self.fuse.guard("read a token", self.inner.token(hash)).await
    }

    async fn put_token(&self, token: &Token) -> Result<(), PortError> {
        self.fuse.guard("store a token", self.inner.put_token(token)).await
    }

    async fn tokens(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Token>, PortError> {
        self.fuse.guard("list tokens", self.inner.tokens(tenant, after, limit)).await
    }

    async fn pairing(&self, tenant: &Tenant) -> Result<(u64, Option<Pairing>), PortError> {
        self.fuse.guard("read the pairing state", self.inner.pairing(tenant)).await
    }

    async fn set_pairing(
        &self,
        tenant: &Tenant,
        expected: u64,
        pairing: &Pairing,
    ) -> Result<bool, PortError> {
        self.fuse
            .guard("change the pairing state", self.inner.set_pairing(tenant, expected, pairing))
            .await
    }
}

impl<P: RateLimits> RateLimits for Failing<P> {
    async fn take(
        &self,
        tenant: &Tenant,
        client: &str,
        window: Timestamp,
        quota: u32,
        expires_at: Timestamp,
    ) -> Result<Option<u32>, PortError> {
        let taken = self.inner.take(tenant, client, window, quota, expires_at);
        self.fuse.guard("count a call", taken).await
    }
}

impl<P: CronCursor> CronCursor for Failing<P> {
    async fn last_check(&self, tenant: &Tenant) -> Result<Option<Timestamp>, PortError> {
        self.fuse.guard("read the cron cursor", self.inner.last_check(tenant)).await
    }

    async fn advance(&self, tenant: &Tenant, to: Timestamp) -> Result<(), PortError> {
        self.fuse.guard("advance the cron cursor", self.inner.advance(tenant, to)).await
    }
}

impl<P: Routines> Routines for Failing<P> {
    async fn routines(&self, tenant: &Tenant) -> Result<Vec<Routine>, PortError> {
        self.fuse.guard("read the switches", self.inner.routines(tenant)).await
    }

    async fn set_routine(&self, tenant: &Tenant, routine: &Routine) -> Result<(), PortError> {
        self.fuse.guard("switch schedules", self.inner.set_routine(tenant, routine)).await
    }
}

impl<P: Failures> Failures for Failing<P> {
    async fn put_failure(&self, failure: &Failure) -> Result<(), PortError> {
        self.fuse.guard("note a failure", self.inner.put_failure(failure)).await
    }

    async fn failure(&self, message: &str) -> Result<Option<Failure>, PortError> {
        self.fuse.guard("read why a message failed", self.inner.failure(message)).await
    }
}
