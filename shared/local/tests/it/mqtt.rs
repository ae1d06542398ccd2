//! The MQTT server, met by its clients.
