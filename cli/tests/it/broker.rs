//! Brokers that restart while 5 000 messages are published, and brokers that cannot be reached.
//!
//! MQTT promises at least once: what was on its way comes again. The `key` of the trigger makes it once.

mod flood;
mod mosquitto;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{House, PATIENCE, Server};
use flood::{Flood, MESSAGES, RESTARTS};
use mosquitto::Mosquitto;

const TOML: &str = "[sop]\nname = \"once\"\ndescription = \"d\"\nexecution_mode = \"auto\"\n\n\
                    [[triggers]]\ntype = \"mqtt\"\ntopic = \"load/#\"\nkey = \"$.id\"\n";

const MARKDOWN: &str = "## Steps\n\n1. **Note**\n   - capability: noop\n";

fn house() -> House {
    House::new("once", TOML, MARKDOWN)
}

/// A port that is free; restarts listen at it again.
fn port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}: it did not happen in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until each id has its run, and sees that it has one, whatever came how often.
fn each_started_once(house: &House) {
    wait("the runs", || house.list("runs").len() >= MESSAGES);
    let (mut started, mut repeated) = (BTreeMap::new(), 0);
    for event in house.list("events") {
        let detail = &event["detail"];
        let payload: Value =
            serde_json::from_str(detail["payload"].as_str().unwrap_or_default()).unwrap();
        let id = payload["id"].as_u64().expect("an id");
        match detail["verdicts"][0]["reason"].as_str().unwrap_or_default() {
            "started" => *started.entry(id).or_insert(0) += 1,
            // Of a run; or of the event, where a kill came between its claim of the key and its run.
            reason if reason.starts_with("duplicate of ") => repeated += 1,
            reason => panic!("{id}: {reason}"),
        }
    }
    assert_eq!(started.len(), MESSAGES, "each message has a run");
    assert!(started.values().all(|times| *times == 1), "and one alone");
    assert_eq!(house.list("runs").len(), MESSAGES);
    eprintln!("{repeated} of {MESSAGES} messages came again");
}

/// `sop dev` is the broker, and is killed: its sessions are on the disk, so clients send again what was
/// not acknowledged, and what was safe already starts nothing.
#[test]
fn five_thousand_messages_survive_five_kills_of_our_server() {
    let (house, port) = (house(), port());
    let mut server = Some(house.start_with(port, None));
    let flood = Flood::start(port);
    for restart in 1..=RESTARTS {
        flood.wait_for(restart);
        if let Some(mut server) = server.take() {
            server.kill();
        }
        flood.go_on();
        server = Some(house.start_with(port, None));
    }
    flood.finish();
    each_started_once(&house);
    drop(server);
}

fn settings(port: u16) -> String {
    format!(
        "[channels_config.mqtt]\nbroker_url = \"mqtt://127.0.0.1:{port}\"\n\
         client_id = \"sop-test\"\nqos = 1\nuse_tls = false\n"
    )
}

/// `sop dev` is the client of a broker that restarts.
#[test]
fn five_thousand_messages_survive_five_restarts_of_a_broker_elsewhere() {
    let house = house();
    let mut broker = Mosquitto::start(house.path(), port());
    // No topics are named: it subscribes to what the active SOPs ask for.
    let server = house.start_with(0, Some(&settings(broker.port)));
    broker.wait_for_subscriber();
    let flood = Flood::start(broker.port);
    for restart in 1..=RESTARTS {
        flood.wait_for(restart);
        flood.go_on();
        broker.restart();
    }
    flood.finish();
    each_started_once(&house);
    drop(server);
}

fn told(server: &Server) -> String {
    let mut found = String::new();
    wait("a line of the log", || {
        let lost = |line: &Value| line["message"] == "mqtt broker lost";
        let log = server.log();
        let line = log.iter().find(|line| lost(line));
        line.is_some_and(|line| {
            found = line["help"].as_str().unwrap_or_default().to_owned();
            true
        })
    });
    found
}

/// Seed 002, section 6: MQTT connection errors, each with the message that leads to its fix.
#[test]
fn a_broker_that_cannot_be_spoken_to_is_told_with_the_remedy() {
    let house = house();
    let broker = Mosquitto::start(house.path(), port());
    let secured = Mosquitto::start_tls(house.path(), port(), false);
    let asking = Mosquitto::start_tls(house.path(), port(), true);
    let nobody = port();
    let url = |scheme: &str, port: u16, more: &str| {
        format!(
            "[channels_config.mqtt]\nbroker_url = \"{scheme}://localhost:{port}\"\n\
             client_id = \"sop-test\"\n{more}"
        )
    };
    let ca = |broker: &Mosquitto| format!("ca_file = \"{}\"\n", broker.ca().display());
    for (config, help) in [
        (url("mqtt", nobody, ""), "nothing listens there"),
        (url("mqtts", broker.port, ""), "write `mqtt://` and `use_tls = false`"),
        (url("mqtt", secured.port, ""), "write `mqtts://` and `use_tls = true`"),
        (url("mqtts", secured.port, ""), "name its authority's in `ca_file`"),
        (url("mqtts", asking.port, &ca(&asking)), "in `cert_file` and `key_file`"),
    ] {
        let server = house.start_with(0, Some(&config));
        let told = told(&server);
        assert!(told.contains(help), "{config}: {told}");
    }
    let own = ca(&asking)
        + &format!("cert_file = \"{}\"\n", asking.file("cert.pem"))
        + &format!("key_file = \"{}\"\n", asking.file("key.pem"));
    for (broker, more) in [(&secured, ca(&secured)), (&asking, own)] {
        let server = house.start_with(0, Some(&url("mqtts", broker.port, &more)));
        broker.wait_for_subscriber();
        assert_eq!(server.log(), Vec::<Value>::new());
    }
}

/// Users of our own server: a client with the wrong password is told so, one without any is not let in,
/// and TLS is spoken where there is a certificate.
#[test]
fn our_server_asks_for_users_and_speaks_tls_where_it_is_told_to() {
    let house = house();
    // For its certificate alone.
    let secured = Mosquitto::start_tls(house.path(), port(), false);
    std::fs::create_dir_all(house.data()).unwrap();
    let secrets = house.data().join("secrets");
    std::fs::write(&secrets, "pump=s3cret\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&secrets, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let (certificate, key) = (secured.file("cert.pem"), secured.file("key.pem"));
    for tls in [false, true] {
        let files = format!("cert_file = \"{certificate}\"\nkey_file = \"{key}\"\n");
        let files = if tls { files } else { String::new() };
        let config = format!("[mqtt]\n{files}[mqtt.users]\npump-7 = \"pump\"\n");
        let port = port();
        let server = house.start_with(port, Some(&config));
        let ca = tls.then(|| secured.ca());
        for (user, password, is_in) in [
            (Some("pump-7"), "s3cret", true),
            (Some("pump-7"), "wrong", false),
            (Some("pump-8"), "s3cret", false),
            (None, "", false),
        ] {
            let answer = flood::connect(port, user.map(|user| (user, password)), ca.as_deref());
            let refused = "BadUserNamePassword";
            assert_eq!(answer, if is_in { "Success" } else { refused }, "{user:?} {password}");
        }
        if tls {
            assert!(flood::connect(port, Some(("pump-7", "s3cret")), None).starts_with("error"));
        }
        assert!(!format!("{:?}", server.log()).contains("s3cret"));
    }
}
