//! The payload as conditions see it.

use std::sync::OnceLock;

use serde_json::Value;

use super::number::Number;
use crate::event::Data;

/// An event's payload, parsed as JSON at most once and only when a condition asks.
#[derive(Debug)]
pub struct Payload<'a> {
    data: &'a Data,
    value: OnceLock<Option<Value>>,
}

impl<'a> Payload<'a> {
    /// The payload of `data`; nothing is read yet.
    pub const fn new(data: &'a Data) -> Self {
        Self { data, value: OnceLock::new() }
    }

    /// A value that is there already, such as the document that conditions of steps see.
    pub fn of_value(value: Value) -> Payload<'static> {
        static NOTHING: Data = Data::Empty;
        Payload { data: &NOTHING, value: OnceLock::from(Some(value)) }
    }

    /// The JSON value, or `None` when the payload is empty, not text or not JSON.
    ///
    /// JSON nested deeper than 128 counts as not JSON. Of a key that an object has twice the last counts.
    pub fn json(&self) -> Option<&Value> {
        self.value
            .get_or_init(|| self.data.text().and_then(|text| serde_json::from_str(text).ok()))
            .as_ref()
    }

    /// Whether something has asked for the JSON value yet.
    pub fn is_parsed(&self) -> bool {
        self.value.get().is_some()
    }

    /// Whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        match self.data {
            Data::Empty => self.value.get().is_none_or(Option::is_none),
            Data::Text(text) => text.trim().is_empty(),
            Data::Base64(text) => text.is_empty(),
        }
    }

    /// The whole payload as a number, when that is what it is.
    pub(super) fn number(&self) -> Option<Number> {
        Number::of_text(self.data.text()?.trim())
    }
}

impl<'a> From<&'a Data> for Payload<'a> {
    fn from(data: &'a Data) -> Self {
        Self::new(data)
    }
}
