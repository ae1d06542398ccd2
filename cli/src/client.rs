//! The HTTP client of the API. It sends, reads and sorts answers; what they mean is the commands' part.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url, header, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exit::Exit;
use crate::render::printable;

/// Bytes of an answer: a journal of 200 steps with large outputs is far below it.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For one whole request. Source: an API Gateway integration answers within 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// Characters of an answer that stand for a problem document when there is none.
const NO_DETAIL_CHARS: usize = 200;

/// A client of one host.
#[derive(Debug)]
pub(crate) struct Client {
    base: Url,
    token: Option<String>,
    http: reqwest::Client,
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL cannot be used.
    #[error("`{url}` is not a URL that begins with `http://` or `https://`")]
    BadUrl {
        /// As given.
        url: String,
    },
    /// The token cannot be a header.
    #[error("the token has characters that no token has")]
    BadToken,
    /// The client could not be made.
    #[error("could not set up the HTTP client")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer, or not a whole one.
    #[error("could not reach `{url}`")]
    Unreachable {
        /// The host.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// An answer that is not one of ours.
    #[error("`{url}` answered with something that is not this API: {found}")]
    Foreign {
        /// What was asked.
        url: String,
        /// What came.
        found: String,
    },
    /// The server said no.
    #[error("{0}")]
    Refused(Problem),
}

/// What the server said when it refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// HTTP status.
    pub(crate) status: u16,
    /// Stable; empty when the answer was no problem document.
    pub(crate) code: String,
    /// For people.
    pub(crate) detail: String,
    /// Seconds to wait, where the server said so.
    pub(crate) retry_after: Option<u64>,
    /// The whole document.
    pub(crate) body: Value,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        match self.code.as_str() {
            "" => write!(f, " (status {})", self.status),
            code => write!(f, " ({code})"),
        }
    }
}

impl ClientError {
    /// The exit it stands for.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::BadUrl { .. } | Self::BadToken | Self::Setup(_) => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Foreign { .. } | Self::Refused(_) => Exit::Refused,
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::BadUrl { .. } => Some("give it with `--url` or SOP_URL".to_owned()),
            Self::BadToken => Some("look at `--token` and SOP_TOKEN".to_owned()),
            Self::Setup(_) => None,
            Self::Unreachable { .. } => Some(
                "start a host with `sop dev`, or name the one to use with `--url` or SOP_URL"
                    .to_owned(),
            ),
            Self::Foreign { .. } => {
                Some("look at `--url` or SOP_URL: another program may listen there".to_owned())
            }
            Self::Refused(problem) => problem.hint(),
        }
    }
}

impl Problem {
    fn hint(&self) -> Option<String> {
        match (self.status, self.code.as_str()) {
            (401, _) => Some(
                "pair this machine: `sop pair CODE`, with the code that `sop dev` prints or that \
                 somebody who is paired gets from `sop pair --new`"
                    .to_owned(),
            ),
            (
                _,
                "superseded" | "gate_not_open" | "not_waiting" | "not_awaited" | "already_finished",
            ) => Some("see where it stands now: `sop status RUN`".to_owned()),
            (_, "not_entitled" | "own_work" | "already_voted") => {
                Some("see who decides and who has: `sop status RUN`".to_owned())
            }
            (_, "paused") => Some("let it go on first: `sop resume RUN`".to_owned()),
            (_, "not_failed") => {
                Some("take it up again from a step: `sop rerun RUN --from N`".to_owned())
            }
            (_, "not_amendable" | "nothing_to_amend" | "no_draft" | "revised_too_often") => {
                Some("approve or deny what is there: `sop status RUN` shows it".to_owned())
            }
            (429 | 503, _) => Some(match self.retry_after {
                Some(secs) => format!("try again in {secs} s"),
                None => "try again in a while".to_owned(),
            }),
            _ => None,
        }
    }
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Vec<(&'a str, String)>,
    body: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl<'a> Ask<'a> {
    /// A `GET` of the segments of a path.
    pub(crate) fn get(path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None, headers: Vec::new() }
    }

    /// A `POST` to the segments of a path.
    pub(crate) fn post(path: &'a [&'a str]) -> Self {
        Self { method: Method::POST, ..Self::get(path) }
    }

    /// A `DELETE` of the segments of a path.
    pub(crate) fn delete(path: &'a [&'a str]) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// The same, with a member of the query where `value` has one.
    pub(crate) fn query(mut self, name: &'a str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// The same, with a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// The same, with a body that is JSON already.
    pub(crate) fn text(mut self, body: Option<String>) -> Self {
        self.body = body;
        self
    }

    /// The same, with a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, as one request however often it is sent.
    pub(crate) fn once(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    fn is_repeatable(&self) -> bool {
        self.method == Method::GET
            || self.headers.iter().any(|(name, _)| *name == "idempotency-key")
    }
}

impl Client {
    /// A client of the host at `url`.
    ///
    /// # Errors
    /// When the URL or the token cannot be used.
    pub(crate) fn new(url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let bad = || ClientError::BadUrl { url: url.to_owned() };
        let base = Url::parse(url).map_err(|_| bad())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(bad());
        }
        let is_token = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        if !token.as_ref().is_none_or(is_token) {
            return Err(ClientError::BadToken);
        }
        // A redirect could carry the token to another host.
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("sop/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls()?);
        if let Some(host) = base.host_str().filter(|host| host.ends_with(".localhost")) {
            // Resolvers differ on such names. Source: RFC 6761, section 6.3.
            builder = builder.resolve(host, ([127, 0, 0, 1], 0).into());
        }
        let http = builder.build().map_err(|error| ClientError::Setup(error.into()))?;
        Ok(Self { base, token, http })
    }

    /// The answer to `ask`, as `T`.
    ///
    /// # Errors
    /// [`ClientError`]: no answer, a refusal, or an answer of another shape.
    pub(crate) async fn send<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, ClientError> {
        let url = self.url(&ask);
        let answer = match self.exchange(&ask, &url).await {
            // The request may have arrived although its answer did not: the same again is the same.
            Err(ClientError::Unreachable { source, .. })
                if ask.is_repeatable() && !source.is_connect() && !source.is_timeout() =>
            {
                self.exchange(&ask, &url).await?
            }
            answered => answered?,
        };
        serde_json::from_slice(&answer)
            .map_err(|error| ClientError::Foreign { url: shown(&url), found: error.to_string() })
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        url
    }

    async fn exchange(&self, ask: &Ask<'_>, url: &Url) -> Result<Vec<u8>, ClientError> {
        let unreachable = |source: reqwest::Error| ClientError::Unreachable {
            url: shown(&self.base),
            source: source.without_url(),
        };
        let mut request = self.http.request(ask.method.clone(), url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &ask.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let found = format!("more than {ANSWER_BYTES_MAX} bytes");
                return Err(ClientError::Foreign { url: shown(url), found });
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(body);
        }
        Err(ClientError::Refused(problem(status, retry_after, &body)))
    }
}

/// Reads a part of an answer.
///
/// # Errors
/// [`ClientError::Foreign`] when it has another shape.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, ClientError> {
    T::deserialize(value).map_err(|error| ClientError::Foreign {
        url: "the host".to_owned(),
        found: error.to_string(),
    })
}

fn problem(status: StatusCode, retry_after: Option<u64>, body: &[u8]) -> Problem {
    let body: Value = serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    let member = |name: &str| body.get(name).and_then(Value::as_str).map(printable);
    let detail = member("detail").or_else(|| member("title")).or_else(|| member("message"));
    let detail = detail.unwrap_or_else(|| {
        let said = body.as_str().unwrap_or_default().trim();
        let said: String = printable(said).chars().take(NO_DETAIL_CHARS).collect();
        if said.is_empty() { "the server refused without saying why".to_owned() } else { said }
    });
    let code = member("code").unwrap_or_default();
    Problem { status: status.as_u16(), code, detail, retry_after, body }
}

/// A URL for people: without what might be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.set_password(None).is_err() || url.set_username("").is_err() {
        return url.scheme().to_owned();
    }
    url.as_str().trim_end_matches('/').to_owned()
}

fn tls() -> Result<rustls::ClientConfig, ClientError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Setup(error.into()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
