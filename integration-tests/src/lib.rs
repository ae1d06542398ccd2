//! The deployed system, tested through its front doors only.
//!
//! A [`Deployment`] is the system on one host: the template on an AWS emulator, or `sop dev`. Scenarios
//! know nothing of the host: they speak HTTP and MQTT, and look at what came of it through the API.

mod client;
mod deployment;
mod device;
mod poll;
mod runner;
mod world;

pub use client::{Answer, Client, Request};
pub use deployment::aws::{Aws, Topic};
pub use deployment::dev::Dev;
pub use deployment::emulator::OnEmulator;
pub use deployment::kind::{Feature, Kind};
pub use deployment::localstack::{LocalStack, OnLocalStack, is_localstack};
pub use deployment::roles::{Roles, Statement};
pub use deployment::{
    Deployment, PROBE_SECRET, RATE_LIMIT, SECOND_LAYER, SIGNING_SECRET, SopFiles,
};
pub use device::{Connection, DeviceError, Pem, publish};
pub use poll::{SOON, poll};
pub use reqwest::Method;
pub use runner::{Scenario, Stage, Tally, run};
pub use world::World;
