//! The doors of one machine: HTTP and MQTT.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use metrics_exporter_prometheus::PrometheusHandle;
use sop_core::event::{Data, Source};
use sop_core::ingress;
use sop_core::matching::peripheral_subject;
use sop_core::topic::TopicFilter;
use sop_local::LocalSecrets;
use sop_local::broker::Settings;
use sop_local::mqtt::{MqttServer, Published, Refused};
use sop_runtime::flow::{self, Door};
use sop_runtime::report::chain;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Local;
use super::serve::Times;

/// Serves webhooks and the API until told to stop.
pub(super) async fn http(
    listener: TcpListener,
    host: Arc<Local>,
    secrets: Arc<LocalSecrets>,
    counted: PrometheusHandle,
    stopped: watch::Receiver<bool>,
) {
    let router = sop_http::all(host, secrets).merge(super::metrics::route(counted));
    super::serve::serve(listener, router, Times::default(), stopped).await;
}

/// Serves MQTT until told to stop. A message is acknowledged when its event is durable.
pub(super) async fn mqtt(server: MqttServer, host: Arc<Local>, stopped: watch::Receiver<bool>) {
    let handler = move |published: Published| {
        let host = Arc::clone(&host);
        async move { arrived(&host, published).await }
    };
    let mut stopped = stopped;
    server.serve(handler, async move { until(&mut stopped).await }).await;
}

/// Returns when it is time to stop.
pub(super) async fn until(stopped: &mut watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if stopped.changed().await.is_err() {
            return;
        }
    }
}

/// Takes in the messages of a broker elsewhere until told to stop.
pub(super) async fn broker(
    settings: Settings,
    host: Arc<Local>,
    mut stopped: watch::Receiver<bool>,
) {
    let (filters, followed) = watch::channel(asked(&host).await.unwrap_or_default());
    let from = format!("broker {}", settings.address());
    let handler = |published: Published| {
        let (host, client_id) = (Arc::clone(&host), from.clone());
        async move { arrived(&host, Published { client_id, ..published }).await }
    };
    let follow = async {
        loop {
            tokio::time::sleep(FOLLOW_EVERY).await;
            // What cannot be read now changes nothing.
            let Some(now) = asked(&host).await else { continue };
            filters.send_if_modified(|before| {
                let differs = *before != now;
                *before = now;
                differs
            });
        }
    };
    tokio::select! {
        () = sop_local::broker::run(settings, followed, handler, until(&mut stopped)) => {}
        () = follow => {}
    }
}

/// Between two looks at what the active SOPs ask a broker for.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// The filters of what the active SOPs ask a broker for, uplinks among it.
async fn asked(host: &Local) -> Option<Vec<TopicFilter>> {
    match host.active().await {
        Ok(active) => Some(active.index.broker_filters()),
        Err(error) => {
            tracing::error!(error = %chain(&error), "the active SOPs cannot be read");
            None
        }
    }
}

/// Takes in one message of a device.
///
/// # Errors
/// [`Refused`], which the device is told; the log has a line of it.
pub(super) async fn arrived(host: &Local, published: Published) -> Result<(), Refused> {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let data = ingress::device_payload(&published.payload, encode).map_err(|rejected| {
        let reason = rejected.to_string();
        tracing::warn!(
            client = published.client_id,
            topic = published.topic,
            reason,
            "message dropped"
        );
        Refused::TooLarge
    })?;
    let uplink = ingress::uplink(&published.topic)
        .and_then(|(board, signal)| peripheral_subject(board, signal));
    let actor = format!("mqtt:{}", published.client_id);
    if let Some(subject) = uplink {
        accept(host, Source::Peripheral, subject, data.clone(), &actor).await?;
    }
    accept(host, Source::Mqtt, published.topic, data, &actor).await
}

async fn accept(
    host: &Local,
    source: Source,
    subject: String,
    data: Data,
    actor: &str,
) -> Result<(), Refused> {
    let actor = Some(actor.to_owned());
    let door = Door { source, subject, data, transport_id: None, time: None, actor };
    match flow::accept(host, door).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(error = %chain(&error), "mqtt message not accepted");
            Err(Refused::TryAgain)
        }
    }
}

#[cfg(test)]
mod tests {
    use sop_core::limits::PAYLOAD_BYTES_MAX;
    use sop_local::store::Sqlite;
    use sop_runtime::envelope::{Body, Envelope};
    use sop_runtime::flow::Host;
    use sop_runtime::port::{Consumer, QueueName, SystemClock};

    use super::*;

    fn published(topic: &str, payload: &[u8]) -> Published {
        Published {
            client_id: "pump".into(),
            topic: topic.into(),
            payload: payload.to_vec(),
            qos: 1,
            retain: false,
            packet_id: Some(1),
            dup: false,
        }
    }

    /// Each case: topic, payload, the subject of its uplink, what of the payload is queued.
    #[tokio::test]
    async fn a_message_is_queued_as_it_came_and_an_uplink_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Sqlite::open(folder.path().join("sop.db"), Arc::new(SystemClock)).unwrap();
        let host = Host::new(store.clone(), store, SystemClock);
        let text = |text: &str| Some(Data::Text(text.into()));
        let cases = [
            ("a", &b""[..], None, Some(Data::Empty)),
            ("a", b" {", None, text(" {")),
            ("a", b"a\0", None, text("a\0")),
            ("a", b"\xff\xfe", None, Some(Data::Base64("//4=".into()))),
            ("peripherals/p/s", b"1", Some("p/s"), text("1")),
            ("peripherals/p/s", b"\xff", Some("p/s"), Some(Data::Base64("/w==".into()))),
            ("peripherals/p", b"1", None, text("1")),
            ("peripherals/p/", b"1", None, text("1")),
            ("peripherals//s", b"1", None, text("1")),
            ("peripherals/p/s/t", b"1", None, text("1")),
            ("peripherals/p/s", &[b'x'; PAYLOAD_BYTES_MAX + 1], None, None),
        ];
        for (topic, payload, uplink, data) in cases {
            let answer = arrived(&host, published(topic, payload)).await;
            let messages = host.store.receive(QueueName::Events, 10, 60_000).await.unwrap();
            let found: Vec<(Source, String, Data)> = messages
                .iter()
                .map(|message| match Envelope::parse(&message.body) {
                    Ok(Body::Event { event }) => {
                        assert_eq!(event.actor.as_deref(), Some("mqtt:pump"));
                        (event.source, event.subject, event.data)
                    }
                    other => panic!("{topic}: {other:?}"),
                })
                .collect();
            let Some(data) = data else {
                assert_eq!((answer, found), (Err(Refused::TooLarge), Vec::new()), "{topic}");
                continue;
            };
            let uplink = uplink.map(|it| (Source::Peripheral, it.to_owned(), data.clone()));
            let expected = uplink.into_iter().chain([(Source::Mqtt, topic.to_owned(), data)]);
            assert_eq!((answer, found), (Ok(()), expected.collect()), "{topic}");
        }
    }
}
