//! A trace as OpenTelemetry's collectors take it.
//!
//! Source: OpenTelemetry protocol 1.x, JSON encoding of `ExportTraceServiceRequest`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Mark, Row};

/// The spans of `trace`, each service a resource of its own. Spans that still go on are left out: a collector
/// takes whole ones.
pub(super) fn export(trace: &str, rows: &[Row]) -> Value {
    let mut services: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for row in rows {
        if let Some(ended) = row.ended {
            services.entry(&row.service).or_default().push(span(trace, row, ended));
        }
    }
    let resources: Vec<Value> = services
        .into_iter()
        .map(|(service, spans)| {
            let service = attribute("service.name", &format!("sopwith-{service}"));
            json!({
                "resource": { "attributes": [service] },
                "scopeSpans": [{ "scope": { "name": "sopwith" }, "spans": spans }],
            })
        })
        .collect();
    json!({ "resourceSpans": resources })
}

fn span(trace: &str, row: &Row, ended: i64) -> Value {
    /// `SPAN_KIND_INTERNAL`.
    const INTERNAL: u8 = 1;
    /// `STATUS_CODE_UNSET`.
    const UNSET: u8 = 0;
    /// `STATUS_CODE_ERROR`.
    const ERROR: u8 = 2;
    json!({
        "traceId": trace,
        "spanId": row.id,
        "parentSpanId": row.parent.as_deref().unwrap_or(""),
        "name": row.name,
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(row.began),
        "endTimeUnixNano": nanos(ended),
        "status": { "code": if row.failed { ERROR } else { UNSET } },
        "events": row.marks.iter().map(event).collect::<Vec<_>>(),
    })
}

fn event(mark: &Mark) -> Value {
    json!({
        "timeUnixNano": nanos(mark.at),
        "name": mark.what,
        "attributes": [
            attribute("sopwith.run", &mark.run),
            attribute("sopwith.seq", &mark.seq.to_string()),
            attribute("sopwith.by", &mark.by),
        ],
    })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64-bit numbers are texts in the protocol's JSON.
fn nanos(millis: i64) -> String {
    (i128::from(millis) * 1_000_000).to_string()
}
