//! The stable word of each error, and which errors are refusals.

use super::StoreError;

impl StoreError {
    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "store-bad-url",
            Self::Away { .. } => "store-away",
            Self::Newer { .. } => "store-newer",
            Self::Older { .. } => "store-older",
            Self::Schema { .. } => "store-schema",
            Self::Lost(_) => "store-lost",
            Self::Damaged { .. } => "store-damaged",
            Self::Deposed { .. } => "store-deposed",
            Self::Failed { .. } => "store-failed",
            Self::Row { .. } => "store-bad-row",
            Self::NotAnIdentity { .. } => "store-no-identity",
            Self::IdentityDiffers { .. } => "store-other-identity",
            Self::Random { .. } => "store-no-random",
            Self::BadCursor(_) => "bad-cursor",
            Self::NoSuchClient(_) => "no-such-client",
            Self::NoSuchInstance(_) => "no-such-instance",
            Self::Time { why, .. } => why.code(),
            Self::NoSuchReservation(_) => "no-such-reservation",
            Self::Keys(why) => why.code(),
            Self::NoSuchVolume(_) => "no-such-volume",
            Self::VolumeHeld { .. } => "volume-held",
            Self::VolumeTaken(_) => "volume-taken",
            Self::Reserved(_) => "already-reserved",
            Self::TooManyReservations => "too-many-reservations",
            Self::TemplateExists(_) => "template-exists",
            Self::NoSuchTemplate(_) => "no-such-template",
            Self::TemplateChanged { .. } => "template-changed",
            Self::TooManyTemplates => "too-many-templates",
            Self::TokenExists(_) => "token-exists",
            Self::NoSuchToken(_) => "no-such-token",
            Self::TooManyTokens => "too-many-tokens",
            Self::KvChanged { .. } => "key-changed",
            Self::KvTooLarge { .. } => "value-too-large",
            Self::KvFull { .. } => "namespace-full",
            Self::KvOwnerGone(_) => "owner-gone",
            Self::NoSuchService(_) => "no-such-service",
            Self::ServiceChanged { .. } => "service-changed",
            Self::Taken(_) => "already-taken",
            Self::ServiceRemoving(_) => "service-removing",
            Self::PerClientService(_) => "service-per-client",
            Self::TooManyServices => "too-many-services",
            Self::AlreadyThere { .. } => "instance-already-there",
            Self::NotPending(_) => "address-not-pending",
            Self::AddressTaken { .. } => "address-taken",
        }
    }

    /// Whether the store itself refused the write before it wrote anything, so that the transaction can continue.
    pub(in super::super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::BadCursor(_)
                | Self::NoSuchClient(_)
                | Self::NoSuchInstance(_)
                | Self::Time { .. }
                | Self::NoSuchReservation(_)
                | Self::NoSuchVolume(_)
                | Self::VolumeHeld { .. }
                | Self::VolumeTaken(_)
                | Self::Reserved(_)
                | Self::TooManyReservations
                | Self::TemplateExists(_)
                | Self::NoSuchTemplate(_)
                | Self::TemplateChanged { .. }
                | Self::TooManyTemplates
                | Self::TokenExists(_)
                | Self::NoSuchToken(_)
                | Self::TooManyTokens
                | Self::KvChanged { .. }
                | Self::KvTooLarge { .. }
                | Self::KvFull { .. }
                | Self::KvOwnerGone(_)
                | Self::NoSuchService(_)
                | Self::ServiceChanged { .. }
                | Self::Taken(_)
                | Self::ServiceRemoving(_)
                | Self::PerClientService(_)
                | Self::TooManyServices
                | Self::AlreadyThere { .. }
                | Self::NotPending(_)
                | Self::AddressTaken { .. }
        )
    }
}
