//! The MQTT server, met by its clients.

mod clients;
mod hostile;
mod raw;
mod rules;
mod server;
mod sessions;
