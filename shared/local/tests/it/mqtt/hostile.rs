//! Random bytes, thrown at a live server.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mqtt_proto::v3;
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;

use super::{raw::Raw, server::Server};

/// Bytes that often look like the beginning of a packet.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let packet =
        (any::<u8>(), vec(any::<u8>(), 0..40), any::<bool>()).prop_map(|(first, body, whole)| {
            let length = if whole { body.len() } else { body.len() / 2 };
            let mut bytes = vec![first, u8::try_from(length).unwrap()];
            bytes.extend(body);
            bytes
        });
    vec(packet, 1..6).prop_map(|packets| packets.concat())
}

/// Counts the panics of this process: the server outlives those of a connection's task.
fn count_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let (counted, print) = (Arc::clone(&panics), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        counted.fetch_add(1, Ordering::SeqCst);
        print(info);
    }));
    panics
}

#[test]
fn no_bytes_stop_the_server() {
    let panics = count_panics();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::accepting());
    let case = (0..3_u8, packets());
    TestRunner::default()
        .run(&case, |(how, bytes)| {
            runtime.block_on(async {
                let mut raw = match how {
                    0 => Raw::open(&server).await,
                    1 => Raw::v3(&server, "hostile").await,
                    _ => Raw::v5(&server, "hostile").await.0,
                };
                raw.try_send(&bytes).await;
                drop(raw);
                let mut witness = Raw::v3(&server, "witness").await;
                witness.send3(v3::Packet::Pingreq).await;
                assert_eq!(witness.read3().await, Some(v3::Packet::Pingresp));
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(async { server.stop().await.unwrap() });
    assert_eq!(panics.load(Ordering::SeqCst), 0);
}
