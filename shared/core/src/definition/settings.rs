//! The keys that `[sop]` and the `[defaults]` of a workspace have in common.

use toml::de::DeTable;

use super::choice;
use super::diagnostic::Sink;
use super::fields;
use super::flow::{AdmissionPolicy, Delegation};
use super::manifest;
use super::model::{ExecutionMode, Priority};
use crate::limits;

/// What was said; what was not is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) priority: Option<Priority>,
    pub(super) execution_mode: Option<ExecutionMode>,
    pub(super) cooldown_secs: Option<u64>,
    pub(super) max_concurrent: Option<u32>,
    pub(super) admission_policy: Option<AdmissionPolicy>,
    pub(super) max_pending_approvals: Option<u32>,
    pub(super) owner: Option<String>,
    pub(super) workstream: Option<String>,
    pub(super) delegation: Option<Delegation>,
    pub(super) timezone: Option<String>,
    pub(super) timeout_secs: Option<u64>,
}

impl Settings {
    /// Reads the keys of [`keys::COMMON`](super::keys::COMMON).
    pub(super) fn read(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Self {
        Self {
            priority: fields::choice(sink, table, "priority", choice::PRIORITIES),
            execution_mode: fields::choice(sink, table, "execution_mode", choice::MODES),
            cooldown_secs: fields::number(
                sink,
                table,
                "cooldown_secs",
                0..=limits::COOLDOWN_SECS_MAX,
            ),
            max_concurrent: fields::count(sink, table, "max_concurrent"),
            admission_policy: fields::choice(sink, table, "admission_policy", choice::ADMISSION),
            max_pending_approvals: fields::count(sink, table, "max_pending_approvals"),
            owner: fields::some_text(sink, table, "owner").map(|owner| owner.text.to_owned()),
            workstream: fields::some_text(sink, table, "workstream")
                .map(|stream| stream.text.to_owned()),
            delegation: fields::choice(sink, table, "delegation", choice::DELEGATIONS),
            timezone: manifest::timezone(sink, table),
            timeout_secs: fields::duration(sink, table, "timeout"),
        }
    }

    /// These, and `defaults` where they say nothing.
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            priority: self.priority.or(defaults.priority),
            execution_mode: self.execution_mode.or(defaults.execution_mode),
            cooldown_secs: self.cooldown_secs.or(defaults.cooldown_secs),
            max_concurrent: self.max_concurrent.or(defaults.max_concurrent),
            admission_policy: self.admission_policy.or(defaults.admission_policy),
            max_pending_approvals: self.max_pending_approvals.or(defaults.max_pending_approvals),
            owner: self.owner.or_else(|| defaults.owner.clone()),
            workstream: self.workstream.or_else(|| defaults.workstream.clone()),
            delegation: self.delegation.or(defaults.delegation),
            timezone: self.timezone.or_else(|| defaults.timezone.clone()),
            timeout_secs: self.timeout_secs.or(defaults.timeout_secs),
        }
    }
}
