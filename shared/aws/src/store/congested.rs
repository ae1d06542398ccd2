//! SOPs with runs that wait: counters that stand in the index of what is queued.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use sop_core::id::{SopName, Tenant};
use sop_runtime::port::PortError;

use super::DynamoStore;
use super::admission::{SORT, counters};
use super::attributes::{get_text, key, number};
use super::read::{Range, Within};
use crate::error::failed;
use crate::keys::{self, G4, INDEX_QUEUE, S4, WAITING};

const CONGESTED: &str = "list SOPs with waiting runs";

/// Counters that one listing looks at; the rest wait for the next one.
const COUNTERS_MAX: usize = 100;

impl DynamoStore {
    /// SOPs with waiting runs; takes counters without any out of the index.
    pub(super) async fn congested_sops(
        &self,
        tenant: &Tenant,
        limit: usize,
    ) -> Result<Vec<SopName>, PortError> {
        let range = Range {
            index: Some(INDEX_QUEUE),
            pk: G4,
            sk: S4,
            partition: keys::congested_of(tenant),
            within: Within::All,
            descending: false,
            consistent: false,
            limit: COUNTERS_MAX.max(limit),
        };
        let marked = self.query(CONGESTED, range).await?;
        let keys = marked
            .iter()
            .filter_map(|item| get_text(item, keys::PK))
            .map(|pk| key(pk, SORT))
            .collect();
        let mut sops = Vec::new();
        for item in self.batch(CONGESTED, keys).await? {
            let Some(sop) = get_text(&item, S4).and_then(|name| SopName::parse(name).ok()) else {
                continue;
            };
            if counters(&item).waiting > 0 {
                sops.push(sop);
            } else {
                self.unmark(tenant, &sop).await?;
            }
        }
        sops.sort();
        sops.truncate(limit);
        Ok(sops)
    }

    /// Takes a counter out of the index unless a run waits by now.
    async fn unmark(&self, tenant: &Tenant, sop: &SopName) -> Result<(), PortError> {
        let result = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key(keys::admission(tenant, sop), SORT)))
            .update_expression(format!("REMOVE {G4}, {S4}"))
            .condition_expression(format!("{WAITING} = :zero"))
            .expression_attribute_values(":zero", number(0))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(failed(CONGESTED, error)),
            },
        }
    }
}
