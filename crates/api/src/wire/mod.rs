//! Converts the model into the types of the API.
//!
//! Each conversion destructures its value key by key. To add a field to the model, decide here whether it is shown; the
//! compiler insists.

mod client;
mod condition;
mod engine;
mod event;
mod image;
mod instance;
mod lease;
mod limits;
mod orphan;
mod policy;
mod reservation;
mod settings;
mod spec;
mod task;
mod times;
mod volume;
pub(super) mod words;

pub(super) use volume::with_usage;

use orchestrator_api_types as wire;
use orchestrator_model::Page;

/// A type of the model that the API shows in a type of its own.
pub(super) trait IntoWire {
    /// The API's type.
    type Wire;

    /// Converts the value.
    fn into_wire(self) -> Self::Wire;
}

impl<T: IntoWire> IntoWire for Vec<T> {
    type Wire = Vec<T::Wire>;

    fn into_wire(self) -> Self::Wire {
        self.into_iter().map(T::into_wire).collect()
    }
}

impl<T: IntoWire> IntoWire for Page<T> {
    type Wire = wire::Page<T::Wire>;

    fn into_wire(self) -> Self::Wire {
        wire::Page {
            items: self.items.into_wire(),
            next: self.next,
        }
    }
}
