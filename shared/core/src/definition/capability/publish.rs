//! `mqtt.publish` and `sns.publish`: a message for whoever subscribes.

use super::*;
use crate::topic;

pub(super) fn mqtt(with: &Map<String, Value>) -> Result<(), Misfit> {
    only_keys(with, &["topic", "payload", "qos"])?;
    let help = "write a topic name, such as `plant/alarm`";
    let Some(topic) = with.get("topic") else {
        return Err(Misfit::new("`mqtt.publish` needs a `topic`", help));
    };
    // What stands before the first template is known, and wildcards are wrong wherever they stand.
    let problem = match topic.as_str() {
        None => Some("it is not a text"),
        Some(text) => match text.split_once("{{") {
            None => mqtt_topic_problem(text),
            Some((before, _)) => mqtt_topic_problem(&format!("{before}x")),
        },
    };
    if let Some(problem) = problem {
        let message = format!("`topic` is no topic to publish to: {problem}");
        return Err(Misfit::of("topic", message, help.to_owned()));
    }
    if !with.contains_key("payload") {
        let help = "write `\"payload\": \"...\"`, a text or any JSON";
        return Err(Misfit::new("`mqtt.publish` needs a `payload`", help));
    }
    whole_number(with, "qos", 0, 1)
}

/// Why nothing is published to `topic`; `None` when it is a name that an SOP may publish to.
///
/// Names that begin with `$` are the broker's own: on AWS they change things' shadows and run jobs.
///
/// Source: MQTT 5.0 (OASIS Standard, 2019), section 4.7.
pub fn mqtt_topic_problem(topic: &str) -> Option<&'static str> {
    if topic.starts_with('$') {
        return Some("names that begin with `$` are the broker's own");
    }
    match topic::check_name(topic) {
        Ok(()) => None,
        Err(_) => Some("it is empty, too long, or has a wildcard or a null character in it"),
    }
}

pub(super) fn sns(with: &Map<String, Value>) -> Result<(), Misfit> {
    only_keys(with, &["topic_arn", "subject", "message"])?;
    let help = "write `arn:aws:sns:eu-central-1:123456789012:alarms`";
    let Some(arn) = with.get("topic_arn") else {
        return Err(Misfit::new("`sns.publish` needs a `topic_arn`", help));
    };
    if !arn.as_str().is_some_and(|arn| is_template(arn) || is_topic_arn(arn)) {
        let message = "`topic_arn` is not the ARN of an SNS topic";
        return Err(Misfit::of("topic_arn", message, help.to_owned()));
    }
    if let Some(subject) = with.get("subject") {
        let fits = |text: &str| is_template(text) || is_subject(text);
        if !subject.as_str().is_some_and(fits) {
            let help = "it has 1 to 100 visible ASCII characters, spaces included".to_owned();
            return Err(Misfit::of("subject", "`subject` cannot head an e-mail", help));
        }
    }
    if !with.contains_key("message") {
        let help = "write `\"message\": \"...\"`, a text or any JSON";
        return Err(Misfit::new("`sns.publish` needs a `message`", help));
    }
    Ok(())
}

/// Whether `text` is the ARN of an SNS topic.
///
/// Source: Amazon SNS developer guide, "Creating a topic": 256 letters, digits, `-` and `_`, and `.fifo`.
pub fn is_topic_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [arn, partition, service, region, account, name] = parts.as_slice() else { return false };
    let is_word = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    (*arn, *service) == ("arn", "sns")
        && [*partition, *region, name].into_iter().all(is_word)
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && name.len() <= 256
}

/// Source: Amazon SNS API reference, `Publish`: at most 100 ASCII characters, no line break.
fn is_subject(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.starts_with(' ')
}
