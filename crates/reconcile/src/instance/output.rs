//! The last output of an instance that ended, does not answer, or is about to be removed, for its timeline.
//!
//! The programs of the instance choose this text. So it is bounded in lines and bytes, and its control characters are
//! replaced.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use orchestrator_host::{ContainerName, ContainerRef, HostError, LogRequest, OutputStream};
use orchestrator_model::{EventKind, Instance, InstanceId};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::StoreError;
use tokio::time::timeout;

use super::Orchestrator;
use super::request::instance_ref;

/// The most lines that are kept, from the end.
const LINES: u16 = 20;

/// The most bytes that are kept, from the end.
const BYTES: usize = 4 << 10;

/// The most bytes of one line that are kept, from its beginning.
const LINE: usize = 400;

/// Of so many tries in a row the output is recorded.
const TRIES: u32 = 3;

/// How long an engine may take to hand its log out. Somebody may wait for the instance meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

impl Orchestrator {
    /// Records the last lines that a container wrote, the one at this place among those of the instance. Without any
    /// output nothing is recorded, and where the engine keeps none.
    ///
    /// `attempts` counts the tries since the instance last was ready for long. An instance that ends again and again fills
    /// the timeline with the first few of its ends only.
    pub(super) async fn record_output(
        &self,
        instance: &Instance,
        place: usize,
        attempts: u32,
    ) -> Result<(), StoreError> {
        if attempts > TRIES {
            return Ok(());
        }
        let containers = instance_ref(instance).containers;
        let Some(container) = containers.get(place) else {
            return Ok(());
        };
        match self.last_output(instance, container).await {
            Ok(None) => Ok(()),
            Ok(Some(text)) | Err(text) => self.append_output(instance, container, text).await,
        }
    }

    /// Records the last lines that the containers of an instance wrote that is about to be removed. Output that cannot be
    /// read is left out: its container may be gone already.
    pub(super) async fn record_last_words(&self, instance: &Instance) -> Result<(), StoreError> {
        for container in &instance_ref(instance).containers {
            match self.last_output(instance, container).await {
                Ok(None) => {}
                Ok(Some(text)) => self.append_output(instance, container, text).await?,
                Err(reason) => {
                    tracing::debug!(instance = %instance.id, container = %container.name, reason, "no last words")
                }
            }
        }
        Ok(())
    }

    /// Records an output, unless it is what was recorded of this container before.
    async fn append_output(
        &self,
        instance: &Instance,
        container: &ContainerRef,
        text: String,
    ) -> Result<(), StoreError> {
        let text = match container.name.is_main() {
            true => text,
            false => format!("container {}:\n{text}", container.name),
        };
        if self.inner.outputs.is_recorded(instance.id, &container.name, &text) {
            return Ok(());
        }
        let event = self.event(instance, EventKind::InstanceOutput, Some(text.clone()));
        self.inner.records.append_event(event).await?;
        self.inner.outputs.record(instance.id, &container.name, &text);
        Ok(())
    }

    /// The last lines that a container wrote; `None` when there are none, or the engine keeps none.
    ///
    /// # Errors
    ///
    /// Why they could not be read.
    async fn last_output(&self, instance: &Instance, container: &ContainerRef) -> Result<Option<String>, String> {
        let Some(host) = self.host_of(instance) else {
            return Ok(None);
        };
        let request = LogRequest {
            tail: Some(u32::from(LINES)),
            ..LogRequest::default()
        };
        let read = async {
            let output = host.logs(container, &request).await?;
            Ok::<_, HostError>(end_of(output).await)
        };
        match timeout(PATIENCE, read).await {
            Ok(Ok(bytes)) => Ok(Some(readable(&bytes)).filter(|text| !text.is_empty())),
            Ok(Err(fault)) if matches!(fault.code(), "engine-unsupported" | "not-running") => Ok(None),
            Ok(Err(fault)) => Err(format!("its last output could not be read: {}", with_causes(&fault))),
            Err(_) => Err(format!("its last output could not be read within {PATIENCE:?}")),
        }
    }
}

/// What was recorded last of the containers of each instance, so that it is not recorded twice. After a restart of the
/// daemon it may be.
#[derive(Debug, Default)]
pub(super) struct Outputs(Mutex<HashMap<InstanceId, BTreeMap<ContainerName, u64>>>);

impl Outputs {
    fn is_recorded(&self, instance: InstanceId, container: &ContainerName, text: &str) -> bool {
        let all = self.all();
        let known = all.get(&instance).and_then(|known| known.get(container));
        known == Some(&digest(text))
    }

    fn record(&self, instance: InstanceId, container: &ContainerName, text: &str) {
        let mut all = self.all();
        all.entry(instance).or_default().insert(container.clone(), digest(text));
    }

    /// An instance is gone.
    pub(super) fn forget(&self, instance: InstanceId) {
        self.all().remove(&instance);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<InstanceId, BTreeMap<ContainerName, u64>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The last bytes of a stream. One that breaks ends there.
async fn end_of(mut output: OutputStream) -> Vec<u8> {
    let mut end = VecDeque::new();
    while let Some(Ok(piece)) = output.next().await {
        let piece = piece.bytes();
        let piece = &piece[piece.len().saturating_sub(BYTES)..];
        let excess = (end.len() + piece.len()).saturating_sub(BYTES);
        end.drain(..excess);
        end.extend(piece);
    }
    end.into()
}

/// The last lines of an output, as text that may be shown anywhere.
fn readable(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut kept: Vec<String> = Vec::new();
    let mut bytes = 0;
    for line in text.lines().rev().filter(|line| !line.trim().is_empty()) {
        let line = harmless(line.trim_end());
        bytes += line.len() + 1;
        if kept.len() == usize::from(LINES) || bytes > BYTES {
            break;
        }
        kept.push(line);
    }
    kept.reverse();
    kept.join("\n")
}

/// A line in which each character that is not seen but acts is written as in Rust: `\u{1b}`.
fn harmless(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if shown.len() >= LINE {
            shown.push('…');
            break;
        }
        match c {
            '\t' => shown.push(' '),
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use orchestrator_host::Output;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_in_their_order() {
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let text = readable(many.as_bytes());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[19]), (20, "line 80", "line 99"));
        assert_eq!(readable(b"one\r\n\n  \ntwo"), "one\ntwo");
        assert_eq!(readable(b"\n \n"), "");
    }

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        assert_eq!(
            readable("\u{1b}[2J\u{7}a\tb \u{202e}txt \"q\" \\n \u{9b}1m\0".as_bytes()),
            "\\u{1b}[2J\\u{7}a b \\u{202e}txt \"q\" \\n \\u{9b}1m\\0"
        );
        assert_eq!(readable(b"\xff\xfe"), "\u{fffd}\u{fffd}");
        assert_eq!(readable("grüße 日本".as_bytes()), "grüße 日本");
    }

    #[test]
    fn lines_and_bytes_are_bounded_also_once_they_are_written_out() {
        let long = readable("x".repeat(3000).as_bytes());
        assert_eq!((long.chars().count(), long.ends_with('…')), (LINE + 1, true));
        let hostile: Vec<String> = (0..LINES).map(|_| "\u{1b}".repeat(200)).collect();
        let text = readable(hostile.join("\n").as_bytes());
        assert!(text.len() <= BYTES && text.lines().count() > 1, "{}", text.len());
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_output_is_kept() {
        let pieces = (0..1000).map(|n| Ok(Output::Stdout(Bytes::from(format!("line {n}\n").repeat(100)))));
        let end = end_of(Box::pin(stream::iter(pieces))).await;
        assert_eq!(end.len(), BYTES);
        assert!(end.ends_with(b"line 999\n"));
        let huge = stream::iter([Ok(Output::Stderr(Bytes::from(vec![b'x'; 1 << 20])))]);
        assert_eq!(end_of(Box::pin(huge)).await.len(), BYTES);
    }
}
