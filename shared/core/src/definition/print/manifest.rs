//! `SOP.toml`.

use serde_json::Value;

use super::toml::{inline, text};
use crate::condition::Condition;
use crate::definition::choice::{self, ADMISSION, AUTHS, DELEGATIONS, MODES, PRIORITIES};
use crate::definition::model::{Auth, Definition, Trigger};
use crate::duration;

/// Lines of `key = value`.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn head(&mut self, head: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0 += &format!("{gap}{head}\n");
    }

    fn raw(&mut self, key: &str, value: impl std::fmt::Display) {
        self.0 += &format!("{key} = {value}\n");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, text(value));
    }

    fn some<T>(&mut self, key: &str, value: Option<&T>, shown: impl Fn(&T) -> String) {
        if let Some(value) = value {
            self.raw(key, shown(value));
        }
    }
}

pub(super) fn print(sop: &Definition) -> String {
    let mut lines = Lines::default();
    lines.head("[sop]");
    lines.text("name", sop.name.as_str());
    lines.text("description", &sop.description);
    lines.text("version", &sop.version);
    lines.text("priority", choice::name_of(PRIORITIES, &sop.priority));
    lines.text("execution_mode", choice::name_of(MODES, &sop.execution_mode));
    lines.raw("cooldown_secs", sop.cooldown_secs);
    lines.some("max_concurrent", sop.max_concurrent.as_ref(), ToString::to_string);
    lines.text("admission_policy", choice::name_of(ADMISSION, &sop.admission_policy));
    lines.some("max_pending_approvals", sop.max_pending_approvals.as_ref(), ToString::to_string);
    lines.some("owner", sop.owner.as_ref(), |owner| text(owner));
    lines.some("workstream", sop.workstream.as_ref(), |stream| text(stream));
    lines.some("delegation", sop.delegation.as_ref(), |delegation| {
        text(choice::name_of(DELEGATIONS, delegation))
    });
    lines.text("timezone", &sop.timezone);
    lines.some("timeout", sop.timeout_secs.as_ref(), |secs| text(&duration::print(*secs)));
    lines.some("input", sop.input.as_ref(), schema);
    for trigger in &sop.triggers {
        lines.head("[[triggers]]");
        print_trigger(&mut lines, trigger);
    }
    lines.0
}

fn schema(value: &Value) -> String {
    inline(value).unwrap_or_else(|| text(&value.to_string()))
}

fn print_auth(lines: &mut Lines, auth: &Auth) {
    let signed = match auth {
        Auth::Bearer => return,
        Auth::None => return lines.text("auth", choice::name_of(AUTHS, auth)),
        Auth::Signed(signed) => signed,
    };
    let secret = match &signed.secrets[..] {
        [one] => text(one),
        several => {
            let names: Vec<String> = several.iter().map(|name| text(name)).collect();
            format!("[{}]", names.join(", "))
        }
    };
    let tolerance = match signed.tolerance_secs {
        Some(secs) => format!(", tolerance = {}", text(&duration::print(secs))),
        None => String::new(),
    };
    let kind = text(signed.scheme.as_str());
    lines.raw("auth", format!("{{ type = {kind}, secret = {secret}{tolerance} }}"));
}

fn print_trigger(lines: &mut Lines, trigger: &Trigger) {
    let condition = match trigger {
        Trigger::Manual => {
            lines.text("type", "manual");
            return;
        }
        Trigger::Webhook(webhook) => {
            lines.text("type", "webhook");
            lines.text("path", &webhook.path);
            lines.some("method", webhook.method.as_ref(), |method| text(method));
            print_auth(lines, &webhook.auth);
            &webhook.condition
        }
        Trigger::Mqtt { topic, condition, .. } => {
            lines.text("type", "mqtt");
            lines.text("topic", topic.as_str());
            condition
        }
        Trigger::Cron { expression, timezone } => {
            lines.text("type", "cron");
            lines.text("expression", expression.as_str());
            lines.some("timezone", timezone.as_ref(), |zone| text(zone));
            return;
        }
        Trigger::Peripheral { board, signal, condition, .. } => {
            lines.text("type", "peripheral");
            lines.text("board", board);
            lines.text("signal", signal);
            condition
        }
        Trigger::Event { source, detail_type, condition } => {
            lines.text("type", "event");
            lines.some("source", source.as_ref(), |source| text(source));
            lines.some("detail_type", detail_type.as_ref(), |kind| text(kind));
            condition
        }
    };
    lines.some("condition", condition.as_ref(), |condition: &Condition| text(condition.as_str()));
    lines.some("key", trigger.key(), |key| text(key.as_str()));
}
