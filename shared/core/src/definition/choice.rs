//! The words that keys can have for a value.

use super::flow::{AdmissionPolicy, Delegation, Delivery};
use super::model::{Auth, ExecutionMode, Priority, Scheme, StepKind};
use super::policy::OnTimeout;

pub(super) const MODES: &[(&str, ExecutionMode)] = &[
    ("auto", ExecutionMode::Auto),
    ("supervised", ExecutionMode::Supervised),
    ("step_by_step", ExecutionMode::StepByStep),
    ("priority_based", ExecutionMode::PriorityBased),
    ("deterministic", ExecutionMode::Deterministic),
];

/// `deterministic` is left out: it gates nothing, so it could not tighten.
pub(super) const STEP_MODES: &[(&str, ExecutionMode)] = &[
    ("auto", ExecutionMode::Auto),
    ("supervised", ExecutionMode::Supervised),
    ("step_by_step", ExecutionMode::StepByStep),
    ("priority_based", ExecutionMode::PriorityBased),
];

pub(super) const PRIORITIES: &[(&str, Priority)] = &[
    ("low", Priority::Low),
    ("normal", Priority::Normal),
    ("high", Priority::High),
    ("critical", Priority::Critical),
];

pub(super) const ADMISSION: &[(&str, AdmissionPolicy)] = &[
    ("queue", AdmissionPolicy::Queue),
    ("parallel", AdmissionPolicy::Parallel),
    ("hold", AdmissionPolicy::Hold),
    ("coalesce", AdmissionPolicy::Coalesce),
    ("drop", AdmissionPolicy::Drop),
];

pub(super) const DELEGATIONS: &[(&str, Delegation)] = &[
    ("human_only", Delegation::HumanOnly),
    ("trialing", Delegation::Trialing),
    ("agent_supervised", Delegation::AgentSupervised),
    ("agent_autonomous", Delegation::AgentAutonomous),
];

pub(super) const KINDS: &[(&str, StepKind)] = &[
    ("execute", StepKind::Execute),
    ("checkpoint", StepKind::Checkpoint),
    ("capability", StepKind::Capability),
];

pub(super) const DELIVERIES: &[(&str, Delivery)] =
    &[("at_least_once", Delivery::AtLeastOnce), ("at_most_once", Delivery::AtMostOnce)];

pub(super) const ON_TIMEOUTS: &[(&str, OnTimeout)] = &[
    ("escalate", OnTimeout::Escalate),
    ("cancel", OnTimeout::Cancel),
    ("auto_approve", OnTimeout::AutoApprove),
];

/// The first two say the same.
pub(super) const AUTHS: &[(&str, Auth)] =
    &[("token", Auth::Bearer), ("bearer", Auth::Bearer), ("none", Auth::None)];

pub(super) const SCHEMES: &[(&str, Scheme)] = &[
    ("github", Scheme::Github),
    ("stripe", Scheme::Stripe),
    ("slack", Scheme::Slack),
    ("standard-webhooks", Scheme::StandardWebhooks),
];

pub(super) const FLAGS: &[(&str, bool)] = &[("true", true), ("false", false)];

/// The words of a table.
pub(super) fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// The word for `value`.
pub(super) fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    let row = table.iter().find(|(_, other)| other == value);
    row.map(|(name, _)| *name).expect("each table has a row for each of its values")
}
