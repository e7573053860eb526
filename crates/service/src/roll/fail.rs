//! Instances that fail: they are replaced with back-off, and a version that fails too often is given up.

use orchestrator_model::{Timestamp, show_lifespan};

use super::board::Board;
use super::{Cause, Move, SlotSituation, Wait, back_off};
use crate::health::Health;

/// Drains slots whose instances failed, at most one of them with a count of the failure. Returns whether the version was
/// given up.
pub(super) fn replace_failed(board: &mut Board<'_>) -> bool {
    let situation = board.situation;
    let mut failed: Vec<(&SlotSituation, String)> = Vec::new();
    for slot in board.wanted.clone() {
        if slot.serves() {
            continue;
        }
        if slot.off {
            board.wait(Wait::SwitchedOff { slot: slot.number });
            continue;
        }
        let until = slot.since.plus(situation.strategy.within);
        match failure(board, slot, until) {
            Some(reason) => failed.push((slot, reason)),
            None => {
                board.wait(Wait::Serving {
                    slot: slot.number,
                    until,
                });
                board.wake(until);
            }
        }
    }
    // One of an old version is replaced anyway: it makes room.
    let (old, counted): (Vec<_>, Vec<_>) = failed
        .into_iter()
        .partition(|(slot, _)| !situation.paused && !board.is_current(slot));
    for (slot, reason) in old {
        if board.is_full() {
            break;
        }
        board.drain(slot.number, Cause::Failed(reason));
    }
    match counted.into_iter().min_by_key(|(slot, _)| (slot.since, slot.number)) {
        Some((slot, reason)) => count_failure(board, slot, reason),
        None => {
            recover(board);
            false
        }
    }
}

/// Why a slot that does not serve has failed; `None` while it has time.
fn failure(board: &Board<'_>, slot: &SlotSituation, until: Timestamp) -> Option<String> {
    let strategy = &board.situation.strategy;
    let what = if slot.health == Health::Failing {
        "its checks fail".to_owned()
    } else if slot.attempts >= strategy.failures {
        format!("it was not brought up in {} tries", slot.attempts)
    } else if board.situation.now >= until {
        format!("it does not serve after {}", show_lifespan(strategy.within))
    } else {
        return None;
    };
    Some(match &slot.reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    })
}

/// Counts the failure of one slot, and replaces it if its pause is over. Returns whether the version was given up.
fn count_failure(board: &mut Board<'_>, slot: &SlotSituation, reason: String) -> bool {
    let situation = board.situation;
    let (failures, target) = (situation.failures, situation.target.version);
    let until = failures
        .last
        .map_or(situation.now, |last| last.plus(back_off(failures.in_a_row)));
    if situation.now < until {
        let failures = failures.in_a_row;
        board.wait(Wait::BackOff { until, failures });
        board.wake(until);
        return false;
    }
    let count = failures.in_a_row.saturating_add(1);
    let reason = format!("slot {} of version {}: {reason}", slot.number, slot.version);
    let is_tried = situation.good != Some(target) && situation.given_up != Some(target);
    if is_tried && board.is_current(slot) && !situation.paused && count >= situation.strategy.failures {
        board.add(Move::Failed { reason: reason.clone() });
        let (version, back_to) = (target, situation.good);
        let reason = format!("{count} of its instances failed in a row, the last one was {reason}");
        board.add(Move::GiveUp {
            version,
            back_to,
            reason,
        });
        return true;
    }
    board.add(Move::Failed { reason: reason.clone() });
    board.drain(slot.number, Cause::Failed(reason));
    false
}

/// Sets the failures to none once a replacement, or every instance, of the target version has served for the pause that is
/// due now.
fn recover(board: &mut Board<'_>) {
    let situation = board.situation;
    let (Some(last), 1..) = (situation.failures.last, situation.failures.in_a_row) else {
        return;
    };
    let pause = back_off(situation.failures.in_a_row);
    let since = |slot: &&SlotSituation| slot.since.max(last);
    let serving = || board.wanted.iter().copied().filter(|slot| slot.serves());
    let replacement = serving().filter(|slot| board.is_current(slot) && slot.opened >= last);
    let replacement = replacement.map(|slot| since(&slot)).min();
    // Old ones that serve say nothing of the target version.
    let is_proof = |slot: &&SlotSituation| slot.serves() && board.is_current(slot);
    let complete = board.wanted.iter().all(is_proof) && board.wanted.len() >= board.count();
    let everything = serving().map(|slot| since(&slot)).max().filter(|_| complete);
    let Some(since) = replacement.into_iter().chain(everything).min() else {
        return;
    };
    let until = since.plus(pause);
    match situation.now < until {
        true => board.wake(until),
        false => board.add(Move::Recovered),
    }
}
