//! Log lines: how they are written.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// For a verb that ends soon: what goes wrong, on standard error, without time.
pub(super) fn for_people() {
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false);
    // A second call, in tests only, changes nothing.
    let _ = tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(layer)
        .try_init();
}
