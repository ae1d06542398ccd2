//! What devices send over MQTT to a real `sop dev`: whatever it is, the log of events has what is right,
//! the device is told, the process lives on.

mod client;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mqtt_proto::v5::{DisconnectReasonCode as Reason, Packet, PubackReasonCode as Ack};
use serde_json::Value;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_local::mqtt::{IN_FLIGHT_MAX, PACKET_BYTES_MAX};
use sop_local::store::Sqlite;
use sop_runtime::port::{Consumer, QueueName, SystemClock};

use crate::house::{House, PATIENCE, Server};
use client::{Client, Message};

const TOML: &str = "[sop]\nname = \"watch\"\ndescription = \"d\"\nexecution_mode = \"auto\"\n\n\
                    [[triggers]]\ntype = \"mqtt\"\ntopic = \"#\"\ncondition = \"$.severity >= 2\"\n\n\
                    [[triggers]]\ntype = \"peripheral\"\nboard = \"pump\"\nsignal = \"pressure\"\n";

const MARKDOWN: &str = "## Steps\n\n1. **Note**\n   - capability: noop\n";

/// An event of the log: source, subject, whether it started a run, size of its payload.
type Line = (String, String, bool, u64);

fn line(source: &str, subject: &str, matched: bool, payload: &[u8]) -> Line {
    (source.to_owned(), subject.to_owned(), matched, size(payload.len() as u64))
}

/// Bytes in threes: of what is in base 64 the log may count the padding.
fn size(bytes: u64) -> u64 {
    bytes.div_ceil(3)
}

fn house() -> House {
    House::new("watch", TOML, MARKDOWN)
}

/// Waits until there are as many events as `expected`, and sees that there are those; then that one more
/// message is dispatched, and that nothing else came of it all.
fn holds(house: &House, mut server: Server, mut expected: Vec<Line>) {
    let payload = br#"{"severity":3}"#;
    Client::v5(&server.mqtt, "witness").taken(1, &Message::new("witness", payload));
    expected.push(line("mqtt", "witness", true, payload));
    let started = Instant::now();
    let matched = expected.iter().filter(|line| line.2).count();
    let events = loop {
        let (events, runs) = (house.list("events"), house.list("runs"));
        let completed = runs.iter().filter(|run| run["status"] == "completed").count();
        if events.len() >= expected.len() && completed >= matched {
            assert_eq!(runs.len(), matched, "runs");
            break events;
        }
        assert!(started.elapsed() < PATIENCE, "{} events, {completed} runs", events.len());
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut found: Vec<Line> = events.iter().map(line_of).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    server.kill();
    let store = Sqlite::open(house.data().join("sop.db"), Arc::new(SystemClock)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for queue in [QueueName::Events, QueueName::Effects] {
        assert_eq!(store.backlog(queue).unwrap(), 0, "{queue:?}");
        let dead = runtime.block_on(store.dead_letters(queue, 10)).unwrap();
        assert!(dead.is_empty(), "{queue:?}: {dead:?}");
    }
}

fn line_of(event: &Value) -> Line {
    let text = |key: &str| event[key].as_str().unwrap().to_owned();
    let matched = event["outcome"] == "matched";
    let bytes = event["detail"]["payload_bytes"].as_u64().unwrap();
    (text("source"), text("subject"), matched, size(bytes))
}

/// What a device is told of a message that is not taken.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// The message is refused and the connection goes on; MQTT 3.1.1 has no words for it and ends.
    Refused(Ack),
    /// The connection ends.
    Ended(Reason),
}

fn not_taken() -> Vec<(Message, Told, &'static str)> {
    use Told::{Ended, Refused};
    let sized = |bytes: usize| vec![b'x'; bytes];
    let topic =
        |topic: &[u8]| Message { topic: topic.to_vec(), payload: b"{\"severity\":9}".to_vec() };
    let room = PACKET_BYTES_MAX - "big".len() - 2 - 2 - 1;
    let too_large = "the payload has 262145 bytes; at most 262144 are taken";
    let name = Ended(Reason::TopicNameInvalid);
    vec![
        (
            Message::new("big", &sized(PAYLOAD_BYTES_MAX + 1)),
            Refused(Ack::QuotaExceeded),
            too_large,
        ),
        (
            Message::new("big", &vec![0xff; PAYLOAD_BYTES_MAX + 1]),
            Refused(Ack::QuotaExceeded),
            too_large,
        ),
        (
            Message::new("peripherals/pump/pressure", &sized(PAYLOAD_BYTES_MAX + 1)),
            Refused(Ack::QuotaExceeded),
            too_large,
        ),
        (Message::new("big", &sized(room + 2)), Ended(Reason::PacketTooLarge), "too large"),
        (
            Message { topic: sized(65_535), payload: sized(PAYLOAD_BYTES_MAX) },
            Ended(Reason::PacketTooLarge),
            "too large",
        ),
        (topic(b"a/+"), name, "topic name"),
        (topic(b"a/#"), name, "topic name"),
        (topic(b"#"), name, "topic name"),
        (topic(b"peripherals/+/pressure"), name, "topic name"),
        (topic(b"peripherals/pump/\0"), name, "topic name"),
        (topic(b"a\0b"), name, "topic name"),
        (topic(b""), name, "topic name"),
        (topic(b"a/\xff"), Ended(Reason::MalformedPacket), "malformed"),
        (topic(b"a/\xed\xa0\x80"), Ended(Reason::MalformedPacket), "malformed"),
    ]
}

/// What is not taken leaves no event and no run; the device is told in its protocol's words, and the log
/// has one line of it.
#[test]
fn what_is_not_taken_leaves_a_line_in_the_log_and_nothing_else() {
    let house = house();
    let server = house.start_logged();
    let mut lines = 0;
    for (at, (message, told, why)) in not_taken().iter().enumerate() {
        let head = String::from_utf8_lossy(&message.topic[..message.topic.len().min(24)]);
        let name = format!("v5-{at}");
        let mut client = Client::v5(&server.mqtt, &name);
        client.publish(1, 7, message);
        match told {
            Told::Refused(reason) => {
                assert_eq!(client.read(), Some(client::puback(7, *reason)), "{head}");
                client.publish(2, 8, message);
                let Some(Packet::Pubrec(pubrec)) = client.read() else { panic!("no PUBREC") };
                assert_eq!(pubrec.reason_code as u8, *reason as u8, "{head}");
                client.publish(0, 0, message);
                client.pings();
                lines += 3;
            }
            Told::Ended(reason) => {
                assert_eq!(client.read(), Some(client::goodbye(*reason)), "{head}");
                assert_eq!(client.read(), None, "{head}");
                lines += 1;
            }
        }
        let old = format!("v3-{at}");
        assert_eq!(Client::v3(&server.mqtt, &old).last_words(1, message), b"", "{head}");
        lines += 1;
        for client in [name, old] {
            let logged = logged(&server, 1, |line| line["client"] == client.as_str());
            assert!(logged.iter().all(|line| line["level"] == "WARN"), "{head}: {logged:?}");
            let text = logged[0].to_string();
            assert!(text.contains(why) && text.len() < 1_000, "{head}: {text}");
        }
    }
    assert_eq!(server.log().len(), lines, "{:#?}", server.log());
    holds(&house, server, Vec::new());
}

/// The lines of the log that `are` meant, once there are `count`.
fn logged(server: &Server, count: usize, are: impl Fn(&Value) -> bool) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let mut lines = server.log();
        lines.retain(&are);
        if lines.len() >= count {
            return lines;
        }
        assert!(started.elapsed() < PATIENCE, "{count} lines of {:#?}", server.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Payloads that no condition can read: the event is there and starts nothing.
fn unreadable() -> Vec<Vec<u8>> {
    let number = format!("{{\"severity\":1{}}}", "0".repeat(400));
    vec![
        Vec::new(),
        b" ".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"{\"severity\":3".to_vec(),
        b"{\"severity\":\"3\"}".to_vec(),
        b"{\"severity\":1e999}".to_vec(),
        b"{\"severity\":-1e999}".to_vec(),
        b"{\"severity\":NaN}".to_vec(),
        b"{\"severity\":3,\"x\":\"\\ud800\"}".to_vec(),
        number.into_bytes(),
        "[".repeat(100_000).into_bytes(),
        format!("{{\"severity\":3,\"x\":{}{}}}", "[".repeat(200), "]".repeat(200)).into_bytes(),
        "{\"severity\":".repeat(20_000).into_bytes(),
        vec![b'x'; PAYLOAD_BYTES_MAX],
        vec![0; PAYLOAD_BYTES_MAX],
        vec![0xff; PAYLOAD_BYTES_MAX],
    ]
}

/// What is odd and yet right is an event as it came, and starts only what it matches.
#[test]
fn what_is_odd_but_right_is_an_event_as_it_came() {
    let house = house();
    let server = house.start_logged();
    let mut client = Client::v5(&server.mqtt, "odd");
    let mut expected = Vec::new();
    for payload in unreadable() {
        client.taken(1, &Message::new("odd", &payload));
        expected.push(line("mqtt", "odd", false, &payload));
    }
    let severe = br#"{"severity":3}"#;
    let long = "x".repeat(65_535);
    let topics: [(&str, bool); 14] = [
        // A filter that begins with a wildcard matches no topic that begins with `$`.
        ("$SYS/broker/load", false),
        ("$aws/rules/watch", false),
        ("/", true),
        ("//", true),
        ("../../etc/passwd", true),
        ("a b\u{1b}[2J\n", true),
        ("\u{feff}é/🦆", true),
        ("peripherals/a", true),
        ("peripherals/a/", true),
        ("peripherals//x", true),
        ("peripherals/a/b/c", true),
        ("peripherals///", true),
        ("Peripherals/pump/pressure", true),
        (&long, true),
    ];
    for (topic, matched) in topics {
        client.taken(1, &Message::new(topic, severe));
        expected.push(line("mqtt", topic, matched, severe));
    }
    for payload in [&b""[..], b"\xff\xfe"] {
        // An uplink is two events: of the board, and of the topic.
        client.taken(2, &Message::new("peripherals/pump/pressure", payload));
        expected.push(line("peripheral", "pump/pressure", true, payload));
        expected.push(line("mqtt", "peripherals/pump/pressure", false, payload));
    }
    client.taken(1, &Message::new("peripherals/pump/level", severe));
    expected.push(line("peripheral", "pump/level", false, severe));
    expected.push(line("mqtt", "peripherals/pump/level", true, severe));
    assert_eq!(server.log(), Vec::<Value>::new());
    holds(&house, server, expected);
}

/// A device that sends more than is taken in at once, and reads nothing meanwhile, is served in its
/// order, and so is another meanwhile.
#[test]
fn a_flood_is_taken_whole_and_keeps_nobody_out() {
    let many = u16::try_from(16 * IN_FLIGHT_MAX).unwrap();
    let house = house();
    let server = house.start();
    let mut flood = Client::v5(&server.mqtt, "flood");
    let message = Message::new("flood", b"{}");
    for pid in 1..=many {
        flood.publish(1, pid, &message);
    }
    for _ in 0..many {
        flood.publish(0, 0, &message);
    }
    Client::v5(&server.mqtt, "other").taken(1, &Message::new("other", b"{}"));
    for pid in 1..=many {
        assert_eq!(flood.read(), Some(client::puback(pid, Ack::Success)));
    }
    flood.pings();
    let mut expected = vec![line("mqtt", "flood", false, b"{}"); 2 * usize::from(many)];
    expected.push(line("mqtt", "other", false, b"{}"));
    holds(&house, server, expected);
}

/// While the disk takes nothing, no message is acknowledged; afterwards the device sends it again.
#[test]
fn what_could_not_be_stored_is_not_acknowledged() {
    let house = house();
    let server = house.start_logged();
    let message = Message::new("peripherals/pump/level", b"{}");
    server.let_write(false);
    for qos in [1, 2] {
        let mut client = Client::v5(&server.mqtt, "again");
        client.publish(qos, 7, &message);
        assert_eq!(client.read(), Some(client::goodbye(Reason::ServerBusy)), "{qos}");
        assert_eq!(client.read(), None, "{qos}");
    }
    assert_eq!(Client::v3(&server.mqtt, "old").last_words(1, &message), b"");
    // At most once is what such a message was promised.
    let mut client = Client::v5(&server.mqtt, "once");
    client.publish(0, 0, &message);
    client.pings();
    let not_accepted = |line: &Value| line["message"] == "mqtt message not accepted";
    assert_eq!(logged(&server, 4, not_accepted).len(), 4);
    assert_eq!(house.list("events"), Vec::<Value>::new());
    server.let_write(true);
    let mut client = Client::v5(&server.mqtt, "again");
    client.taken(1, &message);
    client.taken(2, &message);
    let expected = [("peripheral", "pump/level"), ("mqtt", "peripherals/pump/level")];
    let expected = expected.map(|(source, subject)| line(source, subject, false, b"{}"));
    holds(&house, server, [expected.clone(), expected].concat());
}
