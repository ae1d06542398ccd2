//! Values from the command line: payloads, spans of time, events.

use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use serde_json::value::RawValue;
use sop_core::event::Data;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_core::{Source, Timestamp, ingress, matching, topic};

use crate::args::{Door, EventArgs};

/// The bytes of a payload: the text itself, `@FILE`, or `-` for standard input.
///
/// # Errors
/// When the file or standard input cannot be read, or holds more than a payload may.
pub(crate) fn bytes(given: &str) -> Result<Vec<u8>> {
    let limit = PAYLOAD_BYTES_MAX as u64 + 1;
    let mut read = Vec::new();
    match given.strip_prefix('@') {
        Some(path) => {
            std::fs::File::open(path)
                .and_then(|file| file.take(limit).read_to_end(&mut read))
                .with_context(|| format!("could not read `{path}`"))?;
        }
        None if given == "-" => {
            std::io::stdin()
                .take(limit)
                .read_to_end(&mut read)
                .context("could not read standard input")?;
        }
        None => read.extend_from_slice(given.as_bytes()),
    }
    if read.len() > PAYLOAD_BYTES_MAX {
        bail!("the payload is larger than the {PAYLOAD_BYTES_MAX} bytes that are taken");
    }
    Ok(read)
}

/// A payload that has to be JSON, exactly as written; `None` when there is nothing.
///
/// # Errors
/// As for [`bytes`], and when it is not JSON.
pub(crate) fn json(given: Option<&str>) -> Result<Option<Box<RawValue>>> {
    let Some(given) = given else { return Ok(None) };
    let bytes = bytes(given)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let value = serde_json::from_slice(&bytes)
        .context("the payload is not JSON; text goes in double quotes: '\"text\"'")?;
    Ok(Some(value))
}

/// What an event at `door` would carry.
///
/// # Errors
/// When its door would turn the payload away.
pub(crate) fn data(door: Door, given: Option<&str>) -> Result<Data> {
    let bytes = given.map(bytes).transpose()?.unwrap_or_default();
    Ok(match door {
        Door::Webhook | Door::Manual => ingress::webhook_body(&bytes)?,
        Door::Mqtt | Door::Peripheral | Door::Cron | Door::Event => {
            ingress::device_payload(&bytes, |bytes| {
                base64::engine::general_purpose::STANDARD.encode(bytes)
            })?
        }
    })
}

/// The domain's source of a door.
pub(crate) fn source(door: Door) -> Source {
    match door {
        Door::Webhook => Source::Webhook,
        Door::Mqtt => Source::Mqtt,
        Door::Cron => Source::Cron,
        Door::Peripheral => Source::Peripheral,
        Door::Event => Source::Event,
        Door::Manual => Source::Manual,
    }
}

/// The subject of the event that `args` describe; `sop` is that of a manual start.
///
/// # Errors
/// When the flag that the source needs is missing, or its value is none that the door could have.
pub(crate) fn subject(args: &EventArgs, sop: Option<&str>) -> Result<String> {
    refuse_strays(args)?;
    let needed = |value: &Option<String>, flag: &str, example: &str| {
        value.clone().with_context(|| {
            format!("an event of this source needs `{flag}`, for example `{flag} {example}`")
        })
    };
    match args.source {
        Door::Webhook => {
            let path = needed(&args.path, "--path", "/sop/deploy")?;
            ingress::decode_path(&path).with_context(|| format!("`{path}` is no webhook path"))
        }
        Door::Mqtt => {
            let topic = needed(&args.topic, "--topic", "sensors/alert")?;
            topic::check_name(&topic).with_context(|| format!("`{topic}` is no topic"))?;
            Ok(topic)
        }
        Door::Cron => needed(&args.expression, "--expression", "'0 0 8 * * *'"),
        Door::Peripheral => {
            let board = needed(&args.board, "--board", "pump-7")?;
            let signal = needed(&args.signal, "--signal", "pressure")?;
            matching::peripheral_subject(&board, &signal)
                .context("a board and a signal are not empty and have no `/`")
        }
        Door::Event => event_subject(args),
        Door::Manual => Ok(sop.unwrap_or_default().to_owned()),
    }
}

/// Source and detail type of an event of a bus: the flags', else those that its payload has itself.
fn event_subject(args: &EventArgs) -> Result<String> {
    let given = args.payload.as_deref().filter(|given| *given != "-");
    let whole: Option<serde_json::Value> =
        given.map(bytes).transpose()?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let own = |key: &str| Some(whole.as_ref()?.get(key)?.as_str()?.to_owned());
    let source = args.event_source.clone().or_else(|| own("source"));
    let detail_type = args.detail_type.clone().or_else(|| own("detail-type"));
    let subject = matching::event_subject(source.as_deref(), detail_type.as_deref());
    if matching::is_event_subject(&subject) {
        return Ok(subject);
    }
    bail!(
        "an event of a bus needs `--event-source` and `--detail-type`, for example `--event-source aws.s3 \
         --detail-type 'Object Created'`, or a payload that has a `source` and a `detail-type`"
    )
}

/// A flag of another source would be ignored without a word.
fn refuse_strays(args: &EventArgs) -> Result<()> {
    let given = [
        ("--path", args.path.is_some(), Door::Webhook),
        ("--topic", args.topic.is_some(), Door::Mqtt),
        ("--expression", args.expression.is_some(), Door::Cron),
        ("--board", args.board.is_some(), Door::Peripheral),
        ("--signal", args.signal.is_some(), Door::Peripheral),
        ("--event-source", args.event_source.is_some(), Door::Event),
        ("--detail-type", args.detail_type.is_some(), Door::Event),
    ];
    for (flag, is_given, door) in given {
        if is_given && door != args.source {
            bail!(
                "`{flag}` belongs to a {} event, not to a {} one",
                source(door),
                source(args.source)
            );
        }
    }
    Ok(())
}

/// The present.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The instant that `text` names: RFC 3339, or so long before `now` (`90s`, `15m`, `1h`, `7d`).
///
/// # Errors
/// When it is neither.
pub(crate) fn since(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Ok(at);
    }
    let unit_ms = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 24 * 3_600_000,
        Some(_) | None => 0_i64,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|n| n.parse::<u32>().ok());
    match number {
        Some(number) if unit_ms > 0 => {
            Ok(now.plus_millis(-i64::from(number).saturating_mul(unit_ms)))
        }
        Some(_) | None => {
            bail!(
                "`{text}` is no span such as `15m`, `1h` or `7d`, and no time such as `2026-03-01T08:00:00Z`"
            )
        }
    }
}

/// A key that no other request has.
///
/// # Errors
/// When the system gives no random bytes.
pub(crate) fn fresh_key() -> Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_back_from_now_and_instants_stand() {
        let now = Timestamp::from_millis(10_000_000_000);
        let back = |text: &str| since(text, now).map(|at| now.millis_since(at)).ok();
        assert_eq!(back("90s"), Some(90_000));
        assert_eq!(back("1h"), Some(3_600_000));
        assert_eq!(back("7d"), Some(604_800_000));
        assert_eq!(since("1970-01-01T00:00:01Z", now).unwrap().as_millis(), 1_000);
        for bad in ["", "h", "1", "-1h", "1w", "1.5h", "1é"] {
            assert!(since(bad, now).is_err(), "{bad}");
        }
    }
}
