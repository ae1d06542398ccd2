//! API Gateway's shape.

pub use sop_wiring::gateway::{Call, answer};

#[cfg(test)]
mod tests;
