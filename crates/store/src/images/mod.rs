//! Images as rows: what versions of templates are pinned to, and what was brought to the engines.

/// Whether the version of a template that `p` is pinned for is in use: it is declared, a service may start it, or an instance
/// runs it or may be started again with it.
macro_rules! in_use {
    () => {
        "(exists (select 1 from declared_templates d where d.name = p.template and d.version = p.version)
            or (p.template, p.version) in (
                select 'service:' || v.service || ':' || v.version, v.template_version
                from service_versions v join services s on s.name = v.service
                where v.version = s.version or v.version = s.good_version or exists (
                    select 1 from service_slots l where l.service = v.service and l.version = v.version))
            or exists (
                select 1 from instances i
                where i.template = p.template and i.version = p.version and i.phase <> 'removed'))"
    };
}

mod brought;
mod pins;
mod removal;
mod renew;

pub(super) use pins::in_use_in;
pub use pins::{ImageUses, NamedImage, NewPin, Pinning};

/// The statements of every file of this noun.
pub(super) const ALL: &[&[&str]] = &[
    brought::STATEMENTS,
    pins::STATEMENTS,
    removal::STATEMENTS,
    renew::STATEMENTS,
];
