//! What is said of the state of an instance.

use orchestrator_model::Phase;

use super::span::spoken;
use crate::facts::{InstanceCard, Lack};

/// A sentence about the state, and how it is drawn.
pub(super) struct State {
    pub(super) sentence: &'static str,
    /// Its classes: `good` and `warn` are colours; `busy` turns a circle beside it.
    pub(super) class: &'static str,
}

pub(super) fn state(card: &InstanceCard) -> State {
    let (sentence, class) = match card.phase {
        Phase::Ready => ("It is ready.", "good"),
        Phase::Pending | Phase::Starting if card.is_tried_again => {
            ("It could not be started yet. It is tried again.", "busy warn")
        }
        Phase::Pending => ("It is waiting to be started.", "busy"),
        Phase::Starting => ("It is starting.", "busy"),
        Phase::Ending => (
            "The lease of your device has ended. It is kept for a while, in case you come back.",
            "warn",
        ),
        Phase::Stopped => ("It is stopped, and its files are kept.", "warn"),
        Phase::Removing | Phase::Removed => ("It is being removed.", "warn"),
    };
    State { sentence, class }
}

/// Why a client has no instance.
pub(super) fn lack(lack: &Lack) -> String {
    match lack {
        Lack::NoTemplate => "This network gives your device an address, and no machine of its own.".to_owned(),
        Lack::Removed => {
            "Your machine was removed. You get another one when your device renews its address: switch its \
                          network off and on to have it now."
                .to_owned()
        }
        Lack::Refused(reason) => format!("Your machine could not be made: {reason}. It is tried again."),
        Lack::TimeOver(Some(after)) => format!(
            "The time of your machine is over. You get another one by itself in {}.",
            spoken(*after)
        ),
        Lack::TimeOver(None) => {
            "The time of your machine is over. You get another one when your device comes back after \
                                 it left this network."
                .to_owned()
        }
        Lack::Waiting => "Your machine waits for its turn. It is made as soon as there is a place for it.".to_owned(),
        Lack::Soon => "Your machine is about to be made.".to_owned(),
    }
}
