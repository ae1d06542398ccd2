//! The built-ins in words, for people and programs that write definitions.

/// One built-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The keys of its `with`.
    pub takes: &'static [Takes],
    /// What the step's output is.
    pub gives: &'static str,
}

/// One key of a `with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// The key.
    pub name: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// What it says.
    pub what: &'static str,
}

const fn needs(name: &'static str, what: &'static str) -> Takes {
    Takes { name, required: true, what }
}

const fn may(name: &'static str, what: &'static str) -> Takes {
    Takes { name, required: false, what }
}

/// All of [`KNOWN`](super::KNOWN), in its order.
pub const TABLE: &[BuiltIn] = &[
    BuiltIn {
        name: "http.request",
        does: "calls an HTTP address",
        takes: &[
            needs("url", "the address, http:// or https://"),
            may("method", "GET when left out"),
            may("headers", "an object of texts"),
            may("body", "a text, or any JSON"),
            may("expect_status", "the status that counts as done; any 2xx when left out"),
            may("timeout_ms", "milliseconds that the call may take"),
        ],
        gives: "{\"status\", \"headers\", \"body\"} of the answer",
    },
    BuiltIn {
        name: "json.validate",
        does: "checks a value against a JSON Schema",
        takes: &[
            needs("schema", "a JSON Schema object, draft 2020-12"),
            may("value", "what is checked; what the step gets when left out"),
        ],
        gives: "{\"valid\": true, \"value\"}",
    },
    BuiltIn {
        name: "mqtt.publish",
        does: "sends a message to whoever subscribes to an MQTT topic",
        takes: &[
            needs("topic", "the topic's name; none that begins with $"),
            needs("payload", "a text, or any JSON"),
            may("qos", "0 or 1; 1 when left out"),
        ],
        gives: "{\"topic\", \"bytes\"} of what was sent",
    },
    BuiltIn {
        name: "noop",
        does: "does nothing",
        takes: &[],
        gives: "its `with`, which is any JSON, or what the step gets",
    },
    BuiltIn {
        name: "sns.publish",
        does: "sends a message to an SNS topic: on AWS only",
        takes: &[
            needs("topic_arn", "the topic's ARN"),
            may("subject", "what heads it as an e-mail"),
            needs("message", "a text, or any JSON"),
        ],
        gives: "{\"topic_arn\", \"bytes\"} of what was sent",
    },
    BuiltIn {
        name: "sop.start",
        does: "starts a run of another SOP and waits for its end",
        takes: &[
            needs("sop", "the name of the SOP"),
            may("payload", "what the run is given, any JSON"),
        ],
        gives: "the result of that run",
    },
    BuiltIn {
        name: "transform",
        does: "makes a value out of what the run knows",
        takes: &[],
        gives: "its `with`, which is any JSON, filled in",
    },
    BuiltIn {
        name: "wait",
        does: "lets time pass; it takes one of its keys",
        takes: &[
            may("seconds", "how many"),
            may("ms", "how many milliseconds"),
            may("duration", "such as 90s, 15m, 2h or 1d"),
            may("until", "an RFC 3339 time"),
        ],
        gives: "nothing",
    },
    BuiltIn {
        name: "wait.event",
        does: "waits until an event arrives",
        takes: &[
            needs("source", "webhook, mqtt, peripheral or event"),
            may("path", "of a webhook"),
            may("topic", "filter of MQTT messages"),
            may("board", "of an uplink"),
            may("signal", "of an uplink"),
            may("event_source", "of an event of a bus, or of a run's end"),
            may("detail_type", "of the same"),
            may("condition", "what must hold of the event's payload"),
            may("correlate", "a path into the event, and the template that it must equal"),
        ],
        gives: "the payload of the event",
    },
];

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::definition::capability::{KNOWN, check};

    #[test]
    fn the_table_has_all_that_are_known() {
        let names: Vec<&str> = TABLE.iter().map(|it| it.name).collect();
        assert_eq!(names, KNOWN);
    }

    /// A key of the table is never unknown, and one of another name is.
    #[test]
    fn the_keys_are_those_that_are_checked() {
        for built_in in TABLE.iter().filter(|it| !it.takes.is_empty()) {
            let unknown = |key: &str| {
                let source = ["webhook", "mqtt", "peripheral", "event"].map(|source| {
                    let mut with: Map<String, Value> = Map::new();
                    if built_in.name == "wait.event" {
                        with.insert("source".into(), json!(source));
                    }
                    with.insert(key.into(), json!(source));
                    let misfit = check(built_in.name, Some(&Value::Object(with))).err();
                    misfit.is_some_and(|misfit| misfit.message.starts_with("unknown key"))
                });
                source.into_iter().all(|is_unknown| is_unknown)
            };
            for key in built_in.takes {
                assert!(!unknown(key.name), "{} {}", built_in.name, key.name);
            }
            assert!(unknown("nonsense"), "{}", built_in.name);
        }
    }
}
