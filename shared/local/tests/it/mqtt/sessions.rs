//! Sessions that outlive the process.

use std::sync::Arc;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use sop_local::Sqlite;
use sop_local::mqtt::{MqttServer, Publisher};
use sop_runtime::port::SystemClock;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::server::soon;

struct Kept {
    port: u16,
    publisher: Publisher,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Kept {
    async fn start(folder: &std::path::Path) -> Self {
        let store = Sqlite::open(folder.join("sop.db"), Arc::new(SystemClock)).unwrap();
        let server = MqttServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let server = server.with_sessions(store).unwrap();
        let (port, publisher) = (server.local_addr().unwrap().port(), server.publisher());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(|_| async { Ok(()) }, stopped));
        Self { port, publisher, stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        soon("the end of the server", self.task).await.unwrap();
    }

    fn client(&self, clean: bool) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new("device-1", "127.0.0.1", self.port);
        options.set_clean_session(clean);
        AsyncClient::new(options, 10)
    }
}

/// Whether the server knew the session, as its CONNACK says.
async fn is_known(events: &mut EventLoop) -> bool {
    let event = soon("the CONNACK", events.poll()).await.unwrap();
    let Event::Incoming(Packet::ConnAck(connack)) = event else { panic!("{event:?}") };
    connack.session_present
}

async fn next(events: &mut EventLoop) -> Packet {
    loop {
        if let Event::Incoming(packet) = soon("a packet", events.poll()).await.unwrap() {
            return packet;
        }
    }
}

/// A session and its filters are there after a restart; one that was ended is not.
#[tokio::test]
async fn a_session_and_its_filters_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let first = Kept::start(folder.path()).await;
    let (client, mut events) = first.client(false);
    assert!(!is_known(&mut events).await);
    client.subscribe("plant/#", QoS::AtMostOnce).await.unwrap();
    assert!(matches!(next(&mut events).await, Packet::SubAck(_)));
    drop((client, events));
    first.stop().await;

    let second = Kept::start(folder.path()).await;
    let (client, mut events) = second.client(false);
    assert!(is_known(&mut events).await);
    assert_eq!(second.publisher.publish("plant/1", "21"), 1);
    assert!(matches!(next(&mut events).await, Packet::Publish(_)));
    drop((client, events));
    let (_client, mut events) = second.client(true);
    assert!(!is_known(&mut events).await);
    drop(events);
    second.stop().await;

    let third = Kept::start(folder.path()).await;
    let (_client, mut events) = third.client(false);
    assert!(!is_known(&mut events).await, "a clean start ended it");
    third.stop().await;
}
