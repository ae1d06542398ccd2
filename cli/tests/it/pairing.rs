//! Tokens: got by pairing, kept in private, found again.

use std::fs;

use serde_json::json;

use crate::cli::Place;
use crate::stub::{Stub, problem};

fn host() -> Stub {
    Stub::routes(vec![
        ("POST /pair", 200, json!({ "paired": true, "token": "s3cret", "subject": "device-1" })),
        ("POST /api/pairing-codes", 201, json!({ "code": "482913", "expires_in_secs": 600 })),
        ("GET /api/runs", 200, json!({ "runs": [] })),
    ])
}

#[test]
fn a_token_is_printed_kept_in_private_and_used_from_then_on() {
    let place = Place::new();
    let host = host();
    let said = place.sop_cli(&["pair", "482913", "--url", &host.url]);
    assert_eq!((said.code, said.out.as_str()), (0, "s3cret\n"), "{said:?}");
    assert_eq!(host.asked()[0].header("x-pairing-code"), Some("482913"));
    assert_eq!(host.asked()[0].header("authorization"), None);
    let kept = place.path().join("config/sop/credentials.toml");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(place.sop_cli(&["runs", "--url", &format!("{}/", host.url)]).code, 0);
    assert_eq!(host.asked()[1].header("authorization"), Some("Bearer s3cret"));
    let said = place.sop_cli(&["pair", "--new", "--url", &host.url]);
    assert_eq!((said.code, said.out.as_str()), (0, "482913\n"));
    fs::write(&kept, "s3cret = oops").unwrap();
    let said = place.sop_cli(&["runs", "--url", &host.url]);
    assert!(said.code == 2 && !said.err.contains("s3cret"), "{said:?}");
}

#[test]
fn one_token_goes_before_another() {
    let place = Place::new();
    let host = host();
    let bearer = |set: fn(&mut std::process::Command)| {
        let mut command = place.command(&["runs", "--url", &host.url]);
        set(&mut command);
        assert!(command.output().unwrap().status.success());
        host.asked().last().unwrap().header("authorization").map(str::to_owned)
    };
    assert_eq!(bearer(|_| ()), None);
    place.write(".sop/token", "local\n");
    assert_eq!(bearer(|_| ()).as_deref(), Some("Bearer local"));
    assert_eq!(place.sop_cli(&["pair", "482913", "--url", &host.url]).code, 0);
    assert_eq!(bearer(|_| ()).as_deref(), Some("Bearer s3cret"));
    let from_environment = |command: &mut std::process::Command| {
        command.env("SOP_TOKEN", "env");
    };
    assert_eq!(bearer(from_environment).as_deref(), Some("Bearer env"));
    let from_flag = |command: &mut std::process::Command| {
        command.env("SOP_TOKEN", "env").args(["--token", "flag"]);
    };
    assert_eq!(bearer(from_flag).as_deref(), Some("Bearer flag"));
}

#[test]
fn a_wrong_code_is_refused_and_keeps_nothing() {
    let place = Place::new();
    let host = Stub::start(|_| {
        (429, "retry-after: 42\r\n", problem(429, "locked", "too many wrong codes").to_string())
    });
    let said = place.sop_cli(&["pair", "000000", "--url", &host.url]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("try again in 42 s"), "{said:?}");
    assert!(!place.path().join("config").exists());
    assert_eq!(place.sop_cli(&["pair", "a\r\nb", "--url", &host.url]).code, 2);
}

#[test]
fn tokens_are_listed_and_taken_back() {
    let place = Place::new();
    let token = |id: &str, revoked: serde_json::Value| {
        json!({ "id": id, "subject": "ci", "role": "ingress", "issued_at": "2026-03-01T08:00:00Z",
            "expires_at": "2026-05-30T08:00:00Z", "revoked_at": revoked })
    };
    let gone = token("0123456789abcdef", json!("2026-03-02T08:00:00Z"));
    let host = Stub::routes(vec![
        (
            "GET /api/tokens",
            200,
            json!({ "tokens": [token("fedcba9876543210", json!(null)), gone], "next_cursor": null }),
        ),
        ("DELETE /api/tokens/0123456789abcdef", 200, json!({ "token": gone })),
        ("POST /api/pairing-codes", 201, json!({ "code": "482913", "expires_in_secs": 600 })),
    ]);
    let sop = |args: &[&str]| place.sop_cli(&[args, &["--url", &host.url]].concat());
    let said = sop(&["pair", "--list"]);
    assert_eq!(said.code, 0, "{said:?}");
    for part in ["fedcba9876543210", "ingress", "2026-05-30T08:00:00Z", "taken back 2026-03-02"] {
        assert!(said.out.contains(part), "{said:?}");
    }
    let said = sop(&["pair", "--revoke", "0123456789abcdef"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "0123456789abcdef of ci opens nothing any more\n")
    );
    let asked = ["pair", "--new", "--role", "ingress", "--expires", "90d", "--subject", "ci"];
    assert_eq!(sop(&asked).code, 0);
    let body: serde_json::Value = serde_json::from_str(&host.asked().last().unwrap().body).unwrap();
    assert_eq!(body, json!({ "role": "ingress", "expires_in": "90d", "subject": "ci" }));
    for wrong in
        [&["pair", "--list", "--new"][..], &["pair", "--role", "viewer"], &["pair", "1", "--list"]]
    {
        assert_eq!(sop(wrong).code, 2, "{wrong:?}");
    }
}
