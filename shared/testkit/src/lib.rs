//! What tests share: ports in memory, ports that fail, a manual clock, and the conformance suites that
//! every port must pass.
//!
//! Of all this only [`story`], and what it stands on, is linked into a binary that ships: `sop test`.

pub mod conformance;
pub mod failing;
pub mod ids;
pub mod memory;
pub mod scenario;
pub mod story;
pub mod world;

mod clock;
mod patience;
mod secrets;

pub use clock::ManualClock;
pub use failing::{Failing, Fuse, Moment};
pub use memory::{Memory, MemoryRules};
pub use patience::{Passage, RealTime, eventually};
pub use secrets::MemorySecrets;
pub use world::{Mischief, World};
