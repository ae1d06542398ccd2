//! Clients over their limit, in real time: exactly the quota of each passes, and all that passed runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::house::{Caller, House, PATIENCE};

const TOML: &str = "[sop]\nname = \"alert\"\ndescription = \"a\"\nexecution_mode = \"auto\"\n\
    [[triggers]]\ntype = \"webhook\"\npath = \"/sop/alert\"\n";

const STEPS: &str =
    "## Steps\n1. **Note** - Note it.\n   - kind: capability\n   - capability: noop\n";

const CLIENTS: usize = 60;
const QUOTA: usize = 60;
/// Requests of each client: twice its quota.
const REQUESTS: u32 = 120;
const WINDOW: Duration = Duration::from_secs(60);

/// What one client was answered.
#[derive(Default)]
struct Tally {
    passed: usize,
    refused: usize,
    /// Refusals whose `Retry-After` was not the end of the minute.
    misled: usize,
}

fn since_minute() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now - Duration::from_secs(now.as_secs() / 60 * 60)
}

/// Takes a minute of real time, and so runs only when asked for: `--ignored sixty_clients`.
#[test]
#[ignore = "a minute of real time"]
fn sixty_clients_at_twice_their_limit() {
    let house = House::new("alert", TOML, STEPS);
    house.configure(
        "[gateway]\nwebhook_rate_limit_per_minute = 60\npair_rate_limit_per_minute = 0\n",
    );
    let mut server = house.start();
    let own = house.token();
    let tokens: Vec<String> = (0..CLIENTS).map(|number| paired(&house, &own, number)).collect();
    // A window is a minute of the clock.
    let mut wait = WINDOW - since_minute() + Duration::from_millis(100);
    if wait > WINDOW {
        wait -= WINDOW;
    }
    std::thread::sleep(wait);
    let started = Instant::now();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let clients: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(number, token)| {
                let port = house.port;
                scope.spawn(move || client(port, token, number, started))
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    let took = started.elapsed();
    assert!(took < WINDOW, "the requests took {took:?}: more than their window");
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let (passed, refused, misled) =
        (sum(|it| it.passed), sum(|it| it.refused), sum(|it| it.misled));
    println!("{CLIENTS} clients, {REQUESTS} requests each in {:.1} s", took.as_secs_f64());
    println!("passed {passed}, refused {refused}, with a wrong `Retry-After` {misled}");
    assert!(tallies.iter().all(|it| it.passed == QUOTA), "not each had its quota");
    assert_eq!((refused, misled), (CLIENTS * (REQUESTS as usize - QUOTA), 0));
    let waiting = Instant::now();
    let done = loop {
        let runs = house.list("runs");
        let done = runs.iter().filter(|run| run["status"] == "completed").count();
        if done == passed || waiting.elapsed() > PATIENCE {
            assert_eq!(runs.len(), passed);
            break done;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    println!(
        "runs completed {done}, {:.1} s after the last request",
        waiting.elapsed().as_secs_f64()
    );
    assert_eq!(done, passed);
    server.kill();
}

fn paired(house: &House, own: &str, number: usize) -> String {
    let asked = format!("{{\"role\":\"ingress\",\"subject\":\"client-{number}\"}}");
    let mut caller = Caller::new(house.port, own);
    let (status, code) = caller.call("POST", "/api/pairing-codes", None, &asked);
    assert_eq!(status, 201, "{code}");
    let body = format!("{{\"code\":{}}}", code["code"]);
    let (status, paired) = caller.call("POST", "/pair", None, &body);
    assert_eq!(status, 200, "{paired}");
    paired["token"].as_str().expect("a token").to_owned()
}

fn client(port: u16, token: &str, number: usize, started: Instant) -> Tally {
    let mut tally = Tally::default();
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut stream = BufReader::new(stream);
    let pause = Duration::from_millis(58_000) / REQUESTS;
    for round in 0..REQUESTS {
        let at = started + pause * round + Duration::from_millis(number as u64 * 8);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        let before = since_minute();
        let (status, retry_after) = call(&mut stream, token);
        match status {
            202 => tally.passed += 1,
            429 => {
                tally.refused += 1;
                // The second may turn between there and here.
                let (latest, earliest) = (60 - before.as_secs(), 60 - since_minute().as_secs());
                if !(earliest..=latest).contains(&retry_after) {
                    tally.misled += 1;
                }
            }
            other => panic!("{other}"),
        }
    }
    tally
}

fn call(stream: &mut BufReader<TcpStream>, token: &str) -> (u16, u64) {
    let request = format!(
        "POST /sop/alert HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.get_mut().write_all(request.as_bytes()).expect("sent");
    let (mut status, mut retry_after, mut length) = (0, 0, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest[..3].parse().expect("a status");
        } else if let Some(value) = line.strip_prefix("retry-after: ") {
            retry_after = value.parse().expect("seconds");
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    drop(serde_json::from_slice::<Value>(&body));
    (status, retry_after)
}
