//! MQTT topics and topic filters.
//!
//! Source: MQTT 5.0 (OASIS Standard, 2019), sections 1.5.4, 4.7 and 4.8.2.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod cover;
#[cfg(test)]
mod tests;

pub use cover::widest;

/// Bytes of a topic name or a topic filter.
/// Source: MQTT 5.0, section 1.5.4: a string's length is a two-byte integer.
pub const TOPIC_BYTES_MAX: usize = 65_535;

/// A checked MQTT topic filter such as `plant/+/temperature`.
///
/// `+` stands for one level, also an empty one; `#` for any number of levels, none included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Box<str>);

/// Why a text is not a topic filter. Levels are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicFilterError {
    /// No text.
    #[error("a topic filter has at least one character")]
    Empty,
    /// More than [`TOPIC_BYTES_MAX`].
    #[error("a topic filter has at most 65535 bytes; this one has {bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// The character U+0000.
    #[error("level {level} of the topic filter has the character U+0000")]
    Nul {
        /// Where.
        level: usize,
    },
    /// A `#` with levels after it.
    #[error("level {level} of the topic filter is `#`, which may only come last")]
    HashNotLast {
        /// Where the `#` is.
        level: usize,
    },
    /// A wildcard beside other characters.
    #[error(
        "level {level} of the topic filter, `{text}`, mixes `{wildcard}` with other characters"
    )]
    PartialWildcard {
        /// Where.
        level: usize,
        /// The level.
        text: String,
        /// `+` or `#`.
        wildcard: char,
    },
    /// A shared subscription.
    #[error("level 1 of the topic filter is `$share`: triggers take no shared subscriptions")]
    Shared,
}

impl TopicFilterError {
    /// What to write instead.
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("`#` matches every topic that does not begin with `$`"),
            Self::TooLong { .. } | Self::Nul { .. } => None,
            Self::HashNotLast { .. } => Some("`+` stands for one level in the middle"),
            Self::PartialWildcard { .. } => {
                Some("a wildcard takes a whole level, as in `plant/+/temperature`")
            }
            Self::Shared => {
                Some("leave out `$share` and the group's name: each message starts an SOP once")
            }
        }
    }
}

/// Why a text is not a topic name. Levels are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicNameError {
    /// No text.
    #[error("a topic has at least one character")]
    Empty,
    /// More than [`TOPIC_BYTES_MAX`].
    #[error("a topic has at most 65535 bytes; this one has {bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// The character U+0000.
    #[error("level {level} of the topic has the character U+0000")]
    Nul {
        /// Where.
        level: usize,
    },
    /// A `+` or `#`.
    #[error(
        "level {level} of the topic has the wildcard `{wildcard}`, which only filters may have"
    )]
    Wildcard {
        /// Where.
        level: usize,
        /// `+` or `#`.
        wildcard: char,
    },
}

/// Checks the name of a topic that a message was published to.
///
/// # Errors
/// [`TopicNameError`] names the level that broke the rule.
pub fn check_name(text: &str) -> Result<(), TopicNameError> {
    if text.is_empty() {
        return Err(TopicNameError::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicNameError::TooLong { bytes: text.len() });
    }
    let Some(at) = text.bytes().position(|b| matches!(b, b'+' | b'#' | 0)) else {
        return Ok(());
    };
    let level = 1 + text[..at].matches('/').count();
    Err(match text.as_bytes()[at] {
        0 => TopicNameError::Nul { level },
        wildcard => TopicNameError::Wildcard { level, wildcard: char::from(wildcard) },
    })
}

impl TopicFilter {
    /// Parses a topic filter such as `plant/+/temperature`.
    ///
    /// `text` is 1 to 65 535 bytes. `+` stands for one level and `#`, which may only come last, for
    /// any number.
    ///
    /// # Errors
    /// [`TopicFilterError`] names the level that broke the rule, counted from 1.
    ///
    /// Source: MQTT 5.0, section 4.7.
    pub fn parse(text: &str) -> Result<Self, TopicFilterError> {
        if text.is_empty() {
            return Err(TopicFilterError::Empty);
        }
        if text.len() > TOPIC_BYTES_MAX {
            return Err(TopicFilterError::TooLong { bytes: text.len() });
        }
        if text.starts_with("$share/") {
            return Err(TopicFilterError::Shared);
        }
        let mut levels = text.split('/').enumerate().peekable();
        while let Some((at, text)) = levels.next() {
            let level = at + 1;
            if text.contains('\0') {
                return Err(TopicFilterError::Nul { level });
            }
            if text == "#" && levels.peek().is_some() {
                return Err(TopicFilterError::HashNotLast { level });
            }
            if let Some(wildcard) = text.chars().find(|c| matches!(c, '+' | '#'))
                && text.len() > 1
            {
                return Err(TopicFilterError::PartialWildcard {
                    level,
                    text: text.into(),
                    wildcard,
                });
            }
        }
        Ok(Self(text.into()))
    }

    /// The text of the filter.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels of the filter, in order.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether a message published to `topic` is one that the filter asks for.
    ///
    /// A text that is not a topic name (see [`check_name`]) matches nothing. A filter that begins with a
    /// wildcard does not match a topic that begins with `$`.
    pub fn matches(&self, topic: &str) -> bool {
        if check_name(topic).is_err() || (topic.starts_with('$') && self.0.starts_with(['+', '#']))
        {
            return false;
        }
        let mut levels = topic.split('/');
        for wanted in self.levels() {
            if wanted == "#" {
                return true;
            }
            match levels.next() {
                Some(level) if wanted == "+" || wanted == level => {}
                Some(_) | None => return false,
            }
        }
        levels.next().is_none()
    }
}

impl Serialize for TopicFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TopicFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
