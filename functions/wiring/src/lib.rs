//! What the Lambda functions share: the environment, logs, hosts, and the shapes AWS calls them with.
//!
//! Nothing here decides. A function takes from here what it uses; what it does not use is not linked.

pub mod batch;
pub mod device;
pub mod env;
pub mod gateway;
pub mod host;
pub mod log;
pub mod rules;
mod serve;

pub use serve::{NAMESPACE, serve};
