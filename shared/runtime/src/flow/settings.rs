//! What an operator decides about a host, beyond its definitions.

/// How a host's doors behave. The default is what holds where nobody said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The webhook door.
    pub gateway: Gateway,
    /// The dispatch log.
    pub log: Log,
    /// SHA-256 of the template that the host was deployed by, where it was.
    pub template: Option<String>,
}

/// The webhook door, and pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Whether a webhook needs a bearer token unless its trigger says otherwise.
    pub require_pairing: bool,
    /// Webhook requests that one client may make in a minute; 0 for any number.
    /// Source: seed 002, section 5.
    pub webhook_rate_limit_per_minute: u32,
    /// Tries to pair that one address may make in a minute; 0 for any number.
    pub pair_rate_limit_per_minute: u32,
    /// Name of the secret that every webhook must show as `X-Webhook-Secret`, besides what its trigger asks for.
    pub webhook_secret: Option<String>,
    /// Whether the last address of `X-Forwarded-For` is the client's: only behind a proxy that sets it.
    pub trust_forwarded_for: bool,
}

/// The dispatch log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Days for which a line is kept.
    pub kept_days: u32,
    /// Lines of unmatched events that are written in a minute before the rest are counted; 0 for any number.
    pub unmatched_per_minute: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway: Gateway {
                require_pairing: true,
                webhook_rate_limit_per_minute: 60,
                pair_rate_limit_per_minute: 10,
                webhook_secret: None,
                trust_forwarded_for: false,
            },
            log: Log { kept_days: 30, unmatched_per_minute: 0 },
            template: None,
        }
    }
}
