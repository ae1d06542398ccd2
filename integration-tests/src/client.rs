//! An HTTP client of one deployment.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::Value;

/// How long a request may take, a function's cold start on a busy machine included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where requests go, and as whom.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    host: Option<String>,
    token: Option<String>,
    second_layer: Option<String>,
}

/// A request that is being put together.
#[derive(Debug)]
#[must_use]
pub struct Request(reqwest::RequestBuilder);

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Content-Type`, or nothing.
    pub content_type: String,
    /// `Retry-After` in seconds, when it was given.
    pub retry_after: Option<u64>,
    /// The body, when it is JSON; else its text.
    pub body: Value,
}

impl Client {
    /// A client of `base_url` without a token. `host` is the `Host` header, when it differs.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base_url: &str, host: Option<&str>) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let (base_url, host) = (base_url.to_owned(), host.map(str::to_owned));
        Ok(Self { http, base_url, host, token: None, second_layer: None })
    }

    /// The same client with `token`.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client without a token.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same client with `secret` for the layer before the webhooks; `None` shows nothing.
    #[must_use]
    pub fn with_second_layer(&self, secret: Option<&str>) -> Self {
        Self { second_layer: secret.map(str::to_owned), ..self.clone() }
    }

    /// A request for `path`, which begins with a slash and is sent as it is.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        if let Some(host) = &self.host {
            request = request.header("host", host);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(secret) = &self.second_layer {
            request = request.header("x-webhook-secret", secret);
        }
        Request(request)
    }

    /// Gets `path`, which has to answer 200, and returns the body.
    ///
    /// # Errors
    /// When it answers anything else.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.request(Method::GET, path).send().await?.expect(200)
    }

    /// Posts `body` to `path`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.request(Method::POST, path).json(body).send().await
    }
}

impl Request {
    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Sends `body` as JSON.
    pub fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    /// Sends `body` as it is, as what says it is JSON.
    pub fn text(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", "application/json").body(body))
    }

    /// Sends it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(self) -> Result<Answer> {
        let response = self.0.send().await.context("no answer")?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header("content-type").unwrap_or_default().to_owned();
        let retry_after = header("retry-after").and_then(|secs| secs.parse().ok());
        let status = response.status().as_u16();
        let text = response.text().await.context("the body broke off")?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, content_type, retry_after, body })
    }
}

impl Answer {
    /// The body, when the status is `status`.
    ///
    /// # Errors
    /// When it is another.
    pub fn expect(self, status: u16) -> Result<Value> {
        if self.status != status {
            bail!("answered {} where {status} was due: {}", self.status, self.body);
        }
        Ok(self.body)
    }

    /// Checks that this is the problem `code` with `status`, in the form of RFC 9457.
    ///
    /// # Errors
    /// When it is not.
    pub fn expect_problem(self, status: u16, code: &str) -> Result<Value> {
        let content_type = self.content_type.clone();
        let body = self.expect(status)?;
        if content_type != "application/problem+json" {
            bail!("a problem came as `{content_type}`: {body}");
        }
        let members = ["type", "title", "detail"];
        if body["code"] != code
            || body["status"] != status
            || members.iter().any(|name| !body[*name].is_string())
        {
            bail!("not the problem `{code}` with status {status}: {body}");
        }
        Ok(body)
    }
}
