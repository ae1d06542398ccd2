//! What every request has to keep to, whatever its route.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Bytes of all headers together, names included.
/// Source: Amazon API Gateway takes 10,240 for an HTTP API; this leaves room for what a proxy adds.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Lets a request go on, or answers what is wrong with it.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    match wrong(request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn wrong(headers: &HeaderMap) -> Option<Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Some(Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            format!("the headers have {bytes} bytes; at most {HEADER_BYTES_MAX} are taken"),
        ));
    }
    // Two lengths are how one request is made to look like two to whatever stands in between.
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    if lengths > 1 || (lengths == 1 && is_chunked) {
        return Some(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_framing",
            "the request says in two ways how long it is",
        ));
    }
    let is_plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if !is_plain {
        return Some(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoded",
            "bodies are taken as they are: send it without `Content-Encoding`",
        ));
    }
    None
}
