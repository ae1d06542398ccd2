//! Gates: which steps have one, and the policies that decide them.

use std::collections::BTreeMap;

use super::code;
use super::diagnostic::Sink;
use super::flow::Delegation;
use super::model::{ExecutionMode, Priority, Step, StepKind};
use super::policy::Policy;
use super::step::Written;
use super::workspace::{self, Workspace};

/// What of an SOP decides which of its steps are gated.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Care {
    pub(super) mode: ExecutionMode,
    pub(super) priority: Priority,
    pub(super) delegation: Option<Delegation>,
}

/// Whether `step` may wait for a yes: before it runs, or for the work of an agent.
fn may_wait(care: Care, step: &Step) -> bool {
    let by_mode = |mode: ExecutionMode| match mode {
        ExecutionMode::Auto | ExecutionMode::Deterministic => false,
        ExecutionMode::Supervised => step.number == 1,
        ExecutionMode::StepByStep => true,
        ExecutionMode::PriorityBased => match care.priority {
            Priority::Critical | Priority::High => true,
            Priority::Normal | Priority::Low => step.number == 1,
        },
    };
    let delegation = step.delegation.or(care.delegation).unwrap_or_default();
    step.requires_confirmation
        || step.kind == StepKind::Checkpoint
        || by_mode(care.mode)
        || step.mode.is_some_and(by_mode)
        || (step.kind == StepKind::Execute && delegation != Delegation::HumanOnly)
}

/// Checks the keys of gates, gives the steps with a gate the default policy where they name none, and answers with
/// the policies that steps name.
pub(super) fn settle(
    sink: &mut Sink<'_>,
    care: Care,
    workspace: &Workspace,
    steps: &mut [Written],
) -> BTreeMap<String, Policy> {
    let mut policies = BTreeMap::new();
    for written in steps {
        let waits = may_wait(care, &written.step);
        if let Some(name) = written.step.policy.clone() {
            match workspace.policy(&name) {
                Some(policy) => drop(policies.insert(name, policy.clone())),
                None => {
                    let at = written.place("policy");
                    workspace::unknown_policy(sink, workspace, &name, at);
                    continue;
                }
            }
        } else if let Some(name) = workspace.default_policy.clone().filter(|_| waits) {
            policies.extend(workspace.policy(&name).map(|policy| (name.clone(), policy.clone())));
            written.step.policy = Some(name);
        }
        if !waits && !written.is_broken {
            idle_keys(sink, written);
        }
    }
    policies
}

/// Of a step without a gate: an `edit` promises an approver what nobody is asked, the others do nothing.
fn idle_keys(sink: &mut Sink<'_>, written: &Written) {
    let help = || "add `- requires_confirmation: true`, or leave it out".to_owned();
    for key in ["edit", "policy", "prompt"] {
        let Some(at) = written.places.get(key) else { continue };
        let message = format!("`{key}` is for a gate, and this step never waits at one");
        if key == "edit" {
            return sink.error_with_help(code::EDIT_WITHOUT_GATE, at.clone(), message, help());
        }
        sink.warn(code::NO_GATE, at.clone(), message, help());
    }
}
