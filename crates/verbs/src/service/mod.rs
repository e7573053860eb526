//! `orchestrator deploy`, `services`, `scale`, `bump`, `rollback`, `undeploy` and `wait`: services, and the operations on
//! them.

mod begun;
mod list;
mod operation;
mod plan;

use orchestrator_service::file::{self, Changes, Form};
use serde_json::{Value, json};

use self::begun::Begun;
use self::operation::Waiting;
use super::choose::{Consent, SERVICE};
use super::failure::Failure;
use super::local::DASH;
use super::page;
use super::reading::read_bytes;
use super::session::Session;

pub(super) use self::list::{ListArgs, list, of_name, render_one, show};

/// Arguments of `deploy`.
#[derive(Debug, clap::Args)]
pub struct DeployArgs {
    /// Service files in TOML, JSON or YAML, or JSON for Marathon; each with one service or several. "-" is standard input
    #[arg(required_unless_present = "resume", value_name = "FILE")]
    files: Vec<String>,
    /// The form of the files: toml, json or yaml. Without it, the ending of a file's name says so, or else its content
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Put this and a dash before the names of the services
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Put a dash and this behind the names of the services
    #[arg(short, long, value_name = "SUFFIX")]
    suffix: Option<String>,
    /// The number of instances of each service, whatever its file says
    #[arg(short = 'p', long, value_name = "NUMBER")]
    instances: Option<u32>,
    /// Change a key of each service: image=web:2, environment.MODE=test
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Refuse a file with keys that are not carried out, instead of warning about them
    #[arg(long)]
    strict: bool,
    /// Only show what would change
    #[arg(long)]
    plan: bool,
    /// Change the service only if it has this generation, which --plan shows; 0 if there must be none
    #[arg(long, value_name = "GENERATION")]
    expect: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `scale`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "orchestrator scale [OPTIONS] SERVICE... NUMBER")]
pub struct ScaleArgs {
    /// Services, also by a pattern like 'web-*', and then the number: @5, or by how much it changes: +1, -1, x0.75
    #[arg(
        required_unless_present = "resume",
        allow_negative_numbers = true,
        num_args = 2..,
        value_name = "SERVICE"
    )]
    words: Vec<String>,
    /// End the oldest instances first when there are to be fewer
    #[arg(long)]
    fifo: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `bump`.
#[derive(Debug, clap::Args)]
pub struct BumpArgs {
    #[command(flatten)]
    of: NamesArgs,
    /// Deploy them with this tag of their images, like 1.2
    #[arg(short = 'v', long, value_name = "TAG", conflicts_with = "resume")]
    tag: Option<String>,
    /// Deploy them with this image, like registry.example/web:1.2
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["tag", "resume"])]
    image: Option<String>,
    /// Only show what would change
    #[arg(long, conflicts_with = "resume")]
    plan: bool,
    /// Change the service only if it has this generation, which --plan shows
    #[arg(long, value_name = "GENERATION", conflicts_with = "resume")]
    expect: Option<u64>,
}

/// Arguments of `undeploy`.
#[derive(Debug, clap::Args)]
pub struct NamesArgs {
    /// Services, also by a pattern like 'web-*'
    #[arg(required_unless_present = "resume", value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// Services, also by a pattern like 'web-*'
    #[arg(required_unless_present = "resume", value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    /// The version; the one before the present one if it is not given
    #[arg(long, value_name = "VERSION")]
    version: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `wait`.
#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    /// Operations
    #[arg(value_name = "OPERATION", required = true)]
    ids: Vec<String>,
}

pub(super) async fn deploy(args: &DeployArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    if let Some(id) = &args.waiting.resume {
        return operation::resume(std::slice::from_ref(id), session).await;
    }
    if args.files.iter().filter(|name| *name == DASH).count() > 1 {
        return Err(Failure::Usage {
            what: format!("{DASH} is given twice, and standard input can be read only once"),
        });
    }
    let mut all = Vec::new();
    for name in &args.files {
        all.extend(read_file(name, args, session).await?);
    }
    let mut begun = Begun::default();
    for (name, keys) in all {
        let path = held_to(&name, "", args.plan, args.expect);
        let answer = session.api.put(&path, keys.to_string().into_bytes()).await;
        begun.take(&name, answer, session);
    }
    match args.plan {
        true => plan::print(begun, session),
        false => operation::finish(begun, &args.waiting, session).await,
    }
}

/// The path of a change that is only planned, or held to a generation.
fn held_to(name: &str, verb: &str, plan: bool, expect: Option<u64>) -> String {
    let expect = expect.map(|expect| expect.to_string());
    let plan = plan.then_some(("plan", "true"));
    let expect = expect.as_deref().map(|expect| ("expect", expect));
    let query: Vec<_> = plan.into_iter().chain(expect).collect();
    page::with_query(&path_of(name, verb), &query)
}

/// The services of a file with their names, changed as the line says.
async fn read_file(name: &str, args: &DeployArgs, session: &mut Session<'_>) -> Result<Vec<(String, Value)>, Failure> {
    let content = read_bytes(name, file::LARGEST, session.local).await?;
    let wrong = |what: String| Failure::Usage {
        what: format!("{name}: {what}"),
    };
    let changes = Changes {
        overrides: args.overrides.clone(),
        namespace: args.namespace.clone(),
        suffix: args.suffix.clone(),
        replicas: args.instances,
    };
    let mut services = Vec::new();
    for mut document in file::read(name, args.format, &content).map_err(|error| wrong(error.to_string()))? {
        if args.strict && !document.warnings.is_empty() {
            return Err(wrong(document.warnings.join("; ")));
        }
        for warning in document.warnings {
            session.warn(&wrong(warning));
        }
        changes.apply(&mut document.keys).map_err(&wrong)?;
        let Some(service) = document.keys["name"].as_str() else {
            return Err(wrong("a service has no name; write name = \"NAME\"".to_owned()));
        };
        services.push((service.to_owned(), document.keys));
    }
    Ok(services)
}

pub(super) async fn scale(args: &ScaleArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let (to, services) = args
        .words
        .split_last()
        .map_or(("", &[][..]), |(to, of)| (to.as_str(), of));
    let body = json!({ "to": to, "oldest_first": args.fifo });
    change(services, ("scale", &body), args.consent, &args.waiting, session).await
}

pub(super) async fn bump(args: &BumpArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let NamesArgs {
        services,
        consent,
        waiting,
    } = &args.of;
    if let Some(id) = &waiting.resume {
        return operation::resume(std::slice::from_ref(id), session).await;
    }
    // A plan changes nothing, so that nobody is asked.
    let consent = Consent {
        force: consent.force || args.plan,
    };
    let names = SERVICE
        .meant_to("bump", services, consent, session.api, session.local)
        .await?;
    let body = match (&args.tag, &args.image) {
        (None, None) => Vec::new(),
        (tag, image) => json!({ "tag": tag, "image": image }).to_string().into_bytes(),
    };
    let mut begun = Begun::default();
    for name in names {
        let path = held_to(&name, "bump", args.plan, args.expect);
        let answer = session.api.post(&path, body.clone()).await;
        begun.take(&name, answer, session);
    }
    match args.plan {
        true => plan::print(begun, session),
        false => operation::finish(begun, waiting, session).await,
    }
}

pub(super) async fn rollback(args: &RollbackArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let body = json!({ "version": args.version });
    change(
        &args.services,
        ("rollback", &body),
        args.consent,
        &args.waiting,
        session,
    )
    .await
}

pub(super) async fn undeploy(args: &NamesArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    change(&args.services, ("", &Value::Null), args.consent, &args.waiting, session).await
}

pub(super) async fn wait(args: &WaitArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    operation::resume(&args.ids, session).await
}

/// Pauses or resumes services.
pub(super) async fn pause(
    services: &[String],
    verb: &str,
    consent: Consent,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let waiting = Waiting {
        detach: true,
        ..Waiting::default()
    };
    change(services, (verb, &Value::Null), consent, &waiting, session).await
}

/// Begins a change of each service, and waits for its end. Without a verb, the service is removed. One that fails keeps
/// none of the others.
async fn change(
    services: &[String],
    (verb, body): (&str, &Value),
    consent: Consent,
    waiting: &Waiting,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    if let Some(id) = &waiting.resume {
        return operation::resume(std::slice::from_ref(id), session).await;
    }
    let doing = if verb.is_empty() { "remove" } else { verb };
    let names = SERVICE
        .meant_to(doing, services, consent, session.api, session.local)
        .await?;
    let mut begun = Begun::default();
    for name in names {
        let path = path_of(&name, verb);
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let answer = match verb.is_empty() {
            true => session.api.delete(&path).await,
            false => session.api.post(&path, body).await,
        };
        begun.take(&name, answer, session);
    }
    operation::finish(begun, waiting, session).await
}

fn path_of(name: &str, verb: &str) -> String {
    let path = format!("/v1/services/{}", page::encode(name));
    match verb.is_empty() {
        true => path,
        false => format!("{path}/{verb}"),
    }
}
