//! API Gateway's shape, and that of direct calls, told apart by `requestContext`.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;
use sop_runtime::flow::{FlowError, Host};
use sop_runtime::port::{Clock, Tokens};
use sop_wiring::gateway::{self, Call};

use crate::operation::{self, Operation};

/// What the function is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// An HTTP request.
    Http(Box<Call>),
    /// A direct call.
    Direct(Operation),
}

impl Payload {
    /// Whether it may change which SOPs are active.
    pub fn may_publish(&self) -> bool {
        match self {
            Self::Http(call) => call.may_publish(),
            Self::Direct(_) => false,
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("requestContext").is_some() {
            let call = serde_json::from_value(value).map_err(D::Error::custom)?;
            return Ok(Self::Http(Box::new(call)));
        }
        serde_json::from_value(value).map(Self::Direct).map_err(D::Error::custom)
    }
}

/// Answers an HTTP request through `router`, a direct call from `host`.
///
/// # Errors
/// When a direct call could not be carried out.
pub async fn answer<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    router: axum::Router,
    payload: Payload,
) -> Result<Value, FlowError> {
    let answer = match payload {
        Payload::Http(call) => serde_json::to_value(gateway::answer(router, *call).await),
        Payload::Direct(operation) => {
            serde_json::to_value(operation::carry_out(host, operation).await?)
        }
    };
    Ok(answer.expect("answers have only string keys"))
}

#[cfg(test)]
mod tests;
