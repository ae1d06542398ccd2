//! Each Lambda binary's start-up to its first poll, and its size, beside a Lambda that does nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Row, quantile, root};

const NAMES: [&str; 8] =
    ["webhook", "mqtt", "cron", "peripheral", "eventbridge", "dispatcher", "executor", "api"];
const STARTS: usize = 15;

/// Milliseconds from the process's start to its first request for an invocation.
fn start_ms(binary: &Path) -> Option<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let endpoint = listener.local_addr().ok()?.to_string();
    let started = Instant::now();
    let mut child = Command::new(binary)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", endpoint)
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("SOP_TABLE", "sopwith")
        .env("SOP_EVENTS_QUEUE_URL", "http://127.0.0.1:9/000000000000/events")
        .env("SOP_EFFECTS_QUEUE_URL", "http://127.0.0.1:9/000000000000/effects")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    listener.set_nonblocking(true).ok()?;
    let mut polled = None;
    while started.elapsed() < Duration::from_secs(5) && polled.is_none() {
        match listener.accept() {
            Ok((mut stream, _)) => {
                drop(stream.set_nonblocking(false));
                let mut head = [0; 64];
                if stream.read(&mut head).is_ok_and(|n| n > 0) {
                    polled = Some(started.elapsed().as_secs_f64() * 1_000.0);
                }
                drop(stream.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"));
            }
            Err(_) => std::thread::yield_now(),
        }
    }
    drop(child.kill());
    drop(child.wait());
    polled
}

fn median_ms(binary: &Path) -> Option<f64> {
    let mut times: Vec<f64> = (0..STARTS).map_while(|_| start_ms(binary)).collect();
    times.sort_by(f64::total_cmp);
    (times.len() == STARTS).then(|| quantile(&times, 0.5))
}

pub(crate) fn rows() -> Vec<Row> {
    let nothing = root().join("target/lambda-bench/nothing");
    let base = median_ms(&nothing);
    let mut rows = vec![Row::new(
        "Lambda that does nothing: start to first poll",
        base.map_or_else(|| "not built".into(), |ms| format!("{ms:.1} ms")),
        size(&nothing),
    )];
    for name in NAMES {
        let binary = root().join(format!("target/lambda/sopwith-{name}/bootstrap"));
        let value = match (median_ms(&binary), base) {
            (Some(ms), Some(base)) => format!("{ms:.1} ms ({:.1}x)", ms / base),
            (Some(ms), None) => format!("{ms:.1} ms"),
            (None, _) => "not built".into(),
        };
        rows.push(Row::new(format!("Lambda {name}: start to first poll"), value, size(&binary)));
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "a file's size")]
fn size(path: &Path) -> String {
    match std::fs::metadata(path) {
        Ok(file) => format!("{:.1} MB", file.len() as f64 / 1_000_000.0),
        Err(_) => "–".into(),
    }
}
