//! How a client is let in.

use mqtt_proto::VarBytes;

use super::{
    CLIENT_ID_BYTES_MAX, Shared,
    codec::{Connect, First, Frame, Version},
    fault::Fault,
    registry::{Mailbox, Place},
    reply::{self, Denial},
};

/// A client that was let in, and what it is to be told.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) version: Version,
    pub(super) keep_alive_secs: u16,
    pub(super) place: Place,
    pub(super) mailbox: Mailbox,
    pub(super) welcome: VarBytes,
}

/// A client that was not let in: what it is to be told, if anything, and why.
pub(super) type Denied = (Option<VarBytes>, Fault);

/// Reads the first packet of a connection and gives the client its place.
pub(super) fn admit(frame: &Frame, shared: &Shared) -> Result<Admitted, Denied> {
    let connect = match frame.first() {
        Ok(First::Connect(connect)) => connect,
        Ok(First::OtherProtocol) => {
            let fault = Fault::NotAdmitted("its protocol is not MQTT 3.1.1 or 5");
            return Err((Some(reply::other_protocol()), fault));
        }
        Err(fault) => return Err((None, fault)),
    };
    if let Some((denial, why)) = denial(&connect, shared) {
        return Err((Some(reply::denial(connect.version, denial)), Fault::NotAdmitted(why)));
    }
    let (place, mailbox, resumed) = shared.registry.enter(&connect);
    let assigned = connect.client_id.is_empty().then_some(&*place.client_id);
    let welcome = reply::welcome(connect.version, resumed, assigned);
    let Connect { version, keep_alive_secs, .. } = *connect;
    Ok(Admitted { version, keep_alive_secs, place, mailbox, welcome })
}

fn denial(connect: &Connect, shared: &Shared) -> Option<(Denial, &'static str)> {
    if connect.has_auth_method {
        return Some((Denial::AuthMethod, "enhanced authentication is not supported"));
    }
    if !knows(connect, shared) {
        return Some((Denial::Credentials, "its user or its password is wrong"));
    }
    if connect.client_id.len() > CLIENT_ID_BYTES_MAX {
        return Some((Denial::ClientId, "its client identifier is too long"));
    }
    // MQTT 3.1.1 cannot tell the client which identifier its session would have.
    if connect.client_id.is_empty() && connect.version == Version::V311 && !connect.clean {
        return Some((Denial::ClientId, "a persistent session needs a client identifier"));
    }
    None
}

/// Whether the client is one of the users, or need not be. All are asked, so that the time tells nothing.
fn knows(connect: &Connect, shared: &Shared) -> bool {
    let (user, password) = (connect.user.as_deref(), connect.password.as_deref());
    let agreed = shared.users.iter().fold(false, |any, one| any | one.agree(user, password));
    let is_nobody = user.is_none() && password.is_none();
    agreed || shared.users.is_empty() || (shared.anonymous && is_nobody)
}
