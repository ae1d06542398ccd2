//! What an operator says of a broker elsewhere, checked before anything is sent.

use std::fmt;
use std::sync::Arc;

use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use sop_core::topic::{TopicFilter, TopicFilterError};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::mqtt::CLIENT_ID_BYTES_MAX;

/// `[channels_config.mqtt]`, as it is written.
/// Source: seed 002, section 2.1.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `mqtt://host[:1883]` or `mqtts://host[:8883]`.
    pub broker_url: String,
    /// Names the session: a second client with the same name drives out the first.
    pub client_id: String,
    /// Topic filters; those of the active SOPs when there are none.
    pub topics: Vec<String>,
    /// 0, 1 or 2; 1 when left out.
    pub qos: Option<u8>,
    /// Who connects.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<String>,
    /// Whether the connection is encrypted; must agree with the scheme.
    pub use_tls: Option<bool>,
    /// Certificates, in PEM, of those who vouch for the broker, beside the well-known ones.
    pub ca_pem: Option<Vec<u8>>,
    /// This host's own certificate in PEM, with those that vouch for it, for brokers that ask for one.
    pub cert_pem: Option<Vec<u8>>,
    /// The certificate's key, in PEM.
    pub key_pem: Option<Vec<u8>>,
}

/// Shows no password and no key.
impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said")
            .field("broker_url", &self.broker_url)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// What is wrong with `[channels_config.mqtt]`, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address has another scheme, or none.
    #[error("`broker_url` is `{0}`: write `mqtt://host:1883`, or `mqtts://host:8883` for TLS")]
    Scheme(String),
    /// The address has a user or a password in it.
    #[error(
        "`broker_url` has a user in it: write `username` and `password`, so that no log shows them"
    )]
    User,
    /// The address has no host, or a port that is none.
    #[error("`broker_url` is `{0}`, which has no host and port: write `mqtt://host:1883`")]
    Address(String),
    /// Scheme and flag disagree.
    #[error(
        "`use_tls = {use_tls}` and `{scheme}://` do not agree: write `use_tls = {}`, or \
         `broker_url = \"{}://...\"`", !.use_tls, if *.use_tls { "mqtts" } else { "mqtt" }
    )]
    Tls {
        /// The flag.
        use_tls: bool,
        /// The scheme of the address.
        scheme: &'static str,
    },
    /// No client identifier.
    #[error(
        "`client_id` is empty: give this host a name of its own, by which the broker keeps its session"
    )]
    NoClientId,
    /// A client identifier that brokers refuse.
    #[error(
        "`client_id` has {0} bytes; at most {CLIENT_ID_BYTES_MAX} are taken, none a control character"
    )]
    ClientId(usize),
    /// No quality of service.
    #[error("`qos = {0}` is none: write 0 (may be lost), or 1 (kept until it is safe here)")]
    Qos(u8),
    /// A filter that is none.
    #[error("`topics` has `{text}`: {error}{}", .error.help().map(|help| format!("; {help}")).unwrap_or_default())]
    Topic {
        /// As written.
        text: String,
        /// What is wrong with it.
        error: TopicFilterError,
    },
    /// A password nobody owns.
    #[error("`password` stands alone: write `username` too, or leave it out")]
    PasswordAlone,
    /// Certificates for a connection without TLS.
    #[error("`{0}` is of use with TLS alone: write `mqtts://` and `use_tls = true`")]
    WithoutTls(&'static str),
    /// Certificates that cannot be read.
    #[error("`{0}` has no certificate in PEM, which begins with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate(&'static str),
    /// A certificate without its key, or a key without its certificate.
    #[error("`cert_file` and `key_file` go together: write both")]
    HalfPair,
    /// A key that cannot be read, or is another certificate's.
    #[error("`key_file` has no private key in PEM that is the one of `cert_file`")]
    Key,
}

/// A broker elsewhere, and who this host is there.
#[derive(Clone)]
pub struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    client_id: String,
    /// 0 or 1: what of 2 is more than 1 ends at the broker.
    pub(super) qos: u8,
    user: Option<(String, String)>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// What is subscribed to; the active SOPs' when empty.
    pub topics: Vec<TopicFilter>,
}

/// Shows no password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Checks what was written.
    ///
    /// # Errors
    /// The first thing that is wrong, with what to write instead.
    pub fn check(said: Said) -> Result<Self, SettingsError> {
        let (is_tls, host, port) = address(&said.broker_url)?;
        if let Some(use_tls) = said.use_tls.filter(|use_tls| *use_tls != is_tls) {
            let scheme = if is_tls { "mqtts" } else { "mqtt" };
            return Err(SettingsError::Tls { use_tls, scheme });
        }
        if said.client_id.trim().is_empty() {
            return Err(SettingsError::NoClientId);
        }
        let bytes = said.client_id.len();
        if bytes > CLIENT_ID_BYTES_MAX || said.client_id.chars().any(char::is_control) {
            return Err(SettingsError::ClientId(bytes));
        }
        let qos = said.qos.unwrap_or(1);
        if qos > 2 {
            return Err(SettingsError::Qos(qos));
        }
        let parse = |text: String| {
            TopicFilter::parse(&text).map_err(|error| SettingsError::Topic { text, error })
        };
        let topics = said.topics.into_iter().map(parse).collect::<Result<_, _>>()?;
        let user = match (said.username, said.password) {
            (None, Some(_)) => return Err(SettingsError::PasswordAlone),
            (None, None) => None,
            (Some(user), password) => Some((user, password.unwrap_or_default())),
        };
        let own = match (said.cert_pem, said.key_pem) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) | (None, Some(_)) => return Err(SettingsError::HalfPair),
        };
        let tls = match (is_tls, said.ca_pem, own) {
            (false, Some(_), _) => return Err(SettingsError::WithoutTls("ca_file")),
            (false, None, Some(_)) => return Err(SettingsError::WithoutTls("cert_file")),
            (false, None, None) => None,
            (true, ca, own) => Some(Arc::new(encrypted(ca.as_deref(), own)?)),
        };
        let client_id = said.client_id;
        Ok(Self { host, port, client_id, qos: qos.min(1), user, tls, topics })
    }

    /// The broker, as an operator wrote it.
    pub fn address(&self) -> String {
        let scheme = if self.tls.is_some() { "mqtts" } else { "mqtt" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// How the library is told.
    pub(super) fn options(&self) -> MqttOptions {
        /// Source: MQTT 3.1.1, section 2.2.3. A larger message would come again for ever.
        const PACKET_BYTES_MAX: usize = 268_435_455;
        const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(30);
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options.set_clean_session(false);
        options.set_manual_acks(true);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some((user, password)) = &self.user {
            options.set_credentials(user, password);
        }
        if let Some(tls) = &self.tls {
            let tls = TlsConfiguration::Rustls(Arc::clone(tls));
            options.set_transport(Transport::tls_with_config(tls));
        }
        options
    }
}

/// Whether it is TLS, the host, and the port.
fn address(url: &str) -> Result<(bool, String, u16), SettingsError> {
    let (is_tls, rest) = match url.split_once("://") {
        Some(("mqtt", rest)) => (false, rest),
        Some(("mqtts", rest)) => (true, rest),
        Some(_) | None => return Err(SettingsError::Scheme(without_user(url))),
    };
    if rest.contains('@') {
        return Err(SettingsError::User);
    }
    let wrong = || SettingsError::Address(url.to_owned());
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
        Some(_) | None => (rest, if is_tls { 8883 } else { 1883 }),
    };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !host.is_empty() && (is_bracketed || host.chars().all(is_name));
    if !is_host || port == 0 {
        return Err(wrong());
    }
    Ok((is_tls, host.to_owned(), port))
}

/// An address without what may be a password.
fn without_user(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, host)) => format!("...@{host}"),
        None => url.to_owned(),
    }
}

/// How to speak TLS: who vouches for the broker, and what this host shows of itself.
fn encrypted(
    ca: Option<&[u8]>,
    own: Option<(Vec<u8>, Vec<u8>)>,
) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in ca.map(|pem| certificates(pem, "ca_file")).transpose()?.unwrap_or_default() {
        roots.add(certificate).map_err(|_| SettingsError::NoCertificate("ca_file"))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions' cipher suites")
        .with_root_certificates(roots);
    let Some((certificate, key)) = own else { return Ok(config.with_no_client_auth()) };
    let chain = certificates(&certificate, "cert_file")?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| SettingsError::Key)?;
    config.with_client_auth_cert(chain, key).map_err(|_| SettingsError::Key)
}

/// The certificates in `pem`, at least one.
fn certificates(
    pem: &[u8],
    file: &'static str,
) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or(SettingsError::NoCertificate(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Said {
        Said {
            broker_url: "mqtts://broker.example.com:8883".into(),
            client_id: "zeroclaw-agent-1".into(),
            topics: vec!["sensors/alert".into(), "ops/deploy/#".into()],
            qos: Some(1),
            username: Some("mqtt-user".into()),
            password: Some("mqtt-password".into()),
            use_tls: Some(true),
            ..Said::default()
        }
    }

    #[test]
    fn the_seeds_example_is_taken() {
        let settings = Settings::check(said()).unwrap();
        assert_eq!(settings.address(), "mqtts://broker.example.com:8883");
        assert_eq!((settings.qos, settings.topics.len()), (1, 2));
        assert!(!format!("{settings:?} {:?}", said()).contains("mqtt-password"));
    }

    #[test]
    fn addresses_have_their_usual_ports() {
        for (url, use_tls, address) in [
            ("mqtt://broker", Some(false), "mqtt://broker:1883"),
            ("mqtts://broker/", None, "mqtts://broker:8883"),
            ("mqtt://[::1]:2883", None, "mqtt://[::1]:2883"),
            ("mqtt://127.0.0.1:1884", Some(false), "mqtt://127.0.0.1:1884"),
        ] {
            let said = Said { broker_url: url.into(), use_tls, ..said() };
            assert_eq!(Settings::check(said).unwrap().address(), address);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_write() {
        type Change = fn(&mut Said);
        let cases: [(Change, &str); 17] = [
            (
                |it| it.use_tls = Some(false),
                "write `use_tls = true`, or `broker_url = \"mqtt://...\"`",
            ),
            (
                |it| it.broker_url = "mqtt://b:1883".into(),
                "write `use_tls = false`, or `broker_url = \"mqtts://...\"`",
            ),
            (|it| it.broker_url = "tcp://u:s3cret@b".into(), "write `mqtt://host:1883`"),
            (|it| it.broker_url = "mqtts://u:s3cret@b".into(), "write `username` and `password`"),
            (|it| it.broker_url = "broker.example.com".into(), "write `mqtt://host:1883`"),
            (|it| it.broker_url = "mqtts://:8883".into(), "no host and port"),
            (|it| it.broker_url = "mqtts://b:70000".into(), "no host and port"),
            (|it| it.broker_url = "mqtts://b/topic".into(), "no host and port"),
            (|it| it.client_id = "  ".into(), "give this host a name of its own"),
            (|it| it.client_id = "x".repeat(300), "300 bytes"),
            (|it| it.qos = Some(3), "`qos = 3`"),
            (|it| it.topics = vec!["a/#/b".into()], "`a/#/b`"),
            (|it| it.username = None, "write `username` too"),
            (|it| it.ca_pem = Some(b"none".to_vec()), "`ca_file` has no certificate in PEM"),
            (|it| it.key_pem = Some(b"none".to_vec()), "`cert_file` and `key_file` go together"),
            (
                |it| (it.cert_pem, it.key_pem) = (Some(b"none".to_vec()), Some(Vec::new())),
                "`cert_file` has no certificate in PEM",
            ),
            (
                |it| {
                    (it.broker_url, it.use_tls) = ("mqtt://b".into(), None);
                    (it.cert_pem, it.key_pem) = (Some(Vec::new()), Some(Vec::new()));
                },
                "`cert_file` is of use with TLS alone",
            ),
        ];
        for (change, expected) in cases {
            let mut said = said();
            change(&mut said);
            let error = Settings::check(said).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
