//! How often a client may call: a quota in each minute, counted in the store by all hosts together.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sop_core::id::Digest;
use sop_core::time::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{Clock, RateLimits};

/// Milliseconds of a window.
pub const WINDOW_MS: i64 = 60_000;

/// Clients that a host remembers as having had their quota.
const REMEMBERED_MAX: usize = 4_096;

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Whether this call is one of the quota.
    pub passed: bool,
    /// Calls in a window.
    pub quota: u32,
    /// Calls that are left in this window.
    pub remaining: u32,
    /// Seconds until the next window begins; at least 1.
    pub reset_secs: u64,
}

/// Clients whose quota is used up in the present window: asking the store again would cost and tell nothing.
#[derive(Debug, Default)]
pub struct Exhausted(Mutex<(Timestamp, BTreeSet<String>)>);

impl Exhausted {
    fn has(&self, window: Timestamp, client: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 == window && known.1.contains(client)
    }

    fn add(&self, window: Timestamp, client: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != window || known.1.len() >= REMEMBERED_MAX {
            *known = (window, BTreeSet::new());
        }
        known.1.insert(client.to_owned());
    }
}

/// What a caller is counted as: the holder of a token by it, others by their address. An IPv6 network of 64
/// bits is one client, since one caller has all of it.
pub(super) fn client(subject: Option<&str>, address: Option<IpAddr>) -> String {
    match (subject, address.map(|address| address.to_canonical())) {
        (Some(subject), _) => {
            format!("token/{}", &Digest::of(subject.as_bytes()).to_string()[..32])
        }
        (None, Some(IpAddr::V4(address))) => format!("ip/{address}"),
        (None, Some(IpAddr::V6(address))) => {
            let [a, b, c, d, ..] = address.segments();
            format!("ip/{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        (None, None) => "ip/unknown".to_owned(),
    }
}

/// Takes one call of `client` at `door`, if there is one left; `None` when calls there are not counted.
///
/// # Errors
/// When the store fails.
pub(super) async fn take<S: RateLimits, Q, C: Clock>(
    host: &Host<S, Q, C>,
    door: &str,
    client: &str,
    quota: u32,
) -> Result<Option<Rate>, FlowError> {
    if quota == 0 {
        return Ok(None);
    }
    let now = host.now();
    let window =
        Timestamp::from_millis(now.as_millis().div_euclid(WINDOW_MS).saturating_mul(WINDOW_MS));
    let left_ms = window.plus_millis(WINDOW_MS).millis_since(now);
    let rate = |passed, remaining| Rate {
        passed,
        quota,
        remaining,
        reset_secs: left_ms.unsigned_abs().div_ceil(1_000).max(1),
    };
    let counted = format!("{door}/{client}");
    if host.exhausted.has(window, &counted) {
        return Ok(Some(rate(false, 0)));
    }
    let until = window.plus_millis(2 * WINDOW_MS);
    let taken = host.store.take(&host.tenant, &counted, window, quota, until).await?;
    Ok(Some(match taken {
        Some(taken) => rate(true, quota.saturating_sub(taken)),
        None => {
            host.exhausted.add(window, &counted);
            rate(false, 0)
        }
    }))
}

/// Takes one try to pair of whoever is at `address`; `None` when tries are not counted.
///
/// # Errors
/// When the store fails.
pub async fn take_pairing<S: RateLimits, Q, C: Clock>(
    host: &Host<S, Q, C>,
    address: Option<IpAddr>,
) -> Result<Option<Rate>, FlowError> {
    take(host, "pair", &client(None, address), host.settings.gateway.pair_rate_limit_per_minute)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_a_token_or_a_place() {
        let by_address = |text: &str| client(None, text.parse().ok());
        assert_eq!(by_address("192.0.2.1"), "ip/192.0.2.1");
        assert_eq!(by_address("::ffff:192.0.2.1"), "ip/192.0.2.1");
        assert_eq!(by_address("2001:db8:1:2:3::4"), "ip/2001:db8:1:2::/64");
        assert_eq!(by_address("2001:db8:1:2::9"), by_address("2001:db8:1:2:3::4"));
        assert_eq!(client(None, None), "ip/unknown");
        let long = "ż".repeat(500);
        assert_eq!(client(Some(&long), None).len(), 38);
        assert_ne!(client(Some("a"), None), client(Some("b"), None));
    }

    #[test]
    fn what_is_remembered_ends_with_its_window() {
        let exhausted = Exhausted::default();
        let (first, second) = (Timestamp::from_millis(60_000), Timestamp::from_millis(120_000));
        exhausted.add(first, "a");
        assert!(exhausted.has(first, "a") && !exhausted.has(first, "b"));
        assert!(!exhausted.has(second, "a"));
        exhausted.add(second, "b");
        assert!(!exhausted.has(first, "a") && exhausted.has(second, "b"));
    }
}
