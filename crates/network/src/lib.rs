//! Bridges and attachments through netlink.
