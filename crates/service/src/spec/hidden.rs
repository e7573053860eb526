//! Hidden values: a service is shown without them, and keeps them when it is passed back.

use super::ServiceSpec;

impl ServiceSpec {
    /// Replaces values that are [`HIDDEN`](orchestrator_settings::HIDDEN) by those of the service before, so that a service
    /// can be passed back as it was shown.
    ///
    /// # Errors
    ///
    /// The path of the first hidden key that has no value in the service before, such as `environment.TOKEN`.
    pub fn keep_hidden(&mut self, before: Option<&Self>) -> Result<(), String> {
        match before {
            Some(before) => self.template.keep_hidden(&before.template),
            None => self.template.find_hidden().map_or(Ok(()), Err),
        }
    }
}
