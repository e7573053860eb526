//! One question to a fake machine: it may be late, fail, hang, or happen though nobody waits for it any more.

use std::io;
use std::time::Duration;

use orchestrator_plugin::EngineError;
use tokio::time::sleep;

use super::state::EngineState;
use super::{FakeMachine, FakeState};
use crate::Cause;

/// The fate of a step.
#[derive(Debug, Clone, Copy)]
struct Fate {
    before: Duration,
    after: Duration,
    fails_before: bool,
    fails_after: bool,
    hangs: bool,
}

/// Counts a call for as long as it is under way.
pub(super) struct UnderWay {
    machine: FakeMachine,
    verb: &'static str,
}

/// An effect that may happen though its call was dropped.
struct Late<'m, F: FnOnce(&mut FakeState)> {
    machine: &'m FakeMachine,
    effect: Option<F>,
}

impl<F: FnOnce(&mut FakeState)> Drop for Late<'_, F> {
    fn drop(&mut self) {
        let Some(effect) = self.effect.take() else { return };
        self.machine.with(|state| {
            let chance = state.faults.happens_late;
            if state.random.happens(chance) {
                effect(state);
                state.drop_unattached();
                state.look_for_violations();
            }
        });
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((now, _)) = self.machine.state().under_way.get_mut(self.verb) {
            *now = now.saturating_sub(1);
        }
    }
}

impl FakeMachine {
    /// Counts a call of this verb.
    pub(super) fn call(&self, verb: &'static str) -> UnderWay {
        let mut state = self.state();
        *state.calls.entry(verb).or_default() += 1;
        let (now, most) = state.under_way.entry(verb).or_default();
        *now += 1;
        *most = (*most).max(*now);
        UnderWay {
            machine: self.clone(),
            verb,
        }
    }

    /// Asks the machine for something that changes it. `engine` is who must answer; `None` is the kernel.
    pub(super) async fn change(
        &self,
        doing: &'static str,
        engine: Option<&str>,
        effect: impl FnOnce(&mut FakeState),
    ) -> Result<(), Cause> {
        let fate = self.fate();
        let mut late = Late {
            machine: self,
            effect: Some(effect),
        };
        self.crash_points().pass().await;
        sleep(fate.before).await;
        if let Err(fault) = self.answers(engine, fate.hangs).await {
            // A request that an engine accepted and did not answer may have happened. One that it refused has not.
            if matches!(fault, Cause::Engine(EngineError::Unavailable { .. })) {
                late.effect = None;
            }
            return Err(fault);
        }
        if fate.fails_before {
            late.effect = None;
            return Err(failed(doing));
        }
        if let Some(effect) = late.effect.take() {
            self.with(|state| {
                effect(state);
                state.drop_unattached();
                state.look_for_violations();
            });
        }
        self.crash_points().pass().await;
        sleep(fate.after).await;
        match fate.fails_after {
            true => Err(failed(doing)),
            false => Ok(()),
        }
    }

    /// Asks the machine for something that changes nothing.
    pub(super) async fn ask<T>(
        &self,
        doing: &'static str,
        engine: Option<&str>,
        look: impl FnOnce(&FakeState) -> T,
    ) -> Result<T, Cause> {
        let fate = self.fate();
        self.crash_points().pass().await;
        sleep(fate.before).await;
        self.answers(engine, fate.hangs).await?;
        if fate.fails_before {
            return Err(failed(doing));
        }
        let seen = look(&self.state());
        sleep(fate.after).await;
        Ok(seen)
    }

    /// Whether an engine answers; one that hangs takes its time first.
    pub(super) async fn answers(&self, engine: Option<&str>, hangs: bool) -> Result<(), Cause> {
        let (limit, found) = {
            let state = self.state();
            let found = engine.map(|name| state.engines.get(name).copied().ok_or(name));
            (state.settings.engine_limit, found)
        };
        let engine_state = match found {
            None => EngineState::Up,
            Some(Err(name)) => return Err(Cause::UnknownEngine(name.to_owned())),
            Some(Ok(state)) => state,
        };
        match engine_state {
            EngineState::Down => Err(Cause::Engine(EngineError::Unavailable {
                engine: engine.unwrap_or_default().to_owned(),
                source: Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)),
            })),
            EngineState::Up if !hangs => Ok(()),
            EngineState::Up | EngineState::Hanging => {
                sleep(limit).await;
                Err(Cause::Engine(EngineError::Timeout {
                    engine: engine.unwrap_or("kernel").to_owned(),
                    verb: "answer",
                    seconds: limit.as_secs(),
                }))
            }
        }
    }

    fn fate(&self) -> Fate {
        let mut state = self.state();
        let faults = state.faults;
        let random = &mut state.random;
        Fate {
            before: random.within(faults.latency),
            after: random.within(faults.latency),
            fails_before: random.happens(faults.fails_before),
            fails_after: random.happens(faults.fails_after),
            hangs: random.happens(faults.hangs),
        }
    }
}

fn failed(doing: &'static str) -> Cause {
    Cause::Engine(EngineError::Failed {
        verb: doing,
        subject: "what it was asked for".to_owned(),
        reason: "the test has it fail".to_owned(),
    })
}
