//! Signatures of Standard Webhooks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a symmetric key begins with.
const KEY_PREFIX: &str = "whsec_";

/// `v1,` and the base 64 of the HMAC-SHA256 over `id.seconds.body`; `None` when the key is not base 64.
///
/// Source: Standard Webhooks, version 1.0.0, "Signature scheme".
pub fn signature(key: &str, id: &str, seconds: i64, body: &str) -> Option<String> {
    let key = key.trim();
    let key = STANDARD.decode(key.strip_prefix(KEY_PREFIX).unwrap_or(key)).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key has any length");
    for part in [id, ".", &seconds.to_string(), ".", body] {
        mac.update(part.as_bytes());
    }
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: Standard Webhooks, the example of its reference libraries.
    #[test]
    fn the_known_example() {
        let body = "{\"test\": 2432232314}";
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        for key in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"]
        {
            assert_eq!(
                signature(key, id, 1_614_265_330, body).as_deref(),
                Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
            );
        }
        assert_eq!(signature("whsec_not base 64!", id, 1, body), None);
    }
}
