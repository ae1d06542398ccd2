//! What an operator can do about a connection that fails.

use std::error::Error;
use std::io::{self, ErrorKind};

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError};
use tokio_rustls::rustls;

/// The remedy for `error`. `is_tls` is how the broker was spoken to, and `was_in` whether it had let this
/// host in before the error.
pub(super) fn advice(error: &ConnectionError, is_tls: bool, was_in: bool) -> &'static str {
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            "the broker does not answer: check host and port in `broker_url`, and what stands in between"
        }
        ConnectionError::Tls(TlsError::Io(error)) => of_io(error, was_in, mismatch(true)),
        ConnectionError::Io(error) | ConnectionError::MqttState(StateError::Io(error)) => {
            of_io(error, was_in, hung_up(is_tls))
        }
        ConnectionError::Tls(TlsError::TLS(error)) => of_tls(error),
        ConnectionError::Tls(_) => {
            "the host in `broker_url` is no name that a certificate can be for"
        }
        ConnectionError::MqttState(_) | ConnectionError::NotConnAck(_) if !was_in => {
            hung_up(is_tls)
        }
        ConnectionError::MqttState(_)
        | ConnectionError::NotConnAck(_)
        | ConnectionError::RequestsDone => "the broker broke the protocol's rules; look at its log",
    }
}

fn refused(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => "check `username` and `password`",
        ConnectReturnCode::NotAuthorized => {
            "the broker lets nobody in so: give `username` and `password`, or allow this `client_id` there"
        }
        ConnectReturnCode::BadClientId => {
            "the broker does not take this `client_id`: choose another"
        }
        ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 3.1.1",
        ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
            "the broker is not ready: nothing to do here"
        }
    }
}

/// The remedy for an error of the connection; `broken` where all that is known is that it broke off before the
/// broker had let this host in.
#[expect(clippy::wildcard_enum_match_arm, reason = "others' kinds of error, which grow")]
fn of_io(error: &io::Error, was_in: bool, broken: &'static str) -> &'static str {
    if let Some(tls) = inner(error) {
        return of_tls(tls);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens there: start the broker, or check host and port in `broker_url`"
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "the broker cannot be reached: check host and port in `broker_url`, and what stands in between"
        }
        _ if was_in => "the broker ended the connection, as when it restarts",
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::InvalidData => broken,
        _ => "check host and port in `broker_url`",
    }
}

/// The remedy for a broker that ends the connection before it lets this host in, TLS being agreed on where there
/// is any.
const fn hung_up(is_tls: bool) -> &'static str {
    if is_tls { NO_CERTIFICATE } else { mismatch(false) }
}

const NO_CERTIFICATE: &str = "the broker speaks TLS and hangs up: give a certificate that it knows, and has active, in `cert_file` and \
     `key_file`, or see in its log what else it asks for";

/// What TLS said, where an error of the connection is its.
fn inner(error: &io::Error) -> Option<&rustls::Error> {
    let mut source: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = source {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        source = error.source();
    }
    None
}

#[expect(clippy::wildcard_enum_match_arm, reason = "others' kinds of error, which grow")]
fn of_tls(error: &rustls::Error) -> &'static str {
    use rustls::{AlertDescription as Alert, CertificateError as Bad};
    match error {
        rustls::Error::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        ) => "the broker's certificate is for another name: write that name in `broker_url`",
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "the broker's certificate has expired: renew it there, and check this machine's clock"
        }
        rustls::Error::InvalidCertificate(_) => {
            "nobody known vouches for the broker's certificate: name its authority's in `ca_file`"
        }
        rustls::Error::InvalidMessage(_) => mismatch(true),
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA,
        ) => NO_CERTIFICATE,
        _ => "broker and host do not agree on TLS; look at the broker's log",
    }
}

/// Seed 002, section 6: scheme and flag go in pairs.
const fn mismatch(is_tls: bool) -> &'static str {
    if is_tls {
        "the port does not seem to speak TLS: write `mqtt://` and `use_tls = false`, or the port that does \
         (usually 8883)"
    } else {
        "the port seems to speak TLS, or no MQTT: write `mqtts://` and `use_tls = true`, or the port that \
         speaks plain MQTT (usually 1883)"
    }
}
