//! A device: publishes over MQTT and waits until the broker has acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, Incoming, MqttOptions, QoS, TlsConfiguration, Transport,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long it may take to connect, publish and be acknowledged.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a device connects, and with what.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The broker's name, which its certificate has to bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who vouches for whom; `None` for a plain connection.
    pub tls: Option<Arc<Pem>>,
}

/// What a device has in its flash, each in PEM.
#[derive(Debug)]
pub struct Pem {
    /// Who vouches for the broker.
    pub root: String,
    /// The device's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Pem {
    /// A client configuration that trusts the root and nothing else.
    ///
    /// # Errors
    /// When one of the three cannot be read.
    fn config(&self) -> anyhow::Result<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.root.as_bytes())?)?;
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        Ok(config.with_client_auth_cert(vec![certificate], key)?)
    }
}

/// A message was not acknowledged.
#[derive(Debug)]
pub enum DeviceError {
    /// The broker turned the device away or hung up.
    Refused(ConnectionError),
    /// Its certificate cannot be used.
    Certificate(anyhow::Error),
    /// The broker said nothing.
    Silent,
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(_) => f.write_str("the broker refused the device"),
            Self::Certificate(_) => f.write_str("the device's certificate cannot be used"),
            Self::Silent => f.write_str("the broker did not acknowledge"),
        }
    }
}

impl std::error::Error for DeviceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Certificate(error) => Some(error.as_ref()),
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
    if let Some(pem) = &connection.tls {
        let tls =
            TlsConfiguration::Rustls(Arc::new(pem.config().map_err(DeviceError::Certificate)?));
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
