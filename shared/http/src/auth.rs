//! Who is calling, and whether they may.

use axum::http::{HeaderMap, StatusCode};
use sop_runtime::flow::{Host, authenticate};
use sop_runtime::port::{Clock, Role, Token, Tokens};

use crate::problem::Problem;
use crate::request::only;

/// The bearer token of a request. The scheme's name has no case.
/// Source: RFC 9110, section 11.1.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, "authorization")?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Who wants to read, or 401; 403 for a token that only opens webhooks.
pub(crate) async fn reader<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
) -> Result<Token, Problem> {
    let caller = known(host, headers).await?;
    match caller.role {
        Role::Viewer | Role::Operator => Ok(caller),
        Role::Ingress => Err(forbidden(caller.role)),
    }
}

/// Who wants to change something, or 401; 403 for a token that may not.
pub(crate) async fn operator<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
) -> Result<Token, Problem> {
    let caller = known(host, headers).await?;
    match caller.role {
        Role::Operator => Ok(caller),
        Role::Viewer | Role::Ingress => Err(forbidden(caller.role)),
    }
}

async fn known<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
) -> Result<Token, Problem> {
    let Some(bearer) = bearer(headers) else { return Err(Problem::unauthorized()) };
    authenticate(host, bearer).await?.ok_or_else(Problem::unauthorized)
}

/// 403: the token is good, and not for this.
pub(crate) fn forbidden(role: Role) -> Problem {
    let may = match role {
        Role::Ingress => "opens webhooks only",
        Role::Viewer => "only reads",
        Role::Operator => "does everything",
    };
    let detail = format!("this token is of the role `{}`, which {may}", role.as_str());
    Problem::new(StatusCode::FORBIDDEN, "role", detail)
}
