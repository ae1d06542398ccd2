use super::*;

const NOW: i64 = 1_531_420_618_000;

/// Headers, body, secrets; each case is told from the one that verifies.
struct Case {
    scheme: Scheme,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
    secrets: Vec<String>,
    now: i64,
}

impl Case {
    fn new(
        scheme: Scheme,
        headers: &[(&'static str, &str)],
        body: &'static str,
        key: &str,
    ) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { scheme, headers, body, secrets: vec![key.to_owned()], now: NOW }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn check(&self) -> Result<Verified, Unverified> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let now = Timestamp::from_millis(self.now);
        let arrived = Arrived { headers: &headers, body: self.body.as_bytes(), now };
        verify(self.scheme, &arrived, &self.secrets, TOLERANCE_SECS)
    }
}

/// Source: GitHub, validating webhook deliveries, testing the validation.
fn github() -> Case {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = [("x-hub-signature-256", signature), ("x-github-delivery", "72d3162e")];
    Case::new(Scheme::Github, &headers, "Hello, World!", "It's a Secret to Everybody")
}

/// Source: Slack, verifying requests from Slack, the example of its page.
fn slack() -> Case {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
        response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let headers = [("x-slack-request-timestamp", "1531420618"), ("x-slack-signature", signature)];
    Case::new(Scheme::Slack, &headers, body, "8f742231b10e8888abcd99yyyzzz85a5")
}

/// Source: Standard Webhooks 1.0, the example of its specification.
fn standard() -> Case {
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let case = Case::new(Scheme::StandardWebhooks, &headers, "{\"test\": 2432232314}", secret);
    Case { now: 1_614_265_330_000, ..case }
}

fn stripe() -> Case {
    let body = "{\"id\":\"evt_1\"}";
    let now = Timestamp::from_millis(NOW);
    let headers = sign(Scheme::Stripe, "whsec_stripe", "", now, body.as_bytes()).unwrap();
    let value = headers[0].1.replace("v1=", "v0=00,v1=");
    Case::new(Scheme::Stripe, &[("stripe-signature", &value)], body, "whsec_stripe")
}

fn all() -> [Case; 4] {
    [github(), slack(), standard(), stripe()]
}

#[test]
fn published_examples_verify() {
    let deliveries = all().map(|case| case.check().map(|it| it.delivery).unwrap());
    assert_eq!(deliveries[0], "72d3162e");
    assert_eq!(deliveries[1].len(), 64, "a digest of what was signed");
    assert_eq!(deliveries[2], "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(deliveries[3], "evt_1");
}

#[test]
fn a_changed_body_or_another_secret_is_wrong() {
    for case in all() {
        let name = case.scheme;
        let changed = Case { body: "{\"id\":\"evt_2\"}", ..case };
        assert_eq!(changed.check(), Err(Unverified::Wrong), "{name:?}");
    }
    for case in all() {
        let other = Case { secrets: vec!["whsec_b3RoZXI=".into()], ..case };
        assert_eq!(other.check(), Err(Unverified::Wrong), "{:?}", other.scheme);
        let none = Case { secrets: Vec::new(), ..other };
        assert_eq!(none.check(), Err(Unverified::Wrong), "{:?}", none.scheme);
    }
}

#[test]
fn the_old_and_the_new_secret_are_tried() {
    for case in all() {
        let right = case.secrets[0].clone();
        for secrets in [vec!["b2xk".into(), right.clone()], vec![right, "bmV3".into()]] {
            let case =
                Case { secrets, ..all().into_iter().find(|it| it.scheme == case.scheme).unwrap() };
            assert!(case.check().is_ok(), "{:?}", case.scheme);
        }
    }
}

#[test]
fn time_is_looked_at_where_it_is_signed() {
    for (off_ms, is_in_time) in [
        (0, true),
        (300_000, true),
        (300_999, true),
        (301_000, false),
        (-300_000, true),
        (-301_000, false),
    ] {
        for case in all() {
            let case = Case { now: case.now + off_ms, ..case };
            let timeless = case.scheme == Scheme::Github;
            match case.check() {
                Ok(found) => {
                    assert!(is_in_time || timeless);
                    // What could be sent again is remembered for as long.
                    assert_eq!(found.replayable_ms, (!timeless).then_some(301_000 - off_ms));
                }
                Err(error) => {
                    assert!(!is_in_time && !timeless, "{:?} {off_ms}", case.scheme);
                    assert_eq!(error, Unverified::Late { tolerance_secs: TOLERANCE_SECS });
                }
            }
        }
    }
}

#[test]
fn a_missing_and_a_doubled_header_are_named() {
    for case in all() {
        for at in 0..case.headers.len() {
            let name = case.headers[at].0;
            if name == "x-github-delivery" {
                continue;
            }
            let fresh = all().into_iter().find(|it| it.scheme == case.scheme).unwrap();
            let mut headers = fresh.headers.clone();
            headers.remove(at);
            let without = Case { headers, ..fresh };
            assert_eq!(without.check(), Err(Unverified::Missing { header: name }));
            let mut headers = case.headers.clone();
            headers.push(headers[at].clone());
            let fresh = all().into_iter().find(|it| it.scheme == case.scheme).unwrap();
            let twice = Case { headers, ..fresh };
            assert_eq!(twice.check(), Err(Unverified::Malformed { header: name }));
        }
    }
}

#[test]
fn what_is_not_in_form_is_malformed() {
    let valid = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let cases = [
        github().header("x-hub-signature-256", ""),
        github().header("x-hub-signature-256", valid),
        github().header("x-hub-signature-256", &format!("sha1={valid}")),
        github().header("x-hub-signature-256", "sha256="),
        github().header("x-hub-signature-256", "sha256=zz"),
        github().header("x-hub-signature-256", "sha256=757"),
        github().header("x-hub-signature-256", &format!("sha256={}", "0".repeat(130))),
        github().header("x-github-delivery", "\t"),
        stripe().header("stripe-signature", "t=1531420618"),
        stripe().header("stripe-signature", &format!("v1={valid}")),
        stripe().header("stripe-signature", &format!("t=,v1={valid}")),
        stripe().header("stripe-signature", &format!("t=-1,v1={valid}")),
        stripe().header("stripe-signature", &format!("t=1,t=1531420618,v1={valid}")),
        stripe().header("stripe-signature", &format!("t=9999999999999,v1={valid}")),
        stripe().header("stripe-signature", &format!("t=1531420618,v0={valid}")),
        stripe().header("stripe-signature", &format!("t=1{}", format!(",v1={valid}").repeat(9))),
        slack().header("x-slack-request-timestamp", "1531420618.0"),
        slack().header("x-slack-request-timestamp", "+1531420618"),
        slack().header("x-slack-signature", valid),
        slack().header("x-slack-signature", &format!("v1={valid}")),
        standard().header("webhook-id", "a.b"),
        standard().header("webhook-timestamp", "0x1"),
        standard().header("webhook-signature", "v1"),
        standard().header("webhook-signature", "v1,?"),
        standard().header("webhook-signature", "v1a,AAAA"),
    ];
    for case in cases {
        let found = case.check();
        assert!(
            matches!(found, Err(Unverified::Malformed { .. })),
            "{:?}: {found:?}",
            case.headers
        );
    }
    let short = github().header("x-hub-signature-256", "sha256=7571");
    assert_eq!(short.check(), Err(Unverified::Wrong), "a part of a signature is none");
}

#[test]
fn one_of_several_signatures_is_enough() {
    let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let both = format!("v1a,x v1,AAAA {right}");
    assert!(standard().header("webhook-signature", &both).check().is_ok());
    let value = stripe().headers[0].1.replace("v1=", &format!("v1={},v1=", "00".repeat(32)));
    assert!(stripe().header("stripe-signature", &value).check().is_ok());
}

#[test]
fn a_secret_that_cannot_be_one_is_told_apart() {
    for secret in ["whsec_?", "whsec_", " "] {
        let case = Case { secrets: vec![secret.into()], ..standard() };
        assert_eq!(case.check(), Err(Unverified::BadSecret), "{secret}");
    }
}

#[test]
fn what_is_signed_verifies() {
    let now = Timestamp::from_millis(NOW);
    for scheme in [Scheme::Github, Scheme::Stripe, Scheme::Slack, Scheme::StandardWebhooks] {
        let headers = sign(scheme, "c2VjcmV0", "d-1", now, b"{}").unwrap();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let arrived = Arrived { headers: &headers, body: b"{}", now };
        assert!(verify(scheme, &arrived, &["c2VjcmV0".into()], 1).is_ok(), "{scheme:?}");
    }
}
