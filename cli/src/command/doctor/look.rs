//! What each part should be like, and what mends it.

use std::path::Path;

use serde_json::Value;
use sop_core::definition::{Definition, Severity};
use sop_core::{Digest, Timestamp};
use sop_runtime::port::{Clock, SystemClock};

use super::Finding;
use crate::client::ClientError;
use crate::render::count;
use crate::workspace::Workspace;

/// Milliseconds that two clocks may be apart: signatures and tolerances live in minutes.
const CLOCKS_APART_MS_MAX: i64 = 30_000;

/// Milliseconds after which a tick is missed: it comes each minute on AWS, each second here.
const TICK_MS_MAX: i64 = 150_000;

/// The template that this build belongs to.
const TEMPLATE: &[u8] = include_bytes!("../../../../infra/template.yaml");

pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// The definitions of the folder.
pub(super) fn definitions(dir: &Path, local: Result<&Workspace, &anyhow::Error>) -> Finding {
    const PART: &str = "definitions";
    match local {
        Err(error) => Finding::warn(
            PART,
            format!("`{}` cannot be read: {error:#}", dir.display()),
            "name the folder of the SOPs with `--sops` or `SOP_DIR`",
        ),
        Ok(workspace) if workspace.count(Severity::Error) > 0 => Finding::fail(
            PART,
            count(workspace.count(Severity::Error), "error"),
            "`sop validate` shows each with its help",
        ),
        Ok(workspace) => Finding::ok(
            PART,
            format!("{} in `{}`", count(workspace.folders.len(), "SOP"), dir.display()),
        ),
    }
}

/// Whether anything answers, and which build.
pub(super) fn host(alive: Result<&Value, &ClientError>) -> Finding {
    const PART: &str = "host";
    let own = env!("CARGO_PKG_VERSION");
    match alive {
        Err(error) => Finding::fail(
            PART,
            format!("no answer: {error}"),
            "start `sop dev`, or name the host with `--url` or `SOP_URL`",
        ),
        Ok(health) if health["version"] == own => Finding::ok(PART, format!("version {own}")),
        Ok(health) => Finding::warn(
            PART,
            format!("the host has version {}, this is {own}", health["version"]),
            "deploy this build, or use that build's `sop`",
        ),
    }
}

/// Whether the host knows who is asking.
pub(super) fn token(health: Result<&Value, &ClientError>) -> Finding {
    const PART: &str = "token";
    match health {
        Ok(_) => Finding::ok(PART, "is known and may read"),
        Err(error) => Finding::fail(
            PART,
            error.to_string(),
            error.hint().unwrap_or_else(|| "`sop pair CODE` gets a token".to_owned()),
        ),
    }
}

/// The parts that the host knows of itself.
pub(super) fn parts(health: &Value, now: Timestamp) -> Vec<Finding> {
    let theirs = health["now"].as_str().and_then(Timestamp::parse_rfc3339).unwrap_or(now);
    let mut findings = vec![clock(theirs, now), tick(&health["last_tick"], theirs)];
    let runbook = |name: &str| format!("docs/operations.md, {name}");
    findings.push(figure("catalog", &health["catalog"], |catalog| {
        let sops = catalog["sops"].as_u64().unwrap_or_default();
        match sops {
            0 => {
                Finding::warn("catalog", "no SOP is active", "`sop push` makes the folder's active")
            }
            _ => Finding::ok(
                "catalog",
                format!("{sops} SOPs active, publish {}", catalog["version"]),
            ),
        }
    }));
    findings.push(none(
        "overdue",
        &health["overdue"],
        "runs are due and were not woken",
        &runbook("tick-missing"),
    ));
    findings.push(none(
        "congestion",
        &health["congested"],
        "SOPs have runs that wait for a slot",
        "`sop runs --status queued` shows them; raise `max_concurrent`, or let them wait",
    ));
    if let Some(dead) = health["dead"].as_object() {
        for (queue, figure) in dead {
            let part = match queue.as_str() {
                "events" => "dead events",
                "effects" => "dead effects",
                _ => "dead arrivals",
            };
            findings.push(none(
                part,
                figure,
                "dead letters",
                &format!(
                    "`sop dlq list --queue {queue}` says why; {}",
                    runbook(&format!("{queue}-dead"))
                ),
            ));
        }
    }
    for (part, kind, statements) in [
        ("IoT rules", "topics", "`Rules`, `ListRules` and `RuleErrors`"),
        ("bus rules", "events", "`BusRules`, `BusTargets` and `ListBusRules`"),
    ] {
        // On one machine there are none.
        if !health["rules"][kind].is_null() {
            findings.push(rules(part, &health["rules"][kind], statements));
        }
    }
    if let Some(deployed) = health["template"].as_str() {
        findings.push(template(deployed));
    }
    findings
}

fn clock(theirs: Timestamp, now: Timestamp) -> Finding {
    let apart = theirs.millis_since(now).abs();
    if apart <= CLOCKS_APART_MS_MAX {
        return Finding::ok("clock", format!("{apart} ms apart from this machine's"));
    }
    Finding::fail(
        "clock",
        format!("{} s apart from this machine's", apart / 1_000),
        "set both by NTP: signatures, schedules and time-outs go by them",
    )
}

fn tick(last: &Value, now: Timestamp) -> Finding {
    const PART: &str = "tick";
    const MEND: &str = "start the host; docs/operations.md, tick-missing";
    figure(PART, last, |last| match last.as_str().and_then(Timestamp::parse_rfc3339) {
        None => Finding::fail(PART, "schedules were never looked at", MEND),
        Some(last) if now.millis_since(last) > TICK_MS_MAX => {
            let secs = now.millis_since(last) / 1_000;
            Finding::fail(PART, format!("schedules were last looked at {secs} s ago"), MEND)
        }
        Some(last) => Finding::ok(PART, format!("schedules were looked at up to {last}")),
    })
}

/// A part that should be at nought.
fn none(part: &'static str, value: &Value, what: &str, mend: &str) -> Finding {
    figure(part, value, |value| match value.as_u64().unwrap_or_default() {
        0 => Finding::ok(part, "none"),
        n => Finding::warn(part, format!("{n} {what}"), mend),
    })
}

/// The rules by which a service hands over what arrives.
fn rules(part: &'static str, value: &Value, statements: &str) -> Finding {
    let named = |list: &str| -> Vec<String> {
        let names = value[list].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    figure(part, value, |value| {
        let (missing, wrong) = (named("missing"), named("wrong"));
        let right = value["right"].as_u64().unwrap_or_default();
        let stale = value["stale"].as_u64().unwrap_or_default();
        let mut found = vec![format!("{right} as they should be")];
        for (what, names) in [("missing", &missing), ("changed by somebody", &wrong)] {
            if !names.is_empty() {
                found.push(format!("{what}: {}", names.join(", ")));
            }
        }
        if stale > 0 {
            found.push(format!("{stale} that nothing asks for any more"));
        }
        let found = found.join("; ");
        let next = "a tick mends it within five minutes";
        if !missing.is_empty() || !wrong.is_empty() {
            let mend = format!(
                "what they would take starts nothing; {next}; where it does not, give CronRole and ApiRole the \
                 statements {statements} of infra/template.yaml"
            );
            return Finding::fail(part, found, mend);
        }
        match stale {
            0 => Finding::ok(part, found),
            _ => Finding::warn(part, found, next),
        }
    })
}

/// A part's figure, or why the host could not find it out: most often a permission.
fn figure(part: &'static str, value: &Value, look: impl FnOnce(&Value) -> Finding) -> Finding {
    match value["error"].as_str() {
        Some(error) => Finding::fail(
            part,
            error,
            "give the host the permission or the table that the error names: infra/template.yaml has both",
        ),
        None => look(value),
    }
}

fn template(deployed: &str) -> Finding {
    const PART: &str = "template";
    if deployed == Digest::of(TEMPLATE).to_string() {
        return Finding::ok(PART, "what was deployed is this build's");
    }
    Finding::warn(PART, "what was deployed is not this build's template", "`make deploy`")
}

/// Whether the host's active SOPs are the folder's.
pub(super) fn drift(local: &Workspace, active: Result<&Value, &ClientError>) -> Finding {
    const PART: &str = "drift";
    let active = match active {
        Ok(active) => active["sops"].as_array().cloned().unwrap_or_default(),
        Err(error) => return Finding::fail(PART, error.to_string(), "try again"),
    };
    let is_same = |name: &str, digest: &Digest| {
        active.iter().any(|sop| sop["name"] == name && sop["digest"] == digest.to_string())
    };
    let changed: Vec<&str> = local
        .folders
        .iter()
        .filter_map(|folder| folder.definition.as_ref())
        .filter(|sop: &&Definition| !is_same(sop.name.as_str(), &sop.digest()))
        .map(|sop| sop.name.as_str())
        .collect();
    if changed.is_empty() {
        return Finding::ok(PART, "the folder's SOPs are active as they are");
    }
    Finding::warn(
        PART,
        format!("not active as they are here: {}", changed.join(", ")),
        "`sop diff NAME` shows how, `sop push` makes them active",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::State;
    use super::*;

    #[test]
    fn each_part_says_how_to_mend_it() {
        let now = Timestamp::parse_rfc3339("2026-03-01T09:00:00Z").unwrap();
        let well = json!({
            "now": "2026-03-01T09:00:01Z", "last_tick": "2026-03-01T08:59:00Z",
            "catalog": { "version": 3, "sops": 2 }, "overdue": 0, "congested": 0,
            "dead": { "events": 0, "effects": 0, "arrivals": 0 },
            "template": Digest::of(TEMPLATE).to_string(),
            "rules": {
                "topics": { "right": 2, "missing": [], "wrong": [], "stale": 0 },
                "events": { "right": 0, "missing": [], "wrong": [], "stale": 0 },
            },
        });
        assert_eq!(parts(&well, now).len(), 11);
        assert!(
            parts(&well, now).iter().all(|part| part.state == State::Ok),
            "{:?}",
            parts(&well, now)
        );
        let denied = json!({ "error": "could not query the table: AccessDenied" });
        let ill = json!({
            "now": "2026-03-01T09:05:00Z", "last_tick": "2026-03-01T08:00:00Z",
            "catalog": { "version": 0, "sops": 0 }, "overdue": denied, "congested": 2,
            "dead": { "events": 4, "effects": denied, "arrivals": 1 }, "template": "0",
            "rules": {
                "topics": { "error": "could not list the topic rules: AccessDenied" },
                "events": { "right": 1, "missing": ["sopwith-events-1: {}"], "wrong": [], "stale": 0 },
            },
        });
        for part in parts(&ill, now) {
            assert!(part.state != State::Ok && part.mend.is_some(), "{part:?}");
        }
        let bus = |events: Value| {
            let health = json!({ "now": "2026-03-01T09:00:00Z", "rules": { "events": events } });
            parts(&health, now).into_iter().find(|part| part.part == "bus rules").unwrap()
        };
        let wrong = bus(json!({ "right": 1, "missing": [], "wrong": ["r: {}"], "stale": 1 }));
        assert_eq!(wrong.state, State::Fail);
        assert_eq!(
            wrong.found,
            "1 as they should be; changed by somebody: r: {}; 1 that nothing asks for any more"
        );
        assert!(wrong.mend.unwrap().contains("`BusRules`"));
        let stale = bus(json!({ "right": 1, "missing": [], "wrong": [], "stale": 1 }));
        assert_eq!(stale.state, State::Warn);
        let never = json!({ "now": "2026-03-01T09:00:00Z", "last_tick": null });
        assert!(parts(&never, now).iter().any(|part| part.found.contains("never looked at")));
    }
}
