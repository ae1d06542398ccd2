//! From what AWS said to what a caller may do about it.

use std::error::Error;
use std::fmt::Debug;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sop_runtime::port::PortError;

/// Codes of refusals that go away by themselves, though their HTTP status is 400.
/// Source: Amazon DynamoDB developer guide, error handling; Amazon SQS API reference, common errors.
const PASSING: [&str; 13] = [
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "OverLimit",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Whether the call that ended in `error` may succeed later: time-outs, lost connections, throttling
/// and the service's own faults may; what the service found wrong with the request may not.
pub fn is_retryable<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            status >= 500
                || status == 429
                || context.err().code().is_some_and(|code| PASSING.contains(&code))
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            true
        }
        // A request that could not even be built stays so; `SdkError` may grow further kinds.
        SdkError::ConstructionFailure(_) | _ => false,
    }
}

/// The port's error for a call that failed at `action`.
pub(crate) fn failed<E>(action: &'static str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + Debug + 'static,
{
    PortError { action, retryable: is_retryable(&error), source: Box::new(error) }
}

/// An item that is not what this store writes.
#[derive(Debug, thiserror::Error)]
#[error("the item has no readable `{attribute}`")]
pub(crate) struct Unreadable {
    pub(crate) attribute: &'static str,
}

/// The port's error for an item that cannot be read.
pub(crate) fn unreadable(action: &'static str, attribute: &'static str) -> PortError {
    PortError::permanent(action, Unreadable { attribute })
}
