//! Templates.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use orchestrator_api_types::{self as wire, ChangedTemplate, NewTemplate, Page};
use orchestrator_catalog::{Catalog, CatalogError, Declared, Template};
use orchestrator_settings::Hidden;
use serde_json::{Map, Value};

use super::body::JsonBody;
use super::caller::Caller;
use super::control::TemplateImage;
use super::describe::Created;
use super::params::Params;
use super::problem::Fault;
use super::routes::Shared;
use super::tag::{IfMatch, Tagged};
use super::wire::IntoWire;

/// The name of a template in a path.
pub(super) struct TemplateName(pub(super) String);

impl FromRequestParts<Shared> for TemplateName {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, shared).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(Fault::not_found(parts.uri.path())),
        }
    }
}

/// The name and the version of a template in a path.
pub(super) struct VersionPath {
    name: String,
    version: String,
}

impl FromRequestParts<Shared> for VersionPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        match Path::<(String, String)>::from_request_parts(parts, shared).await {
            Ok(Path((name, version))) => Ok(Self { name, version }),
            Err(_) => Err(Fault::not_found(parts.uri.path())),
        }
    }
}

/// `GET /v1/templates`
///
/// The templates in force come first, by name. Then come those that a template of the settings replaces.
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(wire::NoQuery {}): Params<wire::NoQuery>,
) -> Result<Json<Page<wire::TemplateView>>, Fault> {
    let declared = shared.app.control.catalog()?.current();
    let in_force = declared.templates().map(|template| (template.clone(), true));
    let covered = declared.covered().map(|template| (template.clone(), false));
    let (templates, in_force): (Vec<Template>, Vec<bool>) = in_force.chain(covered).unzip();
    let images = shared.app.control.images()?.template_images(&templates).await?;
    let all = templates.iter().zip(in_force).zip(images);
    let items = all.map(|((template, in_force), images)| view(&declared, template, in_force, images));
    Ok(Json(Page {
        items: items.collect(),
        next: None,
    }))
}

/// `POST /v1/templates`
pub(super) async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    body: JsonBody<NewTemplate>,
) -> Result<Created<wire::TemplateView>, Fault> {
    let catalog = shared.app.control.catalog()?;
    let NewTemplate { name, spec } = body.read("a template")?;
    let by = caller.to_string();
    let template = catalog.create_template(&name, &Value::Object(spec), Some(&by)).await?;
    let images = images_of(&shared, &template).await?;
    Ok(Created(view(&catalog.current(), &template, true, images)))
}

/// `GET /v1/templates/{name}`
pub(super) async fn show(
    State(shared): State<Shared>,
    TemplateName(name): TemplateName,
) -> Result<Tagged<wire::TemplateView>, Fault> {
    let declared = shared.app.control.catalog()?.current();
    let template = declared.template(&name);
    let template = template.ok_or(CatalogError::NoSuchTemplate(name))?;
    let images = images_of(&shared, template).await?;
    Ok(tagged(&declared, template, images))
}

/// `PUT /v1/templates/{name}`
pub(super) async fn change(
    State(shared): State<Shared>,
    caller: Caller,
    TemplateName(name): TemplateName,
    if_match: IfMatch,
    body: JsonBody<ChangedTemplate>,
) -> Result<Tagged<wire::TemplateView>, Fault> {
    let catalog = shared.app.control.catalog()?;
    let ChangedTemplate { spec, version } = body.read("a template")?;
    let expected = match (if_match, version) {
        (IfMatch::Version(tag), Some(version)) if tag != version => {
            return Err(Fault::bad_parameter(
                "If-Match and `version` name two versions; give one",
            ));
        }
        (IfMatch::Version(version), _) | (IfMatch::Missing, Some(version)) => Some(version),
        (IfMatch::Any, version) => version,
        (IfMatch::Missing, None) => return Err(version_missing(&catalog, &name)),
    };
    let (by, spec) = (caller.to_string(), Value::Object(spec));
    let changed = catalog.change_template(&name, &spec, expected, Some(&by));
    let template = changed.await?;
    let images = images_of(&shared, &template).await?;
    Ok(tagged(&catalog.current(), &template, images))
}

/// `DELETE /v1/templates/{name}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    TemplateName(name): TemplateName,
    if_match: IfMatch,
) -> Result<Json<wire::TemplateView>, Fault> {
    let catalog = shared.app.control.catalog()?;
    let expected = match if_match {
        IfMatch::Version(version) => Some(version),
        IfMatch::Any | IfMatch::Missing => None,
    };
    let by = caller.to_string();
    let template = catalog.remove_template(&name, expected, Some(&by)).await?;
    let images = images_of(&shared, &template).await?;
    Ok(Json(view(&catalog.current(), &template, false, images)))
}

/// `GET /v1/templates/{name}/versions/{version}`
pub(super) async fn version(
    State(shared): State<Shared>,
    VersionPath { name, version }: VersionPath,
) -> Result<Tagged<wire::TemplateView>, Fault> {
    let catalog = shared.app.control.catalog()?;
    let number = version.parse();
    let number = number.map_err(|_| CatalogError::NoSuchTemplate(format!("{name} of version {version}")))?;
    let template = catalog.template_version(&name, number).await?;
    let images = images_of(&shared, &template).await?;
    Ok(tagged(&catalog.current(), &template, images))
}

/// `POST /v1/templates/{name}/update`
pub(super) async fn update(
    State(shared): State<Shared>,
    caller: Caller,
    TemplateName(name): TemplateName,
    if_match: IfMatch,
) -> Result<Tagged<wire::TemplateView>, Fault> {
    let catalog = shared.app.control.catalog()?;
    let expected = match if_match {
        IfMatch::Version(version) => Some(version),
        IfMatch::Any | IfMatch::Missing => None,
    };
    let control = shared.app.control.images()?;
    let template = control.update_template(&caller, &name, expected).await?;
    let images = images_of(&shared, &template).await?;
    Ok(tagged(&catalog.current(), &template, images))
}

async fn images_of(shared: &Shared, template: &Template) -> Result<Vec<TemplateImage>, Fault> {
    let control = shared.app.control.images()?;
    let images = control.template_images(std::slice::from_ref(template)).await?;
    Ok(images.into_iter().flatten().collect())
}

fn tagged(declared: &Declared, template: &Template, images: Vec<TemplateImage>) -> Tagged<wire::TemplateView> {
    let in_force = declared.template(&template.name);
    let in_force = in_force.is_some_and(|now| (now.version, now.origin) == (template.version, template.origin));
    Tagged {
        version: template.version,
        body: view(declared, template, in_force, images),
    }
}

fn view(declared: &Declared, template: &Template, in_force: bool, images: Vec<TemplateImage>) -> wire::TemplateView {
    let spec = match template.settings.written(Hidden::Values) {
        Value::Object(keys) => keys,
        _ => Map::new(),
    };
    wire::TemplateView {
        name: template.name.clone(),
        version: template.version,
        origin: template.origin.into_wire(),
        in_force,
        changed: template.changed,
        by: template.by.clone(),
        used_by: match in_force {
            true => declared.users_of(&template.name),
            false => Vec::new(),
        },
        images: images.into_iter().map(IntoWire::into_wire).collect(),
        spec,
    }
}

fn version_missing(catalog: &Catalog, name: &str) -> Fault {
    let declared = catalog.current();
    let version = declared.template(name).map_or(1, |template| template.version);
    let detail = format!(
        "the request does not say which version it changes, and could overwrite what somebody else did; send If-Match: \
         \"{version}\", or `version` in the body, as GET /v1/templates/{name} answered it, or If-Match: * for any"
    );
    Fault::new(StatusCode::PRECONDITION_REQUIRED, "version-missing", detail)
}

impl From<CatalogError> for Fault {
    fn from(error: CatalogError) -> Self {
        let text = error.to_string();
        match error {
            CatalogError::Wrong(faults) => Self::of_faults(
                "template-wrong",
                "the template is wrong, and nothing was changed; mend what `faults` names",
                &faults,
            ),
            CatalogError::InSettings(_) => Self::new(StatusCode::CONFLICT, "in-settings", text),
            CatalogError::InUse { .. } => Self::new(StatusCode::CONFLICT, "template-in-use", text),
            CatalogError::NoSuchTemplate(_) => Self::new(StatusCode::NOT_FOUND, "no-such-template", text),
            CatalogError::Store(error) => error.into(),
        }
    }
}
