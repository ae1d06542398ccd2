//! What can be asked for by invoking the function itself, which only IAM allows.

use serde::{Deserialize, Serialize};
use sop_runtime::flow::{self, FlowError, Host};
use sop_runtime::port::{Clock, Tokens};

/// Seconds that a pairing code lives.
/// Source: seed 002, section 3.
const CODE_LIFE_SECS: u32 = 600;

/// One operation: `{"operation": "create_pairing_code"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", tag = "operation", deny_unknown_fields)]
pub enum Operation {
    /// Makes a pairing code, so that a first caller can be let in.
    CreatePairingCode {},
}

/// A pairing code.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PairingCode {
    /// The code, which is shown once.
    pub code: String,
    /// How long it lives.
    pub expires_in_secs: u32,
}

/// Carries out `operation`.
///
/// # Errors
/// When the store fails.
pub async fn carry_out<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    operation: Operation,
) -> Result<PairingCode, FlowError> {
    match operation {
        Operation::CreatePairingCode {} => {
            let code = flow::new_code(host).await?;
            tracing::info!("pairing code made");
            Ok(PairingCode { code, expires_in_secs: CODE_LIFE_SECS })
        }
    }
}
