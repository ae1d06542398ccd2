use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use sop_core::id::{RunId, Tenant};
use sop_runtime::port::{Append, Consumer, Journal, Message, Queue, QueueName};
use sop_testkit::ids::{EPOCH, fresh_run, sealed, sop};

use crate::real;

/// How often the process is killed.
const KILLS: usize = 3;

/// Acknowledged writes after which it is killed.
const WRITES: usize = 300;

/// Whatever was acknowledged before a SIGKILL, in the middle of writing, is there afterwards.
#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sop.db");
    let mut acknowledged = BTreeSet::new();
    for kill in 1..=KILLS {
        let before = acknowledged.len();
        acknowledged.extend(write_until_killed(&path));
        assert!(acknowledged.len() >= before + WRITES, "{} after kill {kill}", acknowledged.len());
        let store = real(&path);
        let mut held = BTreeSet::new();
        loop {
            let messages = store.receive(QueueName::Effects, 500, 600_000).await.unwrap();
            if messages.is_empty() {
                break;
            }
            held.extend(messages.into_iter().map(|message| message.body));
        }
        for id in &acknowledged {
            let run = RunId::parse(id).unwrap();
            let entry = store.latest(&run).await.unwrap().expect("the entry is there");
            assert_eq!(entry.seq, 1, "both entries of {id} are there");
            assert!(held.contains(id), "the message of {id} is there");
        }
    }
}

/// Runs [`writer`] in a process of its own, kills it and returns the ids that it acknowledged.
fn write_until_killed(path: &Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::writer", "--ignored", "--nocapture"])
        .env("SOP_TEST_STORE", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut ids = Vec::new();
    let mut line = String::new();
    // What it wrote before it was killed is read to the end; a line without an end was not written.
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some((_, id)) = line.trim_end_matches('\n').split_once("durable ")
            && line.ends_with('\n')
        {
            ids.push(id.to_owned());
            if ids.len() == WRITES {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    assert!(!child.wait().unwrap().success(), "it was to be killed, not to end");
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `what_was_acknowledged_survives_a_kill` in a process of its own"]
async fn writer() {
    let Some(path) = std::env::var_os("SOP_TEST_STORE") else { return };
    let store = real(Path::new(&path));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                // Bounded, so that it ends should nobody kill it.
                for _ in 0..20_000 {
                    let run = fresh_run(&Tenant::default(), &sop("kill"), EPOCH);
                    for seq in 0..2 {
                        let entry = sealed(&run, seq, "input");
                        let answer = store.append(&entry, None).await.unwrap();
                        assert_eq!(answer, Append::Appended);
                    }
                    let message = Message { body: run.to_string(), delay_secs: 0 };
                    store.send(QueueName::Effects, &[message]).await.unwrap();
                    writeln!(std::io::stdout().lock(), "durable {run}").unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
