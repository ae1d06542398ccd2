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
