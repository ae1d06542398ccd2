//! Counts requests and capacity, at the SDK: what was really sent, with every retry.
//!
//! A [`Meter`] is an interceptor; where none is installed nothing is counted and nothing is paid.
//! Write units are those that DynamoDB reports, index by index; where it reports none (a refused
//! condition) they are computed from what was sent and what stood there. Read units are computed from
//! what came back.
//!
//! Source: Amazon DynamoDB developer guide, read and write operations: one write unit a started KB, twice
//! that in a transaction; half a read unit a started 4 KB, twice that when consistent.

mod operation;
mod size;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

pub use operation::WRITE_UNIT_BYTES;
pub use size::{item_bytes, value_bytes};

/// Capacity in the units that are paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Write units of the table.
    pub write: f64,
    /// Write units of its indexes.
    pub index: f64,
    /// Read units.
    pub read: f64,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Count {
    /// Requests by operation: `PutItem`, `SendMessageBatch`.
    pub requests: BTreeMap<String, u32>,
    /// Their capacity.
    pub units: Units,
}

/// Counts for as many clients as share it.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    count: Arc<Mutex<Count>>,
}

/// What a request would cost by what it sends.
#[derive(Debug, Clone, Copy)]
struct Sent(operation::Sent);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Meter {
    /// What was counted since the last call.
    pub fn take(&self) -> Count {
        std::mem::take(&mut *self.count.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Units {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            write: self.write + other.write,
            index: self.index + other.index,
            read: self.read + other.read,
        }
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sent = operation::prepare(context.input_mut());
        config.interceptor_state().store_put(Sent(sent));
        Ok(())
    }

    /// Called once an attempt, whatever became of it.
    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let name = config.load::<Metadata>().map_or("unknown", Metadata::name).to_owned();
        let sent = config.load::<Sent>().map(|sent| sent.0).unwrap_or_default();
        let units = context.output_or_error().map_or_else(Units::default, |result| match result {
            Ok(output) => operation::answered(output, sent),
            Err(error) => operation::refused(error, sent),
        });
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count.requests.entry(name).or_default() += 1;
        count.units = count.units.plus(units);
        Ok(())
    }
}
