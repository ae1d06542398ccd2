//! The ports on AWS's services, as an emulator offers them.

mod conformance;
mod world;
