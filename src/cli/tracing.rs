//! Log lines: how they are written.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LogFormat, LogLevel, LogSettings};

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

/// For the daemon: every line with its time, on standard error, as the settings say.
pub(super) fn for_daemon(settings: LogSettings) {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // What goes wrong in a library comes back as an error, and is told with what was being done.
    let ours = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("orchestrator", level);
    let registry = tracing_subscriber::registry().with(ours);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let _ = match settings.format {
        LogFormat::Text => registry.with(lines.with_ansi(false).with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
}
