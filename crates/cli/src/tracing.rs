//! The log: its format and its destination.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, reload};

use orchestrator_settings::{LogFormat, LogLevel, LogSettings, SetLogLevel};
use orchestrator_verbs::printable::{escape_json, escape_line};

/// For a verb that ends soon: warnings on standard error, without time.
pub(super) fn for_people() {
    let layer = fmt::layer()
        .with_writer(Lines(LogFormat::Text))
        .without_time()
        .with_target(false)
        .with_ansi(false);
    // A second call, in tests only, changes nothing.
    let _ = tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(layer)
        .try_init();
}

/// For the daemon: every line with its time on standard error, in the format of the settings. Returns a function that
/// sets the level while the daemon runs.
pub(super) fn for_daemon(settings: LogSettings) -> SetLogLevel {
    let (filter, handle) = reload::Layer::new(targets(settings.level));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(Lines(settings.format));
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

/// Standard error, written one whole line at a time. Text of clients cannot begin another line or act on a terminal.
#[derive(Debug, Clone, Copy)]
struct Lines(LogFormat);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for Lines {
    /// Takes a whole line, with the line feed that ends it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut escaped = match self.0 {
            LogFormat::Text => escape_line(text),
            LogFormat::Json => escape_json(text),
        };
        escaped.push('\n');
        io::stderr().write_all(escaped.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // A library's faults come back as errors, and are logged with their context.
    Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("orchestrator", level)
}
