//! The declarations of one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use ipnet::Ipv6Net;
use orchestrator_model::{Origin, RecordedTemplate, TemplateVersion, Timestamp};
use orchestrator_settings::{Again, Hidden, LinkSettings, Settings, TemplateSettings, reread_template};

use super::missing::{self, Missing};

/// The declarations of one moment, which are consistent with each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    settings: Arc<Settings>,
    /// The templates in force, by name.
    templates: BTreeMap<String, Template>,
    /// The templates of the API that a template of the settings replaces, by name.
    covered: BTreeMap<String, Template>,
    /// The templates of the API that cannot be read, by name, with the reason.
    unreadable: BTreeMap<String, String>,
    /// The templates of services, by name.
    of_services: BTreeMap<String, Arc<OfService>>,
}

/// The template of a service.
#[derive(Debug, PartialEq)]
struct OfService {
    template: Template,
    /// The text that it was read from.
    spec: String,
}

/// A declared template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// The place of its declaration.
    pub origin: Origin,
    /// Its version. Instances keep the number of the version that they were made from.
    pub version: u64,
    /// Its keys.
    pub settings: TemplateSettings,
    /// When this version came into force.
    pub changed: Timestamp,
    /// The caller who declared this version; `None` for the settings.
    pub by: Option<String>,
}

/// A network that instances can be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network<'d> {
    /// Its name.
    pub name: &'d str,
    /// Its bridge on this machine.
    pub bridge: &'d str,
    /// Its prefix.
    pub prefix: Ipv6Net,
    /// The next hop of a default route through it; `None` if there is none.
    pub gateway: Option<Ipv6Addr>,
    /// Addresses for instances; `None` for a link that has none.
    pub instances: Option<Ipv6Net>,
    /// Whether all instances on it are isolated from one another. On a link, the template decides that.
    pub isolated: bool,
}

impl Declared {
    /// Makes the declarations from the settings and the recorded templates. The settings take precedence.
    ///
    /// A template of the settings that was not recorded yet has version 0.
    pub fn new(settings: Arc<Settings>, recorded: Vec<RecordedTemplate>) -> Self {
        let mut declared = Self {
            templates: BTreeMap::new(),
            covered: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            of_services: BTreeMap::new(),
            settings,
        };
        let (of_settings, of_api): (Vec<_>, Vec<_>) = recorded
            .into_iter()
            .partition(|template| template.origin == Origin::Settings);
        let mut versions: BTreeMap<String, RecordedTemplate> = of_settings
            .into_iter()
            .map(|recorded| (recorded.name.clone(), recorded))
            .collect();
        for (name, settings) in &declared.settings.templates {
            let known = versions.remove(name);
            let template = Template {
                name: name.clone(),
                origin: Origin::Settings,
                version: known.as_ref().map_or(0, |known| known.version),
                settings: settings.clone(),
                changed: known.map_or(Timestamp(0), |known| known.changed),
                by: None,
            };
            declared.templates.insert(name.clone(), template);
        }
        for recorded in of_api {
            declared.add_of_api(recorded);
        }
        declared
    }

    /// The same with the templates that services are made from. One that cannot be read is left out: its service gets no
    /// new instances, and those that it has stay.
    ///
    /// What is recorded as it was before is not read again, so that a change of one service costs little beside many.
    #[must_use]
    pub fn with_services(mut self, recorded: Vec<RecordedTemplate>, before: Option<&Self>) -> Self {
        let before = before.filter(|before| Arc::ptr_eq(&before.settings, &self.settings));
        for recorded in recorded {
            let known = before.and_then(|before| before.of_services.get(&recorded.name));
            match known.filter(|known| known.is_of(&recorded)) {
                Some(known) => drop(self.of_services.insert(recorded.name, known.clone())),
                None => self.add_of_service(recorded),
            }
        }
        self
    }

    fn add_of_service(&mut self, recorded: RecordedTemplate) {
        match read_recorded(&recorded.name, &recorded.spec, &self.settings) {
            Ok(settings) => {
                let template = Template {
                    name: recorded.name.clone(),
                    origin: Origin::Api,
                    version: recorded.version,
                    settings,
                    changed: recorded.changed,
                    by: recorded.by,
                };
                let of_service = OfService {
                    template,
                    spec: recorded.spec,
                };
                self.of_services.insert(recorded.name, Arc::new(of_service));
            }
            Err(reason) => tracing::warn!(template = recorded.name, reason, "cannot be read; deploy it anew"),
        }
    }

    fn add_of_api(&mut self, recorded: RecordedTemplate) {
        let name = recorded.name.clone();
        match read_recorded(&name, &recorded.spec, &self.settings) {
            Err(reason) => {
                self.unreadable.insert(name, reason);
            }
            Ok(settings) => {
                let template = Template {
                    name: name.clone(),
                    origin: Origin::Api,
                    version: recorded.version,
                    settings,
                    changed: recorded.changed,
                    by: recorded.by,
                };
                let place = match self.templates.contains_key(&name) {
                    true => &mut self.covered,
                    false => &mut self.templates,
                };
                place.insert(name, template);
            }
        }
    }

    /// The settings that this was made from.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&LinkSettings> {
        self.settings.link(name)
    }

    /// The network or link with this name, for attachments of instances.
    pub fn network(&self, name: &str) -> Option<Network<'_>> {
        if let Some(network) = self.settings.network(name) {
            return Some(Network {
                name: &network.name,
                bridge: &network.bridge,
                prefix: network.prefix,
                gateway: None,
                instances: Some(network.instances),
                isolated: network.isolated,
            });
        }
        let link = self.link(name).filter(|link| !link.remote)?;
        Some(Network {
            name: &link.name,
            bridge: &link.name,
            prefix: link.prefix(),
            gateway: Some(link.address.addr()),
            instances: link.instances,
            isolated: false,
        })
    }

    /// The template in force with this name, also one that a service is made from.
    pub fn template(&self, name: &str) -> Option<&Template> {
        let of_service = || self.of_services.get(name).map(|of_service| &of_service.template);
        self.templates.get(name).or_else(of_service)
    }

    /// When a client gets another instance of this template after time ended the last one. If nobody declares the
    /// template, when its lease begins anew.
    pub fn again(&self, template: &str) -> Again {
        self.template(template)
            .map_or(Again::Lease, |template| template.settings.time.again)
    }

    /// The templates that services are made from, by name.
    pub fn of_services(&self) -> impl Iterator<Item = &Template> {
        self.of_services.values().map(|of_service| &of_service.template)
    }

    /// Every template in force, by name. Those that services are made from are not among them.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }

    /// The templates of the API that a template of the settings replaces, by name.
    pub fn covered(&self) -> impl Iterator<Item = &Template> {
        self.covered.values()
    }

    /// The names of all templates of the API, whether in force, replaced or unreadable.
    pub fn names_of_api(&self) -> impl Iterator<Item = &str> {
        let in_force = self
            .templates
            .values()
            .filter(|template| template.origin == Origin::Api);
        let readable = in_force
            .chain(self.covered.values())
            .map(|template| template.name.as_str());
        readable.chain(self.unreadable.keys().map(String::as_str))
    }

    /// The template of the API with this name, in force or not.
    pub fn template_of_api(&self, name: &str) -> Option<&Template> {
        let in_force = self
            .templates
            .get(name)
            .filter(|template| template.origin == Origin::Api);
        in_force.or_else(|| self.covered.get(name))
    }

    /// The templates for a client of a link and, if it has one, a class. The client gets an instance of each. Missing
    /// templates are left out.
    pub fn templates_of<'d>(&'d self, link: &str, class: Option<&str>) -> impl Iterator<Item = &'d Template> + use<'d> {
        let names = self.settings.template_names_of(link, class);
        names.filter_map(|name| self.templates.get(name))
    }

    /// Whether a template for a client of a link and, if it has one, a class is missing.
    pub fn lacks_template_of(&self, link: &str, class: Option<&str>) -> bool {
        let mut names = self.settings.template_names_of(link, class);
        names.any(|name| !self.templates.contains_key(name))
    }

    /// The templates that some client gets now, and those of services. Missing templates are left out.
    pub fn templates_in_use(&self) -> impl Iterator<Item = &Template> {
        let names: BTreeSet<&str> = self.settings.templates_in_use();
        let of_clients = names.into_iter().filter_map(|name| self.templates.get(name));
        of_clients.chain(self.of_services())
    }

    /// The links and classes that name a template, for people: `link br0`, `class boot`.
    pub fn users_of(&self, template: &str) -> Vec<String> {
        let links = self.settings.links.iter();
        let links = links.filter(|link| link.templates.iter().any(|name| name == template));
        let classes = self.settings.classes.iter();
        let classes = classes.filter(|class| class.templates.iter().any(|name| name == template));
        let links = links.map(|link| format!("link {}", link.name));
        links
            .chain(classes.map(|class| format!("class {}", class.name)))
            .collect()
    }

    /// The templates that are used but missing.
    pub fn missing(&self) -> Vec<Missing> {
        missing::find(self)
    }

    /// The templates of the API that cannot be read, by name, with the reason.
    pub(crate) fn unreadable(&self) -> &BTreeMap<String, String> {
        &self.unreadable
    }
}

impl OfService {
    /// Whether it was read from this record.
    fn is_of(&self, recorded: &RecordedTemplate) -> bool {
        let template = &self.template;
        (template.version, template.changed, &template.by) == (recorded.version, recorded.changed, &recorded.by)
            && self.spec == recorded.spec
    }
}

impl Template {
    /// Converts a version that is not in force into a template.
    ///
    /// # Errors
    ///
    /// The reason, if it cannot be read.
    pub(crate) fn of_version(version: TemplateVersion, origin: Origin, settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            settings: read_recorded(&version.name, &version.spec, settings)?,
            name: version.name,
            origin,
            version: version.version,
            changed: version.made,
            by: version.by,
        })
    }
}

/// A template as it is recorded.
pub(crate) fn write_recorded(template: &TemplateSettings) -> String {
    template.written(Hidden::Nothing).to_string()
}

fn read_recorded(name: &str, spec: &str, settings: &Settings) -> Result<TemplateSettings, String> {
    let keys = serde_json::from_str(spec).map_err(|error| format!("it is no JSON: {error}"))?;
    reread_template(name, &keys, settings).map_err(|faults| faults.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::read;

    fn recorded(name: &str, version: u64, image: &str) -> RecordedTemplate {
        RecordedTemplate {
            name: name.to_owned(),
            origin: Origin::Api,
            version,
            spec: format!("{{\"image\":\"{image}\"}}"),
            changed: Timestamp(7),
            by: None,
        }
    }

    #[test]
    fn a_template_of_a_service_is_read_again_only_when_it_or_the_settings_changed() {
        let (first, other) = (read("[engine.docker]\n"), read("[engine.docker]\n"));
        let of = |settings: &Arc<Settings>, all, before| {
            Declared::new(settings.clone(), Vec::new()).with_services(all, before)
        };
        let both = || vec![recorded("service:a:1", 1, "one"), recorded("service:b:1", 1, "two")];
        let before = of(&first, both(), None);
        let changed = vec![recorded("service:a:1", 1, "one"), recorded("service:b:1", 1, "three")];
        let after = of(&first, changed, Some(&before));
        let is_shared = |after: &Declared, name: &str| Arc::ptr_eq(&after.of_services[name], &before.of_services[name]);
        assert!(is_shared(&after, "service:a:1") && !is_shared(&after, "service:b:1"));
        let image = |declared: &Declared| declared.template("service:b:1").unwrap().settings.main.image.clone();
        assert_eq!((image(&before), image(&after)), ("two".to_owned(), "three".to_owned()));
        let elsewhere = of(&other, both(), Some(&before));
        assert!(!is_shared(&elsewhere, "service:a:1"));
        let gone = of(&first, Vec::new(), Some(&before));
        assert!(gone.template("service:a:1").is_none());
    }
}
