//! The traits that a component author implements, and the few types they share. No I/O.
//!
//! ```text
//!  Receiver ──Outlet──▶ Stage, Stage, … ──▶ ledger ──▶ Exporter (one loop an exporter, run by the engine)
//! ```
//!
//! The acknowledgement is the return value of [`Outlet::deliver`]: it cannot be forgotten or forged, and a dropped
//! future means "not delivered".

pub mod audit;
mod config;
mod delivery_config;
mod exporter;
mod extension;
mod kept;
mod outlet;
mod problem;
mod processor;
mod receiver;
mod reservation;
pub mod settings;
mod suggest;
mod verdict;

pub use config::{
    BuildContext, BuildError, Checked, Claim, ComponentId, ExporterConfig, ExtensionConfig,
    ProcessorConfig, ReceiverConfig,
};
pub use delivery_config::{
    BatchConfig, DeliveryConfig, PartitionConfig, QueueConfig, RetryConfig, Sizer,
};
pub use exporter::{Batching, BuiltExporter, Delivery, DynExporter, Exporter, Retry, StartAt};
pub use extension::{ClientAuth, Extension, ServerAuth};
pub use kept::Kept;
pub use outlet::{Consume, Outlet};
pub use problem::{Key, Problem, Problems, Severity};
pub use processor::{Fate, Reservation, Reserve, Settle, Stage, Transform, Wait};
pub use receiver::Receiver;
pub use reservation::{EventId, IdClaim, IdMemory, KnownIds, Seen};
pub use settings::{ByteSize, HumanDuration, Secret};
pub use suggest::nearest;
pub use verdict::{After, Undelivered, Verdict};

/// Any error that crosses a component's boundary only to be shown.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The boxed form of the futures at the seams between the engine and its components.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
