//! What a host must offer (ports) and all that a host calls (flows).
//!
//! A flow decides with `sop-core`, appends the decision through a port, and acts on what was written:
//! three calls in three places. Flows know no AWS, no SQLite and no HTTP.

pub mod envelope;
pub mod flow;
pub mod metric;
pub mod port;
pub mod report;
