//! The text of panics.
//!
//! A panic reaches whoever joins its task as a payload without the place that it came from, and is written to standard
//! error on its way. While cases run, a hook keeps the text of the first one in place of that.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;

static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Keeps the text of panics until it is dropped; the hook that was there before takes its place again.
pub(crate) struct Panics {
    before: Option<Hook>,
}

impl Panics {
    pub(crate) fn keep() -> Self {
        let before = panic::take_hook();
        panic::set_hook(Box::new(|panic| {
            let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| text(panic));
        }));
        Self { before: Some(before) }
    }

    /// The first panic since this was asked last.
    pub(crate) fn take(&self) -> Option<String> {
        FIRST.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        if let Some(before) = self.before.take()
            && !std::thread::panicking()
        {
            panic::set_hook(before);
        }
    }
}

/// What was expected, and the line of the suite that says so.
fn text(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("it panicked");
    match panic.location() {
        Some(place) => format!("{what} ({}:{})", place.file(), place.line()),
        None => what.to_owned(),
    }
}
