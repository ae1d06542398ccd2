//! The hosts there are, and what each lacks.

/// A kind of host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The template's free part and the real functions on LocalStack, in a container.
    LocalStack,
    /// The template and the real functions on MiniStack.
    Emulator,
    /// `sop dev`.
    Dev,
}

/// What not every host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Definitions are pushed through the API; else they are files that the host reads.
    Push,
    /// Devices can publish to it.
    Mqtt,
    /// Devices show a certificate of their own, which may be inactive.
    DeviceCertificates,
    /// Paths come to the door as they were sent.
    RawPaths,
    /// Uplinks may be published to a rule itself.
    BasicIngest,
    /// The minute's tick comes by itself.
    Clock,
    /// Steps reach what listens on this machine.
    Loopback,
    /// Table and queues can be looked at directly.
    Aws,
    /// A function is told how often its message has been received.
    ReceiveCounts,
    /// Nobody else runs the suites of stores and queues on its services.
    Suites,
}

impl Kind {
    /// All of them, in the order in which they are tested.
    pub const ALL: [Self; 3] = [Self::LocalStack, Self::Emulator, Self::Dev];

    /// What it is called in `SOP_DEPLOYMENT`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::LocalStack => "localstack",
            Self::Emulator => "emulator",
            Self::Dev => "dev",
        }
    }

    /// What it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalStack => "LocalStack",
            Self::Emulator => "MiniStack",
            Self::Dev => "sop dev",
        }
    }

    /// Why scenarios that need `feature` are left out there; nothing when it has it.
    pub const fn lacks(self, feature: Feature) -> Option<&'static str> {
        match (self, feature) {
            (
                Self::LocalStack,
                Feature::Mqtt | Feature::BasicIngest | Feature::DeviceCertificates,
            ) => Some("its free edition has no IoT Core"),
            (Self::LocalStack, Feature::Clock) => Some("it keeps schedules and never fires them"),
            (Self::LocalStack, Feature::Loopback) => {
                Some("its functions are in the container and reach nothing outside")
            }
            (Self::LocalStack, Feature::ReceiveCounts) => {
                Some("its functions are not told of a fourth receive")
            }
            (Self::Dev, Feature::Push) => Some("it reads its definitions from files"),
            (Self::Dev, Feature::DeviceCertificates) => Some("it has no device certificates"),
            (Self::Dev, Feature::BasicIngest) => Some("it has no rules to publish to"),
            (Self::Dev, Feature::Aws | Feature::Suites) => Some("it has no AWS services"),
            (Self::Emulator, Feature::Suites) => Some("the tests of `shared/aws` do that"),
            // Not UTF-8: MiniStack puts replacement characters there, the door before LocalStack does.
            (Self::LocalStack | Self::Emulator, Feature::RawPaths) => {
                Some("it decodes paths by itself")
            }
            (Self::LocalStack, Feature::Push | Feature::Aws | Feature::Suites)
            | (
                Self::Emulator,
                Feature::Push
                | Feature::Mqtt
                | Feature::DeviceCertificates
                | Feature::BasicIngest
                | Feature::Clock
                | Feature::Loopback
                | Feature::ReceiveCounts
                | Feature::Aws,
            )
            | (
                Self::Dev,
                Feature::Mqtt
                | Feature::RawPaths
                | Feature::Clock
                | Feature::Loopback
                | Feature::ReceiveCounts,
            ) => None,
        }
    }
}
