//! The emulator answers while it is held, and is gone after.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sop_emulator::Emulator;

#[test]
fn it_answers_while_held_and_is_gone_after() {
    let emulator = Emulator::start().unwrap();
    let address = emulator.endpoint().trim_start_matches("http://").to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    let Some(log) = emulator.log() else { return };
    assert!(log.is_file());
    drop(emulator);
    assert!(TcpStream::connect(&address).is_err());
    assert!(!log.exists());
}

/// An emulator in a `static` is never dropped: the end of its process has to be enough. The process is
/// this test again, told by its environment to start one and end.
#[test]
fn it_ends_with_a_process_that_never_drops_it() {
    const CHILD: &str = "SOP_EMULATOR_TEST_CHILD";
    if std::env::var_os("SOP_AWS_ENDPOINT").is_some() {
        return;
    }
    if std::env::var_os(CHILD).is_some() {
        let emulator = Emulator::start().unwrap();
        println!("endpoint {}", emulator.endpoint());
        println!("log {}", emulator.log().unwrap().display());
        std::mem::forget(emulator);
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "it_ends_with_a_process_that_never_drops_it", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The test harness writes the test's name on the same line.
    let word =
        |name: &str| text.split_whitespace().skip_while(|word| *word != name).nth(1).unwrap();
    let address = word("endpoint").trim_start_matches("http://").to_owned();
    let log = Path::new(word("log")).to_owned();
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(&address).is_ok() || log.exists() {
        assert!(Instant::now() < deadline, "it is still there: {address}, {}", log.display());
        std::thread::yield_now();
    }
}
