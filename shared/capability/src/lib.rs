//! The built-in capabilities: what a step can have done without a person or an agent. One file each.
//!
//! A built-in does what its call says and tells how it went. It decides nothing, keeps nothing, and no
//! secret of a call (headers, query strings, bodies) ever stands in a reason.

mod http_request;
mod json_validate;
mod noop;
pub mod notify;
mod publish;
mod transform;

use serde_json::Value;
use sop_core::limits::REASON_CHARS_MAX;
use sop_runtime::flow::{Call, Notice, Perform};
use sop_runtime::port::{Clock, Outlets, PortError, Secrets};

pub use crate::http_request::Client;
use crate::notify::Word;

/// The built-ins: `http.request`, `json.validate`, `mqtt.publish`, `noop`, `sns.publish` and `transform`. (`wait`, `wait.event` and
/// `sop.start` are the engine's own.)
///
/// What `http.request` needs is made when it is first called.
#[derive(Debug)]
pub struct BuiltIns<C, S = (), O = ()> {
    clock: C,
    http: Client,
    secrets: S,
    outlets: O,
}

impl<C: Clock> BuiltIns<C> {
    /// The built-ins, which go by `clock` where a call has a deadline, without secrets and outlets.
    pub fn new(clock: C) -> Self {
        Self { clock, http: Client::default(), secrets: (), outlets: () }
    }
}

impl<C, S, O> BuiltIns<C, S, O> {
    /// The same with these secrets.
    #[must_use]
    pub fn with_secrets<T: Secrets>(self, secrets: T) -> BuiltIns<C, T, O> {
        let Self { clock, http, outlets, .. } = self;
        BuiltIns { clock, http, secrets, outlets }
    }

    /// The same with these ways out.
    #[must_use]
    pub fn with_outlets<T: Outlets>(self, outlets: T) -> BuiltIns<C, S, T> {
        let Self { clock, http, secrets, .. } = self;
        BuiltIns { clock, http, secrets, outlets }
    }
}

impl<C: Clock, S: Secrets, O: Outlets> Secrets for BuiltIns<C, S, O> {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        self.secrets.secret(name).await
    }
}

impl<C: Clock, S: Secrets, O: Outlets> Perform for BuiltIns<C, S, O> {
    async fn perform(&self, call: &Call) -> Result<Value, String> {
        fits("input", call.input_schema.as_ref(), &call.input)?;
        let done = match call.capability.as_str() {
            "http.request" => self.http.perform(call, self.clock.now()).await,
            "json.validate" => json_validate::perform(call),
            "mqtt.publish" => publish::mqtt(&self.outlets, call).await,
            "noop" => Ok(noop::perform(call)),
            "sns.publish" => publish::sns(&self.outlets, call).await,
            "transform" => Ok(transform::perform(call)),
            unknown => Err(format!("there is no capability `{unknown}` here")),
        };
        let output = done.map_err(bounded)?;
        fits("output", call.output_schema.as_ref(), &output)?;
        Ok(output)
    }

    async fn notify(&self, notice: &Notice) -> Result<(), String> {
        let Notice { id, at, subject, route, body } = notice;
        let word = Word { id, at: *at, subject, body };
        let with = (&self.http, &self.secrets, &self.outlets);
        notify::send(with, route, word, self.clock.now()).await.map_err(bounded)
    }
}

/// Whether `value` fits the schema that its step declares, or why not.
fn fits(what: &str, schema: Option<&Value>, value: &Value) -> Result<(), String> {
    let Some(schema) = schema else { return Ok(()) };
    sop_schema::validate(schema, value)
        .map_err(|error| bounded(format!("the {what} does not fit its schema: {error}")))
}

/// What went wrong, with its cause.
fn chain(error: &PortError) -> String {
    format!("{error}: {}", error.source)
}

/// `reason`, cut to what a journal keeps.
fn bounded(reason: String) -> String {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some(_) => reason.chars().take(REASON_CHARS_MAX - 1).chain(['…']).collect(),
        None => reason,
    }
}

#[cfg(test)]
mod testing {
    use serde_json::Value;
    use sop_core::Timestamp;
    use sop_core::engine::EffectKey;
    use sop_core::id::{EventId, RunId, SopName, Tenant};
    use sop_runtime::flow::Call;

    /// A call that has a minute, from [`sop_testkit::ManualClock`]'s start on.
    pub fn call(capability: &str, with: Value, input: Value) -> Call {
        let now = Timestamp::from_millis(1_772_352_000_000);
        let sop = SopName::parse("deploy").unwrap();
        let event = EventId::derived(now, &["test"]);
        let run = RunId::derive(&Tenant::default(), &sop, &event, now);
        Call {
            key: EffectKey { run, step: 2, attempt: 1 },
            capability: capability.to_owned(),
            with,
            input,
            input_schema: None,
            output_schema: None,
            guidance: None,
            deadline: now.plus_millis(60_000),
            trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sop_testkit::ManualClock;

    use super::*;

    #[tokio::test]
    async fn what_is_not_built_in_fails() {
        let call = testing::call("shell.exec", json!({}), Value::Null);
        let done = BuiltIns::new(ManualClock::default()).perform(&call).await;
        assert_eq!(done, Err("there is no capability `shell.exec` here".to_owned()));
    }

    #[test]
    fn reasons_are_bounded() {
        assert_eq!(bounded("ü".repeat(REASON_CHARS_MAX)).chars().count(), REASON_CHARS_MAX);
        let cut = bounded("ü".repeat(REASON_CHARS_MAX + 1));
        assert_eq!(cut.chars().count(), REASON_CHARS_MAX);
        assert!(cut.ends_with('…'));
    }
}
