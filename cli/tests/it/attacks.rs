//! Hostile bytes on the socket of a real `sop dev`: the part of the corpus that only a server can refuse.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::house::{Caller, House};

const TOML: &str = "[sop]\nname = \"alert\"\ndescription = \"a\"\n[[triggers]]\ntype = \"webhook\"\n\
    path = \"/sop/alert\"\n";

/// Of those for the wire; there are more for the router.
const ATTACKS_MIN: usize = 30;

#[test]
fn no_bytes_on_the_wire_start_anything() {
    let house = House::new("alert", TOML, "## Steps\n1. **Look** - Look.\n");
    let mut server = house.start_logged();
    let token = house.token();
    let corpus = include_str!("../../../shared/http/tests/attacks.json");
    let corpus: Value = serde_json::from_str(corpus).expect("a corpus");
    let attacks = corpus["wire"].as_array().expect("attacks");
    assert!(attacks.len() >= ATTACKS_MIN);
    for attack in attacks {
        let is = attack["is"].as_str().expect("a name");
        let text = attack["bytes"].as_str().expect("bytes").replace("{token}", token.trim());
        let bytes: Vec<u8> =
            text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect();
        let answer = sent(house.port, &bytes, attack["closes"] == true);
        let status = answer.split(' ').nth(1).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        let wanted = attack["status"].as_array().expect("statuses");
        assert!(wanted.iter().any(|it| *it == status), "{is}: {status} {answer}");
        assert!(!answer.contains(token.trim()), "{is}: the token came back");
        if attack["once"] == true {
            // What was hidden in the body is not taken for another request: the connection ends.
            assert!(answer.contains("connection: close"), "{is}: {answer}");
        }
    }
    let (status, _) = Caller::new(house.port, &token).call("GET", "/healthz", None, "");
    assert_eq!(status, 200, "it still serves");
    assert_eq!(house.list("runs"), Vec::<Value>::new());
    assert_eq!(house.list("events"), Vec::<Value>::new());
    assert!(server.log().iter().all(|line| !line.to_string().contains(token.trim())));
    server.kill();
    println!("{} hostile connections refused", attacks.len());
}

/// The head of what comes back, or nothing when the connection is closed without it. A client that `closes`
/// sends no more.
fn sent(port: u16, bytes: &[u8], closes: bool) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    // It may be refused, and closed, before all of it is out.
    drop(stream.write_all(bytes));
    if closes {
        drop(stream.shutdown(Shutdown::Write));
    }
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
