//! The emulator answers while it is held, and is gone after.

use std::net::TcpStream;

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
