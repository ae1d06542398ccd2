//! The doors of one machine: HTTP and MQTT.

use std::future::Future;
use std::sync::Arc;

use axum::serve::ListenerExt;
use base64::Engine;
use sop_core::event::{Data, Source};
use sop_core::ingress;
use sop_core::matching::peripheral_subject;
use sop_local::mqtt::{MqttServer, Published, Refused};
use sop_runtime::flow::{self, Door};
use sop_runtime::report::chain;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Local;

/// Serves webhooks and the API until told to stop.
pub(super) async fn http(listener: TcpListener, host: Arc<Local>, stopped: watch::Receiver<bool>) {
    let listener = listener.tap_io(|stream| {
        // A small answer is not held back to be sent with the next one.
        drop(stream.set_nodelay(true));
    });
    let router = sop_http::all(host);
    let served = axum::serve(listener, router).with_graceful_shutdown(until(stopped)).await;
    if let Err(error) = served {
        tracing::error!(error = %chain(&error), "http");
    }
}

/// Serves MQTT until told to stop. A message is acknowledged when its event is durable.
pub(super) async fn mqtt(server: MqttServer, host: Arc<Local>, stopped: watch::Receiver<bool>) {
    let handler = move |published: Published| {
        let host = Arc::clone(&host);
        async move { arrived(&host, published).await }
    };
    server.serve(handler, until(stopped)).await;
}

fn until(mut stopped: watch::Receiver<bool>) -> impl Future<Output = ()> {
    async move {
        while !*stopped.borrow() {
            if stopped.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn arrived(host: &Local, published: Published) -> Result<(), Refused> {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let data =
        ingress::device_payload(&published.payload, encode).map_err(|_| Refused::TooLarge)?;
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
