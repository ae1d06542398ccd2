//! HTTP/1.1 with bounds in time and size: whoever is slow or endless is cut off.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures_util::{StreamExt, stream};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sop_http::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// For the head of a request, and to be idle before it.
    pub(super) head_max: Duration,
    /// For the body of a request.
    pub(super) body_max: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { head_max: Duration::from_secs(30), body_max: Duration::from_secs(20) }
    }
}

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Headers of a request.
const HEADERS_MAX: usize = 100;

/// Connections at once; more wait to be taken.
const CONNECTIONS_MAX: usize = 1_024;

/// How long to wait when the system has no file left for another connection.
const BREATH: Duration = Duration::from_millis(50);

/// Serves `router` until told to stop, then until what it has in hand is answered.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    times: Times,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while !*stopped.borrow() {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    connection(stream, peer, router, times, stopped).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    times: Times,
    mut stopped: watch::Receiver<bool>,
) {
    // A small answer is not held back to be sent with the next one.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Peer(peer.ip()));
        router.clone().oneshot(Request::from_parts(parts, in_time(body, times.body_max)))
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(times.head_max)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = super::doors::until(&mut stopped) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        // Clients go when they like.
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// The body, which ends in an error when it has not come whole in time.
fn in_time(body: Incoming, time_max: Duration) -> Body {
    let deadline = Instant::now() + time_max;
    let pieces = Body::new(body).into_data_stream();
    Body::from_stream(stream::unfold(pieces, move |mut pieces| async move {
        let piece = match timeout_at(deadline, pieces.next()).await {
            Ok(None) => return None,
            Ok(Some(piece)) => piece.map_err(io::Error::other),
            Err(late) => Err(io::Error::new(io::ErrorKind::TimedOut, late)),
        };
        Some((piece, pieces))
    }))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What comes back for `bytes`, the connection being left open, until the server closes it.
    async fn said(bytes: &[u8]) -> String {
        let router = Router::new().route(
            "/",
            post(|body: Body| async {
                match axum::body::to_bytes(body, 1_000).await {
                    Ok(_) => StatusCode::OK,
                    Err(_) => StatusCode::REQUEST_TIMEOUT,
                }
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let short = Duration::from_millis(200);
        let times = Times { head_max: short, body_max: short };
        let serving = tokio::spawn(serve(listener, router, times, stopped));
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be cut off before all of it is out.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        // A reset tells the same as an end.
        drop(stream.read_to_end(&mut answer).await);
        stop.send_replace(true);
        serving.await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn whoever_is_slow_is_cut_off() {
        let whole = said(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await;
        assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
        let body = said(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{").await;
        assert!(body.starts_with("HTTP/1.1 408"), "{body}");
        for head in ["", "POST / HT", "POST / HTTP/1.1\r\nhost: x\r\nx-"] {
            let answer = said(head.as_bytes()).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        }
    }

    #[tokio::test]
    async fn heads_have_a_size() {
        let long = format!("POST / HTTP/1.1\r\nx-a: {}\r\n\r\n", "a".repeat(400_000));
        let answer = said(long.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
