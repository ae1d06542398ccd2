//! An MQTT broker elsewhere, whose messages come in here as those of our own server do.
//!
//! The session is persistent: what is published while this host is away is kept by the broker. A message
//! is acknowledged only when the handler has said that it is safe, and only on the connection that it
//! came over, so nothing that was not made safe is ever forgotten; what was safe already may come twice.
//!
//! `settings` checks what an operator wrote, `client` connects and stays connected, `advice` says what to
//! do about an error.
//!
//! Source: seed 002, section 2; MQTT 3.1.1 (OASIS Standard, 2014).

mod advice;
mod client;
mod settings;

pub use client::run;
pub use settings::{Said, Settings, SettingsError};
