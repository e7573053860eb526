//! Discarded messages. All are counted, and the first of each reason in a minute is logged.
//!
//! So an operator whose client gets no answer finds the reason in the log. A stranger can send any number of messages,
//! so the others of that minute are logged at `debug` only; the next line has their number.

use std::fmt::Display;
use std::net::SocketAddrV6;

use orchestrator_runtime::log_limit::LogLimit;
use orchestrator_runtime::metrics::Metrics;

/// Counts and logs the discarded messages of one link, or of one port for relay agents.
pub(super) struct Discards {
    /// The name of the link or interface in the log.
    place: String,
    metrics: Metrics,
    /// A log limit separate from that of the metrics. The next line has the number of suppressed lines, and no warning
    /// is logged for them.
    limit: LogLimit,
}

impl Discards {
    /// For this link or interface.
    pub(super) fn new(place: &str, metrics: Metrics) -> Self {
        Self {
            place: place.to_owned(),
            metrics,
            limit: LogLimit::default(),
        }
    }

    /// Counts a message under the word for its reason, and logs the reason.
    pub(super) fn note(&self, source: SocketAddrV6, word: &'static str, reason: &dyn Display) {
        self.metrics.dhcp6_discarded(word);
        match self.limit.admit(word) {
            Some(0) => tracing::info!(on = self.place, %source, "discarded: {reason}"),
            Some(held_back) => tracing::info!(on = self.place, %source, held_back, "discarded: {reason}"),
            None => tracing::debug!(on = self.place, %source, "discarded: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tokio::time::advance;
    use tracing::Level;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use orchestrator_runtime::log_limit::PERIOD;

    /// The lines that were logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        /// Takes the logged lines.
        fn take(&self) -> Vec<String> {
            let bytes = std::mem::take(&mut *self.0.lock().unwrap());
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_of_each_reason_a_minute_is_at_info_and_all_are_counted() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(Level::INFO);
        let _subscribed = tracing::subscriber::set_default(subscriber.with_writer(lines.clone()).finish());
        let metrics = Metrics::default();
        let discards = Discards::new("br0", metrics.clone());
        let source = SocketAddrV6::new("fe80::7".parse().unwrap(), 546, 0, 3);
        let note = |word, count| (0..count).for_each(|_| discards.note(source, word, &"so it is"));

        note("malformed", 1000);
        note("unicast", 1);
        let first = lines.take();
        assert_eq!(first.len(), 2, "{first:?}");
        assert!(first[0].contains("INFO") && first[0].contains("br0") && first[0].contains("fe80::7"));
        assert!(first[0].contains("discarded: so it is") && !first[0].contains("held_back"));

        advance(PERIOD).await;
        note("malformed", 2);
        let second = lines.take();
        assert_eq!(second.len(), 1, "{second:?}");
        assert!(second[0].contains("held_back=999"), "{second:?}");
        let text = metrics.render().unwrap();
        for counted in ["reason=\"malformed\"} 1002", "reason=\"unicast\"} 1"] {
            assert!(text.contains(counted), "{text}");
        }
    }
}
