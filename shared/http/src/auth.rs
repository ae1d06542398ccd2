//! Who is calling.

use axum::http::HeaderMap;
use sop_runtime::flow::{Host, authenticate};
use sop_runtime::port::{Clock, Token, Tokens};

use crate::problem::Problem;
use crate::request::only;

/// The bearer token of a request. The scheme's name has no case.
/// Source: RFC 9110, section 11.1.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, "authorization")?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The caller, or 401.
pub(crate) async fn caller<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
) -> Result<Token, Problem> {
    let Some(bearer) = bearer(headers) else { return Err(Problem::unauthorized()) };
    authenticate(host, bearer).await?.ok_or_else(Problem::unauthorized)
}
