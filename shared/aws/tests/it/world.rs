//! One emulator for all tests of the binary; a table and queues of its own for each.

use std::sync::OnceLock;

use sop_aws::config::Settings;
use sop_aws::provision::{self, QueueSettings};
use sop_aws::{QueueUrls, SdkConfig};
use sop_emulator::{CREDENTIALS, Emulator, REGION};
use sop_testkit::ids::fresh;

static EMULATOR: OnceLock<Emulator> = OnceLock::new();

/// How often the queues of these tests let a message be received.
pub const RECEIVES_MAX: u32 = 3;

pub fn config() -> SdkConfig {
    let emulator = EMULATOR.get_or_init(|| Emulator::start().expect("the emulator starts"));
    Settings::emulator(emulator.endpoint(), REGION, CREDENTIALS).load()
}

/// A table that no other test has.
pub async fn table(config: &SdkConfig) -> String {
    let name = fresh("it");
    provision::table(config, &name).await.expect("the table is made");
    name
}

/// Queues that no other test has.
pub async fn queues(config: &SdkConfig) -> QueueUrls {
    let settings = QueueSettings { receives_max: RECEIVES_MAX, visibility_secs: 30 };
    provision::queues(config, &fresh("it"), settings).await.expect("the queues are made")
}
