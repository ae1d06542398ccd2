use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use sop_core::id::{Digest, Tenant};
use sop_local::{OpenError, Sqlite};
use sop_runtime::port::SystemClock;
use sop_runtime::port::{
    Blobs, Claim, CronCursor, EventLog, Idempotency, LogLine, LogQuery, Waiting, Waits,
};
use sop_testkit::ids::{EPOCH, fresh_event, fresh_run, sop};

use crate::real;

fn refusal(path: &Path) -> OpenError {
    Sqlite::open(path, Arc::new(SystemClock)).expect_err("the store must not open")
}

fn connection(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    let digest = Digest::of(b"text");
    for expected in [None, Some("text")] {
        let store = real(&path);
        assert_eq!(store.blob(&digest).await.unwrap().as_deref(), expected);
        store.put_blob(&digest, "text").await.unwrap();
    }
    assert!(!path.with_extension("db-wal").exists(), "a closed store is one file");
}

/// A change whose caller went away, after it was asked for, is made before the store closes.
#[tokio::test]
async fn closing_waits_for_the_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    let store = real(&path);
    for to in 1..=50 {
        let tenant = Tenant::default();
        let mut change = Box::pin(store.advance(&tenant, EPOCH.plus_millis(to)));
        // Asked once, it is on its way; then nobody waits for it any more.
        drop(futures_util::future::poll_immediate(&mut change).await);
    }
    drop(store);
    let there = real(&path).last_check(&Tenant::default()).await.unwrap();
    assert_eq!(there, Some(EPOCH.plus_millis(50)));
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    let store = real(&path);
    let error = refusal(&path);
    assert!(matches!(error, OpenError::InUse { .. }));
    assert_eq!(error.to_string(), format!("another `sop dev` has `{}`", path.display()));
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "open::other_process", "--ignored", "--nocapture"])
        .env("SOP_TEST_STORE", &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(other.status.success() && said.contains("refused: another `sop dev` has"), "{said}");
    drop(store);
    drop(real(&path));
}

#[test]
#[ignore = "run by `a_second_process_is_refused` in a process of its own"]
fn other_process() {
    let Some(path) = std::env::var_os("SOP_TEST_STORE") else { return };
    println!("refused: {}", refusal(Path::new(&path)));
}

#[test]
fn a_newer_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    drop(real(&path));
    connection(&path).pragma_update(None, "user_version", 7).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Newer { found: 7, newest: 2, .. }), "{error:?}");
    assert!(error.to_string().ends_with("has format 7; this build reads up to 2"));
}

/// What an older build wrote is told as such and stays as it is, to the byte.
#[test]
fn an_older_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    let old = connection(&path);
    old.execute_batch(
        "PRAGMA application_id = 0x534f5057;
         PRAGMA user_version = 1;
         CREATE TABLE head (run TEXT NOT NULL UNIQUE, attention TEXT NOT NULL) STRICT;
         INSERT INTO head VALUES ('r', 'due');",
    )
    .unwrap();
    drop(old);
    let bytes = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Older { found: 1, oldest: 2, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("has format 1; this build reads from 2 on: move it away"), "{text}");
    assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
    fs::rename(&path, dir.path().join("old.db")).unwrap();
    drop(real(&path));
}

/// Whatever is not a store is told as such and stays as it is, to the byte.
#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    let other = dir.path().join("other.db");
    connection(&other).execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    let database = fs::read(&other).unwrap();
    let texts: [&[u8]; 4] = [b"x", b"these are my notes\n", &[0; 4_096], &database];
    for bytes in texts {
        fs::write(&path, bytes).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
        assert!(error.to_string().contains("is not a store of Sopwith"));
        assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    drop(real(&path));
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..2_000].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_path_that_cannot_be_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_path_buf(), dir.path().join("none/sop.db")] {
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let store = real(&dir.path().join("sop.db"));
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }
    drop(store);
}

#[tokio::test]
async fn what_has_expired_is_forgotten_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let store = real(&dir.path().join("sop.db"));
    let (tenant, key) = (Tenant::default(), Digest::of(b"wait"));
    for i in 0..5 {
        let (time, expires_at) = (EPOCH.plus_millis(i), EPOCH.plus_millis(1_000 + i));
        let line = LogLine {
            event: fresh_event(time),
            tenant: tenant.clone(),
            time,
            source: sop_core::Source::Cron,
            subject: "* * * * *".into(),
            outcome: "matched".into(),
            detail: "{}".into(),
            payload: None,
            expires_at,
        };
        store.record(&line).await.unwrap();
        let claim = store.claim(&tenant, &format!("k{i}"), "r", time, expires_at).await.unwrap();
        assert_eq!(claim, Claim::New);
        let waiting = Waiting { run: fresh_run(&tenant, &sop("w"), time), step: 1 };
        store.subscribe(&key, &waiting, expires_at).await.unwrap();
        // Noted again for a shorter time, it stays for as long as it was to.
        store.subscribe(&key, &waiting, EPOCH).await.unwrap();
    }
    // Three of five have expired; two of each are forgotten at a time.
    let now = EPOCH.plus_millis(1_002);
    for expected in [6, 3, 0] {
        assert_eq!(store.forget_expired(now, 2).await.unwrap(), expected);
    }
    let (since, until) = (EPOCH, now);
    let query = LogQuery { tenant, since, until, after: None, limit: 9 };
    assert_eq!(store.list(&query).await.unwrap().lines.len(), 2);
    assert_eq!(store.waiting(&key, 9).await.unwrap().len(), 2);
}
