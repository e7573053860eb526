//! The catalog over a store on SQLite.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use orchestrator_model::{Clock, EventKind, Origin};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_settings::{Current, Elsewhere, HIDDEN, Hidden, Settings};
use orchestrator_store::{EventFilter, Store, StoreError};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;

const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\n";
const NETWORK: &str = "[[network]]\nname = \"storage\"\naddress = \"fd50::1/64\"\ninstances = \"fd50::1:0/112\"\n";

/// A catalog whose keeper runs, with all that it is made from.
struct House {
    catalog: Catalog,
    settings: watch::Sender<Arc<Settings>>,
    conditions: Conditions,
    store: Store,
    stop: CancellationToken,
    directory: PathBuf,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(super) fn read(text: &str) -> Arc<Settings> {
    let file = std::env::temp_dir().join(format!("orchestrator-catalog-{}-{}.toml", std::process::id(), count()));
    std::fs::write(&file, text).unwrap();
    let read = orchestrator_settings::load_beside(&file, std::iter::empty(), &Elsewhere::Unknown);
    let _ = std::fs::remove_file(&file);
    Arc::new(read.unwrap())
}

fn count() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

impl House {
    async fn with(text: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("orchestrator-catalog-{}-{}", std::process::id(), count()));
        std::fs::create_dir(&directory).unwrap();
        let store = Store::open(&format!("sqlite://{}/x.db", directory.display()))
            .await
            .unwrap();
        let (settings, current) = Current::new(read(text));
        let (conditions, stop) = (Conditions::default(), CancellationToken::new());
        let parts = Parts {
            settings: current,
            store: store.clone(),
            clock: Clock::start(),
            conditions: conditions.clone(),
        };
        let (catalog, keeper) = Keeper::open(parts, &stop).await.unwrap();
        tokio::spawn(keeper.run(stop.clone()));
        Self {
            catalog,
            settings,
            conditions,
            store,
            stop,
            directory,
        }
    }

    async fn put_in_force(&self, text: &str) {
        self.settings.send_replace(read(text));
        assert!(self.catalog.refresh().await);
    }

    /// The template in force, as `origin:version:image`.
    fn in_force(&self, name: &str) -> Option<String> {
        let declared = self.catalog.current();
        let template = declared.template(name)?;
        Some(format!(
            "{}:{}:{}",
            template.origin, template.version, template.settings.main.image
        ))
    }

    fn waited_for(&self) -> Vec<String> {
        let conditions = self.conditions.list().into_iter();
        conditions
            .filter(|condition| !condition.ok)
            .map(|condition| condition.name)
            .collect()
    }
}

#[tokio::test]
async fn settings_take_precedence_and_what_they_cover_comes_back() {
    let house = House::with("").await;
    let made = house
        .catalog
        .create_template("web", &json!({"image": "of-api"}), Some("ada"))
        .await
        .unwrap();
    assert_eq!(
        (made.origin, made.version, made.by.as_deref()),
        (Origin::Api, 1, Some("ada"))
    );
    assert_eq!(house.in_force("web").unwrap(), "api:1:of-api");
    house.put_in_force("[template.web]\nimage = \"of-settings\"\n").await;
    assert_eq!(house.in_force("web").unwrap(), "settings:2:of-settings");
    assert_eq!(house.catalog.current().covered().count(), 1);
    let refused = house
        .catalog
        .change_template("web", &json!({"image": "b"}), None, None)
        .await;
    assert!(matches!(refused, Err(CatalogError::InSettings(_))), "{refused:?}");
    house.put_in_force("").await;
    assert_eq!(house.in_force("web").unwrap(), "api:1:of-api");
    // What is written again is the same version as before.
    house.put_in_force("[template.web]\nimage = \"of-settings\"\n").await;
    assert_eq!(house.in_force("web").unwrap(), "settings:2:of-settings");
    // What is covered can be removed, as the settings' own goes on.
    house.catalog.remove_template("web", None, None).await.unwrap();
    let own = house.catalog.remove_template("web", None, None).await;
    assert!(matches!(own, Err(CatalogError::InSettings(_))), "{own:?}");
}

#[tokio::test]
async fn what_links_name_and_nobody_declares_is_a_condition_and_an_event() {
    let text = format!("{LINK}template = \"web\"\n");
    let house = House::with(&text).await;
    let mut view = house.catalog.view();
    let _ = view.news();
    assert_eq!(house.waited_for(), ["template web"]);
    assert!(house.catalog.current().templates_of("br0", None).next().is_none());
    let events = house.store.events(EventFilter::default()).await.unwrap().items;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.kind, EventKind::TemplateMissing);
    let detail = event.detail.as_deref().unwrap();
    assert!(
        detail.contains("link br0 names") && detail.contains("orchestrator template create web"),
        "{detail}"
    );
    assert!(view.news().is_none());
    house
        .catalog
        .create_template("web", &json!({"image": "a"}), None)
        .await
        .unwrap();
    assert_eq!(house.waited_for(), Vec::<String>::new());
    let news = view.news().unwrap();
    assert_eq!(news.templates_of("br0", None).next().unwrap().version, 1);
    let used = house.catalog.remove_template("web", None, None).await;
    let Err(CatalogError::InUse { users, .. }) = &used else {
        panic!("{used:?}")
    };
    assert_eq!(users, &["link br0"]);
    house.put_in_force(LINK).await;
    house.catalog.remove_template("web", Some(1), None).await.unwrap();
    assert_eq!(house.in_force("web"), None);
}

#[tokio::test]
async fn a_hidden_value_is_kept_and_two_admins_do_not_overwrite_each_other() {
    let house = House::with("").await;
    let keys = json!({"image": "a", "environment": {"TOKEN": "hunter2"}});
    let made = house.catalog.create_template("web", &keys, None).await.unwrap();
    let mut shown = made.settings.written(Hidden::Values);
    assert_eq!(shown["environment"]["TOKEN"], HIDDEN);
    shown["image"] = json!("b");
    let changed = house
        .catalog
        .change_template("web", &shown, Some(1), None)
        .await
        .unwrap();
    assert_eq!(
        (changed.version, changed.settings.main.environment["TOKEN"].as_str()),
        (2, "hunter2")
    );
    let late = house.catalog.change_template("web", &shown, Some(1), None).await;
    let Err(CatalogError::Store(StoreError::TemplateChanged { version: 2, .. })) = late else {
        panic!("{late:?}")
    };
    shown["environment"]["OTHER"] = json!(HIDDEN);
    let hidden = house
        .catalog
        .change_template("web", &shown, Some(2), None)
        .await
        .unwrap_err();
    assert!(
        hidden
            .to_string()
            .contains("template.web.environment.OTHER: stands for a hidden value"),
        "{hidden}"
    );
    let before = house.catalog.template_version("web", 1).await.unwrap();
    assert_eq!(before.settings.main.image, "a");
    let none = house.catalog.template_version("web", 3).await;
    assert!(matches!(none, Err(CatalogError::NoSuchTemplate(_))), "{none:?}");
}

#[tokio::test]
async fn a_template_names_networks_that_there_are() {
    let house = House::with(NETWORK).await;
    let keys = |network: &str| json!({"image": "a", "networks": [network]});
    let wrong = house
        .catalog
        .create_template("web", &keys("storge"), None)
        .await
        .unwrap_err();
    assert!(
        wrong
            .to_string()
            .contains("template.web.networks[0]: there is no network \"storge\"; did you mean \"storage\"?"),
        "{wrong}"
    );
    house
        .catalog
        .create_template("web", &keys("storage"), None)
        .await
        .unwrap();
    let declared = house.catalog.current();
    let storage = declared.network("storage").unwrap();
    assert_eq!(
        (storage.name, storage.gateway, storage.prefix.to_string().as_str()),
        ("storage", None, "fd50::/64")
    );
    house
        .put_in_force(&format!("{NETWORK}{LINK}template = \"web\"\n"))
        .await;
    let declared = house.catalog.current();
    assert_eq!(
        declared.network("br0").unwrap().gateway,
        Some("fd39::1".parse().unwrap())
    );
    assert_eq!(house.waited_for(), Vec::<String>::new());
    house.put_in_force(&format!("{LINK}template = \"web\"\n")).await;
    assert_eq!(house.waited_for(), ["network storage"]);
}

#[tokio::test]
async fn while_the_database_is_away_the_catalog_stays_as_it_was() {
    let house = House::with("[template.web]\nimage = \"a\"\n").await;
    house.store.close().await;
    house.settings.send_replace(read("[template.web]\nimage = \"b\"\n"));
    assert!(!house.catalog.refresh().await);
    assert_eq!(house.in_force("web").unwrap(), "settings:1:a");
    let listed = house.conditions.list();
    let [condition] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((condition.name.as_str(), condition.needed), ("catalog", false));
}
