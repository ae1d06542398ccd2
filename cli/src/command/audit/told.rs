//! What a ledger's entry says, in words.

use sop_core::definition::OnTimeout;
use sop_core::engine::{Answer, Fact, How, Past, Stored};
use sop_core::journal::Entry;

/// What happened.
pub(in crate::command) fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Started { payload, reused } => {
            format!("started{}{}", carried(payload.as_ref(), " with "), taken_over(reused))
        }
        Fact::Admitted => "a slot became free".to_owned(),
        Fact::Voted { gate, comment, .. } => {
            format!("gate {gate}: a yes; more are needed{}", said(comment.as_deref()))
        }
        Fact::Approved { gate, comment, .. } => {
            format!("gate {gate} approved{}", said(comment.as_deref()))
        }
        Fact::Amended { gate, field, .. } => format!("gate {gate} approved with `{field}` amended"),
        Fact::Revised { gate, step, guidance } => {
            format!("gate {gate}: step {step} sent back: {guidance}")
        }
        Fact::Denied { gate, reason } => format!("gate {gate} denied: {reason}"),
        Fact::Refused { gate, refusal } => format!("gate {gate}: a decision refused: {refusal}"),
        Fact::GateTimedOut { gate, action } => {
            let action = match action {
                OnTimeout::Escalate => "escalated",
                OnTimeout::Cancel => "the run is cancelled",
                OnTimeout::AutoApprove => "approved, as its policy says",
            };
            format!("gate {gate}: nobody decided in time: {action}")
        }
        Fact::StepCompleted { step, attempt, output } => {
            format!("step {step} done{}{}", tries(*attempt), carried(output.as_ref(), ", giving "))
        }
        Fact::StepFailed { step, attempt, reason } => {
            format!("step {step} failed at try {attempt}: {reason}")
        }
        Fact::OutcomeUnknown { step, attempt, reason } => {
            format!("step {step}, try {attempt}: nobody knows whether it was done: {reason}")
        }
        Fact::Woke { step } => format!("the wait of step {step} was over"),
        Fact::EventCame { step, event, output, .. } => {
            let brought = carried(output.as_ref(), ", bringing ");
            format!("event {event} came for step {step}{brought}")
        }
        Fact::Paused => "paused".to_owned(),
        Fact::Resumed => "resumed".to_owned(),
        Fact::Retried { step } => format!("step {step} tried again"),
        Fact::Cancelled { reason } => format!("cancelled: {reason}"),
        Fact::TimedOut => "the run took too long".to_owned(),
    }
}

/// What else stands in the entry, a line each: what an amendment changed, and what was found when values
/// were looked at.
pub(super) fn more(entry: &Entry) -> Vec<String> {
    let mut lines = Vec::new();
    if let Fact::Amended { field, before, after, .. } = &entry.fact {
        if before.is_some() {
            lines.push(format!("- {field}: {}", carried(before.as_ref(), "")));
        }
        lines.push(format!("+ {field}: {}", carried(Some(after), "")));
    }
    lines.extend(entry.asked.iter().map(answer));
    lines
}

fn answer(answer: &Answer) -> String {
    let held = |held: bool| if held { "held" } else { "did not hold" };
    match answer {
        Answer::If { step, held: yes } => format!("step {step}: `if` {}", held(*yes)),
        Answer::When { step, held: yes } => format!("step {step}: `when` {}", held(*yes)),
        Answer::Switch { step, case: Some(case) } => {
            format!("step {step}: case {} of `switch` held", case + 1)
        }
        Answer::Switch { step, case: None } => format!("step {step}: no case of `switch` held"),
        Answer::Rendered { step, args, secrets } => {
            let masked = if secrets.is_empty() { "" } else { " (`***` are secrets)" };
            format!("step {step}: arguments {}{masked}", carried(Some(args), ""))
        }
        Answer::Unrenderable { step, reason } => {
            format!("step {step}: its arguments could not be filled in: {reason}")
        }
    }
}

fn taken_over(reused: &[Past]) -> String {
    let done: Vec<String> = reused
        .iter()
        .filter(|past| past.how != How::Stopped)
        .map(|past| past.step.to_string())
        .collect();
    match done.as_slice() {
        [] => String::new(),
        steps => format!(", taking over the ends of steps {}", steps.join(", ")),
    }
}

fn said(comment: Option<&str>) -> String {
    comment.map(|said| format!(": {said}")).unwrap_or_default()
}

fn tries(attempt: u32) -> String {
    if attempt > 1 { format!(" at try {attempt}") } else { String::new() }
}

/// A value as a line shows it.
fn carried(value: Option<&Stored>, lead: &str) -> String {
    const SHOWN_CHARS: usize = 80;
    let (text, is_whole) = match value {
        None => return String::new(),
        Some(Stored::Inline(text)) => (text, text.chars().count() <= SHOWN_CHARS),
        Some(Stored::Blob { preview, .. }) => (preview, false),
    };
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if is_whole { "" } else { "…" };
    format!("{lead}{shown}{more}")
}
