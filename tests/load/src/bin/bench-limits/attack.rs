//! The attacker: he invents identities as fast as he can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use orchestrator_load::{Clients, Load, Outcome, Pace, Work, run};

use crate::stage::{Stage, pool};

/// Identities a second: more than the daemon answers.
const RATE: f64 = 10_000.0;
/// How long he is at it before others arrive.
const AHEAD: Duration = Duration::from_secs(2);

/// An attack that is under way.
pub(crate) struct Attack {
    thread: JoinHandle<Result<Outcome>>,
    stop: Arc<AtomicBool>,
}

impl Attack {
    /// Begins to invent so many identities, and returns when it is under way.
    pub(crate) fn begin(stage: &Stage, identities: u64) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (namespace, stopped) = (stage.attacker.namespace.clone(), stop.clone());
        let pool = pool()?;
        let thread = thread::spawn(move || {
            namespace.within(|| {
                let mut clients = Clients::new(getrandom::u32().unwrap_or(1) | 1 << 31, 0);
                let mut load = Load::new(Work::New, Pace::Rate(RATE), Duration::from_secs(3600));
                load.most = identities;
                run("eth0", pool, &mut clients, &load, &stopped)
            })
        });
        thread::sleep(AHEAD);
        Ok(Self { thread, stop })
    }

    /// Ends it. Returns what came of it, in words.
    pub(crate) fn end(self) -> Result<String> {
        let is_over = self.thread.is_finished();
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.join().map_err(|_| anyhow!("the attacker panicked"))??;
        let when = if is_over {
            "he had finished"
        } else {
            "he was still at it"
        };
        Ok(format!(
            "{} identities invented at {RATE} a second, {} leases; {when}",
            outcome.begun, outcome.completed
        ))
    }
}
