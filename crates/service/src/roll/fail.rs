//! Instances that fail: they are replaced with back-off, and a version that fails too often is given up.

use orchestrator_model::{Timestamp, show_lifespan};

use super::back_off::{back_off, steady};
use super::board::Board;
use super::{Cause, Move, SlotSituation, Wait};
use crate::health::Health;

/// Drains slots whose instances failed, at most one of them with a count of the failure. Returns whether the version was
/// given up.
pub(super) fn replace_failed(board: &mut Board<'_>) -> bool {
    let situation = board.situation;
    let mut failed: Vec<(&SlotSituation, String)> = Vec::new();
    let mut unplaced = None;
    for slot in board.wanted.clone() {
        if slot.serves() {
            continue;
        }
        if slot.off {
            board.wait(Wait::SwitchedOff { slot: slot.number });
            continue;
        }
        let until = slot.since.plus(situation.strategy.within);
        if let Some(reason) = &slot.unplaced {
            unplaced = unplaced.or(wait_for_host(board, slot, until, reason));
            continue;
        }
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
    if let Some(reason) = unplaced {
        give_up(board, reason);
        return true;
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
    let failures = situation.failures;
    let until = failures
        .last
        .map_or(situation.now, |last| last.plus(back_off(failures.in_a_row)));
    if situation.now < until {
        let failures = failures.in_a_row;
        board.wait(Wait::BackOff { until, failures });
        board.wake(until);
        return false;
    }
    let count = match is_single(board, slot) {
        true => failures.in_a_row.max(1),
        false => failures.in_a_row.saturating_add(1),
    };
    let reason = format!("slot {} of version {}: {reason}", slot.number, slot.version);
    if is_tried(board, slot) && count >= situation.strategy.failures {
        board.add(Move::Failed {
            in_a_row: count,
            reason: reason.clone(),
        });
        let reason = format!("{count} of its instances failed in a row, the last one was {reason}");
        give_up(board, reason);
        return true;
    }
    board.add(Move::Failed {
        in_a_row: count,
        reason: reason.clone(),
    });
    board.drain(slot.number, Cause::Failed(reason));
    false
}

/// Whether the instance lived for long before it failed, while most others serve. That says nothing against replacements: of
/// many instances one fails now and then, and the next one is not to wait longer for each of them.
fn is_single(board: &Board<'_>, slot: &SlotSituation) -> bool {
    let strategy = &board.situation.strategy;
    let serving = board.wanted.iter().filter(|slot| slot.serves()).count();
    slot.since.since(slot.opened) >= strategy.within + strategy.steady && serving * 2 > board.count()
}

/// Whether a failure of this slot counts against a version that may still be given up.
fn is_tried(board: &Board<'_>, slot: &SlotSituation) -> bool {
    let (situation, target) = (board.situation, board.situation.target.version);
    let is_open = situation.good != Some(target) && situation.given_up != Some(target);
    is_open && board.is_current(slot) && !situation.paused
}

fn give_up(board: &mut Board<'_>, reason: String) {
    board.add(Move::GiveUp {
        version: board.situation.target.version,
        back_to: board.situation.good,
        reason,
    });
}

/// Waits for a host for a slot. Another slot of the version would find none either, so it is not replaced. One of an old
/// version makes room at once, because it has nothing to lose. Returns the reason to give the version up, if the time for a
/// host is over.
fn wait_for_host(board: &mut Board<'_>, slot: &SlotSituation, until: Timestamp, reason: &str) -> Option<String> {
    let (number, now) = (slot.number, board.situation.now);
    if !board.situation.paused && !board.is_current(slot) && !board.is_full() {
        board.drain(number, Cause::Replaced);
        return None;
    }
    board.wait(Wait::Host {
        slot: number,
        reason: reason.to_owned(),
    });
    match is_tried(board, slot) {
        true if now >= until => {
            let within = show_lifespan(board.situation.strategy.within);
            Some(format!(
                "slot {number} of version {} has no host after {within}: {reason}",
                slot.version
            ))
        }
        true => {
            board.wake(until);
            None
        }
        false => None,
    }
}

/// Sets the failures to none once a replacement, or every instance, of the target version has served steadily.
fn recover(board: &mut Board<'_>) {
    let situation = board.situation;
    let (Some(last), 1..) = (situation.failures.last, situation.failures.in_a_row) else {
        return;
    };
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
    let until = since.plus(steady(situation));
    match situation.now < until {
        true => board.wake(until),
        false => board.add(Move::Recovered),
    }
}
