//! A device with much to say, whose library sends again what was not acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{
    Client, ConnectionError, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::wait;

pub(crate) const MESSAGES: usize = 5_000;
pub(crate) const RESTARTS: usize = 5;

/// Acknowledgements between two restarts.
const BETWEEN: usize = 700;

/// Messages that may be published beyond those that lead to a restart, so that some are on their way.
const AHEAD: usize = 300;

pub(crate) struct Flood {
    acknowledged: Arc<AtomicUsize>,
    restarts: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
    feed: JoinHandle<()>,
    poll: JoinHandle<()>,
}

impl Flood {
    pub(crate) fn start(port: u16) -> Self {
        let mut options = MqttOptions::new("device-1", "127.0.0.1", port);
        options.set_clean_session(false);
        options.set_keep_alive(Duration::from_secs(5));
        // Nothing waits in between: what does when a connection breaks, the library may lose.
        let (client, mut connection) = Client::new(options, 0);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let restarts = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&restarts);
        let feed = std::thread::spawn(move || {
            for id in 0..MESSAGES {
                wait("the next restart", || {
                    let next = seen.load(Ordering::SeqCst) + 1;
                    next > RESTARTS || id < next * BETWEEN + AHEAD
                });
                let payload = format!("{{\"id\":{id}}}");
                let topic = format!("load/{}", id % 7);
                client.publish(topic, QoS::AtLeastOnce, false, payload).expect("it is taken");
            }
        });
        let (counted, finished) = (Arc::clone(&acknowledged), Arc::clone(&done));
        let poll = std::thread::spawn(move || {
            while !finished.load(Ordering::SeqCst) {
                match connection.recv_timeout(Duration::from_millis(100)) {
                    Ok(Ok(Event::Incoming(Packet::PubAck(_)))) => {
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(Ok(_)) | Err(_) => {}
                    // It connects again by itself; a broker that is away is not asked all the time.
                    Ok(Err(_)) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Self { acknowledged, restarts, done, feed, poll }
    }

    /// Waits until it is time for the restart of this number, from 1.
    pub(crate) fn wait_for(&self, restart: usize) {
        wait("acknowledgements", || self.acknowledged.load(Ordering::SeqCst) >= restart * BETWEEN);
    }

    /// Lets it publish on, towards the next restart.
    pub(crate) fn go_on(&self) {
        self.restarts.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all is published and acknowledged.
    pub(crate) fn finish(self) {
        self.feed.join().expect("all is published");
        wait("the last acknowledgements", || self.acknowledged.load(Ordering::SeqCst) >= MESSAGES);
        self.done.store(true, Ordering::SeqCst);
        self.poll.join().expect("it ends");
    }
}

/// What the server says to a client that connects; over TLS where there is an authority to trust.
pub(crate) fn connect(port: u16, user: Option<(&str, &str)>, ca: Option<&Path>) -> String {
    let mut options = MqttOptions::new("a-client", "localhost", port);
    if let Some((user, password)) = user {
        options.set_credentials(user, password);
    }
    if let Some(ca) = ca {
        let ca = std::fs::read(ca).expect("the authority's certificate");
        let certificate = CertificateDer::from_pem_slice(&ca).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("an authority");
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConfiguration::Rustls(Arc::new(config));
        options.set_transport(Transport::tls_with_config(tls));
    }
    let (_client, mut connection) = Client::new(options, 1);
    match connection.recv_timeout(Duration::from_secs(20)).expect("an answer") {
        Ok(Event::Incoming(Packet::ConnAck(ack))) => format!("{:?}", ack.code),
        Err(ConnectionError::ConnectionRefused(code)) => format!("{code:?}"),
        other => format!("error: {other:?}"),
    }
}
