//! The MQTT server, met by its clients.

mod clients;
mod raw;
mod rules;
mod server;
