//! Log lines: how they are written.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, reload};

use crate::serve::SetLogLevel;
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

/// For the daemon: every line with its time, on standard error, as the settings say. What is returned sets the level
/// while it runs.
pub(super) fn for_daemon(settings: LogSettings) -> SetLogLevel {
    let (filter, handle) = reload::Layer::new(targets(settings.level));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let _ = match settings.format {
        LogFormat::Text => registry.with(lines.with_ansi(false).with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    Box::new(move |level| {
        if let Err(fault) = handle.reload(targets(level)) {
            ::tracing::warn!(
                error = &fault as &dyn std::error::Error,
                "the log level stays as it was"
            );
        }
    })
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // What goes wrong in a library comes back as an error, and is told with what was being done.
    Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("orchestrator", level)
}
