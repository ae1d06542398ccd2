//! What a command gets besides its own arguments.

use anyhow::Result;

use crate::args::{DEFAULT_URL, Format, Global};
use crate::client::Client;
use crate::credentials;
use crate::render::Screen;

/// Output, format, and the way to the host.
pub(crate) struct Context {
    pub(crate) format: Format,
    pub(crate) screen: Screen,
    url: String,
    token: Option<String>,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            format: global.format,
            screen: Screen::stdout(),
            // An environment that sets it to nothing means the default.
            url: match global.url.trim_end_matches('/') {
                "" => DEFAULT_URL.to_owned(),
                url => url.to_owned(),
            },
            token: global.token.clone().filter(|token| !token.is_empty()),
        }
    }

    /// The host's base URL, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_json(&self) -> bool {
        match self.format {
            Format::Json => true,
            Format::Text | Format::Toml | Format::Md => false,
        }
    }

    /// A client with the token for the host, where there is one.
    pub(crate) fn client(&self) -> Result<Client> {
        let token = match &self.token {
            Some(token) => Some(token.clone()),
            None => credentials::find(&self.url)?,
        };
        Ok(Client::new(&self.url, token)?)
    }

    /// A client that shows no token.
    pub(crate) fn client_without_token(&self) -> Result<Client> {
        Ok(Client::new(&self.url, None)?)
    }

    /// What a suggested command needs at its end to reach the same host.
    pub(crate) fn suffix(&self) -> String {
        let in_environment =
            std::env::var("SOP_URL").is_ok_and(|url| url.trim_end_matches('/') == self.url);
        if in_environment || self.url == DEFAULT_URL {
            String::new()
        } else {
            format!(" --url {}", self.url)
        }
    }
}
