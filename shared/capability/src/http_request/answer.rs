//! What came back, within its limit.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Response, header};
use serde_json::{Map, Value, json};
use sop_core::limits::PAYLOAD_BYTES_MAX;

use crate::http_request::ask::Ask;
use crate::http_request::failed;

/// Bytes of a body that is read: what an output may have, less what stands around it.
pub const BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - 4 * 1024;

/// `{"status", "headers": {"content-type"}, "body"}`; `body` is JSON where it is JSON, else text, else
/// base 64 with `"encoding": "base64"` beside it, and null when nothing came.
///
/// # Errors
/// When the body is too large or breaks off.
pub async fn read(mut response: Response, ask: &Ask) -> Result<Value, String> {
    let status = response.status().as_u16();
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .map(str::to_owned);
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(ask, &error))? {
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            let host = &ask.host;
            return Err(format!("the answer of `{host}` has more than {BODY_BYTES_MAX} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    let mut output = Map::new();
    output.insert("status".to_owned(), json!(status));
    let headers = kind.as_deref().map(|kind| json!({ "content-type": kind }));
    output.insert("headers".to_owned(), headers.unwrap_or_else(|| json!({})));
    let (body, encoding) = body(bytes, kind.as_deref());
    output.insert("body".to_owned(), body);
    if let Some(encoding) = encoding {
        output.insert("encoding".to_owned(), json!(encoding));
    }
    Ok(Value::Object(output))
}

fn body(bytes: Vec<u8>, kind: Option<&str>) -> (Value, Option<&'static str>) {
    if bytes.is_empty() {
        return (Value::Null, None);
    }
    let is_json = kind.is_none_or(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    });
    match String::from_utf8(bytes) {
        Ok(text) if is_json => (serde_json::from_str(&text).unwrap_or(Value::String(text)), None),
        Ok(text) => (Value::String(text), None),
        Err(other) => (json!(STANDARD.encode(other.as_bytes())), Some("base64")),
    }
}
