//! What an earlier build stored is read by this one: `sop dev` is started over its data.

use rusqlite::Connection;

use crate::house::House;
use crate::people::{HEAD, Person};

/// A store of format 2, as a dump.
const FORMAT_2: &str = include_str!("upgrade/format-2.sql");

#[test]
fn runs_that_were_under_way_go_on_after_an_upgrade() {
    let toml = format!("[sop]\nname = \"idle\"\n{HEAD}");
    let house = House::new("idle", &toml, "## Steps\n\n1. **Idle** — about.\n");
    std::fs::create_dir_all(house.data()).unwrap();
    let store = Connection::open(house.data().join("sop.db")).unwrap();
    store.execute_batch(FORMAT_2).unwrap();
    store.close().unwrap();
    let token = FORMAT_2.lines().find_map(|line| line.strip_prefix("-- token ")).unwrap();
    std::fs::write(house.data().join("token"), token).unwrap();
    let _server = house.start();

    // The token still opens the door, and every ledger proves what it proved.
    let anna = Person::with_token(&house, token);
    let runs = anna.json(&["runs"]);
    let runs = runs["runs"].as_array().unwrap();
    let of = |sop: &str, status: &str| -> Vec<String> {
        runs.iter()
            .filter(|run| run["sop"] == sop && run["status"] == status)
            .map(|run| run["run"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of("deploy-pipeline", "completed").len(), 1);
    assert_eq!(of("deploy-pipeline", "failed").len(), 1);
    assert_eq!(anna.does(&["audit", "verify", "--all"]).code, 0);
    anna.does(&["trace", &of("deploy-pipeline", "completed")[0]]);

    // Both gates, one over a payload that has an item of its own, are decided by what the old build showed.
    let waiting = of("deploy-pipeline", "waiting");
    assert_eq!(waiting.len(), 2);
    for run in waiting {
        anna.does(&["approve", &run]);
        anna.until(&run, |run| run["status"] == "completed");
        assert!(anna.does(&["audit", "verify", &run]).out.contains("verified"));
    }
    // A step that waits for a person, of an SOP that this host no longer has.
    let by_hand = runs.iter().find(|run| run["sop"] == "refund-or-book" && run["step"] == 3);
    let run = by_hand.unwrap()["run"].as_str().unwrap();
    anna.does(&["complete", run]);
    anna.does(&["cancel", run, "--reason", "the books are closed"]);
    assert_eq!(anna.does(&["audit", "verify", "--all"]).code, 0);
}

#[test]
fn a_store_of_a_later_format_is_left_alone() {
    let house = House::new("idle", "", "");
    std::fs::create_dir_all(house.data()).unwrap();
    let path = house.data().join("sop.db");
    let store = Connection::open(&path).unwrap();
    store.execute_batch(&FORMAT_2.replace("user_version = 2", "user_version = 99")).unwrap();
    store.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let said = crate::cli::Place::new().sop_cli(&[
        "dev",
        "--port",
        "0",
        "--mqtt-port",
        "0",
        "--data",
        house.data().to_str().unwrap(),
    ]);
    assert!(said.code != 0 && said.err.contains("format 99"), "{said:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
