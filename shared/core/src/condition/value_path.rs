//! A path on its own, as the `key` of a trigger is.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::ast::{Expr, Path, TestKind};
use super::{ConditionError, Payload, parser};

/// A path into a payload such as `$.id` or `$.items[0].sku`; serialises as its text.
#[derive(Debug, Clone)]
pub struct ValuePath(Path);

/// What a path stands in to be read: the language has no path alone.
const BEFORE: &str = "exists(";

impl ValuePath {
    /// Reads a path, written as conditions write them.
    ///
    /// # Errors
    /// [`ConditionError`] points at the offending bytes.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let other = || ConditionError {
            message: "this is not one path into the payload".to_owned(),
            span: 0..text.len(),
            help: Some("write it as conditions do: `$.id`, `$.order.number`".to_owned()),
        };
        match parser::parse(&format!("{BEFORE}{text})")) {
            Ok(Expr::Test(test)) => match test.kind {
                TestKind::Exists(path) if &*path.text == text => Ok(Self(path)),
                TestKind::Exists(_)
                | TestKind::Compare { .. }
                | TestKind::In { .. }
                | TestKind::Contains { .. }
                | TestKind::Matches { .. } => Err(other()),
            },
            Ok(Expr::All(_) | Expr::Any(_) | Expr::Not(_)) => Err(other()),
            Err(mut error) => {
                let within = |at: usize| at.saturating_sub(BEFORE.len()).min(text.len());
                error.span = within(error.span.start)..within(error.span.end);
                Err(error)
            }
        }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What the path leads to; `None` when the payload is not JSON or has nothing there.
    pub fn find<'p>(&self, payload: &'p Payload<'_>) -> Option<&'p Value> {
        self.0.segments.iter().try_fold(payload.json()?, |value, segment| segment.of(value))
    }
}

impl PartialEq for ValuePath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ValuePath {}

impl Serialize for ValuePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ValuePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Data;

    #[test]
    fn a_path_finds_what_is_there() {
        let data = Data::Text(r#"{"id":7,"order":{"no":"a"},"items":[{"sku":null}]}"#.into());
        let payload = Payload::new(&data);
        for (path, found) in [
            ("$.id", Some("7")),
            ("$.order.no", Some("\"a\"")),
            ("$.items[0].sku", Some("null")),
            ("$.items.0.sku", Some("null")),
            ("$.absent", None),
            ("$.id.more", None),
        ] {
            let path = ValuePath::parse(path).unwrap();
            let value = path.find(&payload).map(ToString::to_string);
            assert_eq!(value.as_deref(), found, "{}", path.as_str());
        }
        let text = Data::Text("no JSON".into());
        assert_eq!(ValuePath::parse("$.id").unwrap().find(&Payload::new(&text)), None);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "id",
            "7",
            "$.",
            "$.a b",
            "$.a) && exists($.b",
            " $.a",
            "$.a ",
            "$.a == 1",
            "{{ event.id }}",
        ] {
            let error = ValuePath::parse(text).unwrap_err();
            assert!(error.span.end <= text.len(), "{text}: {error:?}");
        }
    }
}
