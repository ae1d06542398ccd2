//! What is logged while a test runs, in JSON, one line an event.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the thread that logs: each test runs on one.
struct ThreadWriter;

impl io::Write for ThreadWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to capture.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().json().with_writer(|| ThreadWriter).init();
    });
}

/// The lines since the last call.
pub(crate) fn take() -> Vec<Value> {
    let bytes = LINES.with_borrow_mut(std::mem::take);
    let text = String::from_utf8(bytes).expect("log lines are text");
    text.lines().map(|line| serde_json::from_str(line).expect("a log line is JSON")).collect()
}
