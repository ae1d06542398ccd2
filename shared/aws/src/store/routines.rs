//! The switches of schedules: `CRON#<tenant> / R#<sop>`.

use sop_core::id::Tenant;
use sop_runtime::port::{PortError, Routine, Routines};

use super::DynamoStore;
use super::attributes::{get_text, key, text};
use super::read::{Within, in_table};
use crate::error::{failed, unreadable};
use crate::keys;

const READ: &str = "read the switches of schedules";
const SWITCH: &str = "switch schedules";

/// Switches read at once: more than a catalog has SOPs.
const ROUTINES_MAX: usize = 100_000;

impl Routines for DynamoStore {
    async fn routines(&self, tenant: &Tenant) -> Result<Vec<Routine>, PortError> {
        let range = in_table(keys::cron(tenant), Within::Prefix(keys::ROUTINES), ROUTINES_MAX);
        let items = self.query(READ, range).await?;
        let routine = |item| {
            let json = get_text(item, keys::BODY).ok_or_else(|| unreadable(READ, keys::BODY))?;
            serde_json::from_str(json).map_err(|error| PortError::permanent(READ, error))
        };
        items.iter().map(routine).collect()
    }

    async fn set_routine(&self, tenant: &Tenant, routine: &Routine) -> Result<(), PortError> {
        let json =
            serde_json::to_string(routine).map_err(|error| PortError::permanent(SWITCH, error))?;
        let mut item = key(keys::cron(tenant), keys::routine(&routine.sop));
        item.insert(keys::BODY.to_owned(), text(json));
        let put = self.client.put_item().table_name(&*self.table).set_item(Some(item));
        put.send().await.map(|_| ()).map_err(|error| failed(SWITCH, error))
    }
}
