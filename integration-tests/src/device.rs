//! A device: publishes over MQTT and waits until the broker has acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, Incoming, MqttOptions, QoS, TlsConfiguration, Transport,
};

/// How long it may take to connect, publish and be acknowledged.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a device connects, and with what.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The broker's name, which its certificate has to bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Root and own certificate; `None` for a plain connection.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// A message was not acknowledged.
#[derive(Debug)]
pub enum DeviceError {
    /// The broker turned the device away or hung up.
    Refused(ConnectionError),
    /// The broker said nothing.
    Silent,
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(_) => f.write_str("the broker refused the device"),
            Self::Silent => f.write_str("the broker did not acknowledge"),
        }
    }
}

impl std::error::Error for DeviceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Silent => None,
        }
    }
}

/// Publishes `messages` (topic, payload) with QoS 1 over one connection and waits for all acknowledgements.
///
/// # Errors
/// When the broker refuses the connection or does not acknowledge in time.
pub async fn publish(
    connection: &Connection,
    messages: &[(&str, &str)],
) -> Result<(), DeviceError> {
    static DEVICES: AtomicU32 = AtomicU32::new(0);
    let number = DEVICES.fetch_add(1, Ordering::Relaxed);
    let id = format!("device-{}-{number}", std::process::id());
    let mut options = MqttOptions::new(id, &connection.host, connection.port);
    options.set_keep_alive(Duration::from_secs(20));
    options.set_max_packet_size(512 * 1024, 512 * 1024);
    if let Some(tls) = &connection.tls {
        let tls = TlsConfiguration::Rustls(Arc::clone(tls));
        options.set_transport(Transport::tls_with_config(tls));
    }
    tokio::time::timeout(TIMEOUT, exchange(options, messages))
        .await
        .unwrap_or(Err(DeviceError::Silent))
}

async fn exchange(options: MqttOptions, messages: &[(&str, &str)]) -> Result<(), DeviceError> {
    // Room for all: nothing is taken from the channel before the loop below runs.
    let (client, mut events) = AsyncClient::new(options, messages.len() + 1);
    for (topic, payload) in messages {
        client
            .try_publish(*topic, QoS::AtLeastOnce, false, *payload)
            .expect("the channel has room for every message");
    }
    let mut open = messages.len();
    while open > 0 {
        if let Event::Incoming(Incoming::PubAck(_)) =
            events.poll().await.map_err(DeviceError::Refused)?
        {
            open -= 1;
        }
    }
    let _ = client.try_disconnect();
    // The farewell is sent by one more turn; that the broker hangs up then is no error.
    let _ = events.poll().await;
    Ok(())
}
