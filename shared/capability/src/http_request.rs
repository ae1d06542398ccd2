//! `http.request`: one request, and what came back.
//!
//! `with`: `url`, `method` (`GET`), `headers`, `body`, `expect_status` (any 2xx), `timeout_ms` (30 000).
//! A text `body` is sent as it is, anything else as JSON; without one POST, PUT and PATCH send the step's
//! own input. `Idempotency-Key` is the step's key, the same however often the request is made.
//!
//! Redirects are followed on the same scheme, host and port only: what the request carries was meant for
//! that host. Any other is an answer like every other, judged by its status.

mod answer;
mod ask;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Url, header};
use serde_json::Value;
use sop_core::Timestamp;
use sop_runtime::flow::Call;

use crate::http_request::ask::Ask;

/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;

/// How long a notice may take: whoever is told answers first and works later.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes requests over HTTP.
#[derive(Debug, Default)]
pub struct Client {
    follows: OnceLock<reqwest::Client>,
    stays: OnceLock<reqwest::Client>,
}

impl Client {
    /// Makes the request of `call` and gives `{"status", "headers", "body"}`.
    ///
    /// # Errors
    /// The reason names the host, and neither query nor headers.
    pub async fn perform(&self, call: &Call, now: Timestamp) -> Result<Value, String> {
        let ask = Ask::read(call, now)?;
        // Who expects a redirect wants to see it.
        let client = if ask.expect.is_redirect() {
            self.stays.get_or_init(|| client(Policy::none()))
        } else {
            self.follows.get_or_init(|| client(Policy::custom(same_origin)))
        };
        let mut request = client
            .request(ask.method.clone(), ask.url.clone())
            .headers(ask.headers.clone())
            .timeout(ask.timeout);
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| failed(&ask, &error))?;
        let status = response.status();
        if !ask.expect.holds(status.as_u16()) {
            let expected = &ask.expect;
            return Err(format!("`{}` answered {status}; expected {expected}", ask.host));
        }
        answer::read(response, &ask).await
    }

    /// Posts the JSON `body` with these headers; anything but 2xx is a failure, redirects among it.
    ///
    /// # Errors
    /// The reason names the host, and neither query nor headers.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<(), String> {
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or("the address is not an HTTP address")?;
        let host = ask::host(&url).ok_or("the address has no host")?;
        // What is told is told to this address: a redirect would carry it elsewhere.
        let client = self.stays.get_or_init(|| client(Policy::none()));
        let mut request = client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .timeout(NOTICE_TIMEOUT)
            .body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let sent = request.send().await.map_err(|error| broken(&host, NOTICE_TIMEOUT, &error))?;
        match sent.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("`{host}` answered {status}; expected 2xx")),
        }
    }
}

fn same_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let is_same = attempt.previous().first().is_some_and(|first| {
        (first.scheme(), first.host_str(), first.port_or_known_default())
            == (
                attempt.url().scheme(),
                attempt.url().host_str(),
                attempt.url().port_or_known_default(),
            )
    });
    if !is_same {
        return attempt.stop();
    }
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("too many redirects");
    }
    attempt.follow()
}

/// A client that trusts the public certificate authorities and keeps no connection: a function that was
/// frozen meanwhile would find it broken.
fn client(redirects: Policy) -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("sopwith/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
        .expect("the settings are constant and go together")
}

/// What went wrong, in words that hold no secret.
fn failed(ask: &Ask, error: &reqwest::Error) -> String {
    broken(&ask.host, ask.timeout, error)
}

fn broken(host: &str, timeout: Duration, error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("`{host}` did not answer within {} ms", timeout.as_millis());
    }
    if error.is_redirect() {
        return format!("`{host}` redirected more than {REDIRECTS_MAX} times");
    }
    if error.is_connect() {
        return format!("could not connect to `{host}`");
    }
    if error.is_builder() {
        return format!("the request to `{host}` is not well formed");
    }
    format!("the connection to `{host}` broke off")
}

#[cfg(test)]
mod tests;
