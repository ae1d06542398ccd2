//! What is to be done outside, as a pure function of the state.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Definition;
use crate::engine::state::{Run, State};
use crate::id::{RunId, SopName, Tenant};
use crate::time::Timestamp;

/// What makes one try of one step one thing: handed on to whatever the step touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectKey {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: u32,
    /// Which try, from 1.
    pub attempt: u32,
}

impl std::fmt::Display for EffectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.run, self.step, self.attempt)
    }
}

/// One thing to do outside, fully decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// A built-in does a step.
    Perform {
        /// Which try of which step of which run.
        key: EffectKey,
        /// The built-in.
        capability: String,
        /// Its authored input.
        with: Value,
        /// The seq of the entry that holds the step's own input.
        input_seq: u64,
        /// After this instant its outcome no longer counts.
        deadline: Timestamp,
        /// W3C `traceparent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    },
    /// The run is looked at again at `at`.
    Wake {
        /// The run.
        run: RunId,
        /// When.
        at: Timestamp,
    },
    /// The SOP's queue is looked at.
    AdmitNext {
        /// Whose.
        tenant: Tenant,
        /// Of which SOP.
        sop: SopName,
    },
}

/// What is outstanding in `run`'s state. Doing it twice does no harm that its key does not prevent.
pub fn outstanding(sop: &Definition, run: &Run) -> Vec<Effect> {
    let admit_next = || match sop.max_concurrent {
        Some(_) => vec![Effect::AdmitNext {
            tenant: run.identity.tenant.clone(),
            sop: run.identity.sop.clone(),
        }],
        None => Vec::new(),
    };
    match &run.state {
        State::Performing { step, attempt, deadline, .. } => {
            let authored = sop.step(*step);
            vec![Effect::Perform {
                key: EffectKey { run: run.identity.id.clone(), step: *step, attempt: *attempt },
                capability: authored.and_then(|step| step.capability.clone()).unwrap_or_default(),
                with: authored.and_then(|step| step.with.clone()).unwrap_or(Value::Null),
                input_seq: run.input_seq(),
                deadline: *deadline,
                trace: run.identity.trace.clone(),
            }]
        }
        State::Sleeping { until, .. } => {
            let mut effects = admit_next();
            effects.push(Effect::Wake { run: run.identity.id.clone(), at: *until });
            effects
        }
        State::Queued { .. }
        | State::AwaitingApproval { .. }
        | State::AwaitingPerson { .. }
        | State::Finished { .. } => admit_next(),
    }
}
