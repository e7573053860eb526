//! Hides what may be a secret before it leaves through the API.
//!
//! Values of environment variables are shown nowhere: a token in a template would be told to everyone who may list
//! instances, and to every log of what they listed. Names are shown, and the file or credential a value is from.

use orchestrator_model::{Instance, InstanceView};

/// Stands in place of a value that is hidden.
pub(super) const HIDDEN: &str = "***";

/// The instance without the values of its environment.
pub(super) fn hide_values(mut instance: Instance) -> Instance {
    for value in instance.spec.environment.values_mut() {
        HIDDEN.clone_into(value);
    }
    instance
}

/// The same, with what is known of its client.
pub(super) fn hide_view_values(view: InstanceView) -> InstanceView {
    InstanceView {
        instance: hide_values(view.instance),
        ..view
    }
}
