//! Remedies.

/// The remedy for a [`HostError`](crate::HostError). The earlier ones concern more than the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Nothing but the return of the host.
    Host,
    /// Nothing but the return of the engine. The instance is not at fault.
    Engine,
    /// Trying again may help.
    Retry,
    /// Someone must change the template, provide an image or see to the network. It is tried again now and then.
    Operator,
}
