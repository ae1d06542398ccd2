//! The switch of an SOP's schedules.

use std::future::Future;

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::id::{SopName, Tenant};

use crate::port::PortError;

/// Whether the schedules of an SOP fire, since when, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routine {
    /// The SOP.
    pub sop: SopName,
    /// Whether they fire.
    pub on: bool,
    /// Since when: what was due before and had not fired yet does not fire.
    pub since: Timestamp,
    /// Who switched.
    pub by: String,
}

/// The switches. An SOP that was never switched is on.
pub trait Routines: Send + Sync {
    /// All that were ever switched, by name. Reads its own writes.
    fn routines(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Vec<Routine>, PortError>> + Send;

    /// Switches, in place of how it was before.
    fn set_routine(
        &self,
        tenant: &Tenant,
        routine: &Routine,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
