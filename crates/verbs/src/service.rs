//! `orchestrator deploy`, `services`, `scale`, `bump`, `rollback`, `undeploy` and `wait`: services, and the operations on
//! them.

use std::time::Duration;

use orchestrator_api_types::{Deployment, Operation, Service};
use orchestrator_model::parse_lifespan;
use orchestrator_service::file::{self, Changes};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::failure::Failure;
use super::glob;
use super::session::{Output, Session};
use super::table::{Column, Width};
use super::{page, table};

/// How long an operation may take unless the line says how long.
const LIMIT: Duration = Duration::from_secs(600);

/// How long one request waits for the end of an operation: less than the command line waits for an answer.
const TURN: Duration = Duration::from_secs(5);

/// How long the end of an operation is waited for.
#[derive(Debug, Clone, Default, clap::Args)]
struct Waiting {
    /// How long it may take, like 30s or 5m
    #[arg(short, long, value_name = "TIMEOUT", value_parser = parse_lifespan)]
    timeout: Option<Duration>,
    /// Do not wait for the end: print the operation, which `wait` waits for
    #[arg(short, long)]
    detach: bool,
}

/// Arguments of `deploy`.
#[derive(Debug, clap::Args)]
pub struct DeployArgs {
    /// Service files in TOML, JSON or YAML, or JSON for Marathon; each with one service or several
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
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
pub struct ScaleArgs {
    /// Services, also by a pattern like 'web-*'
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// The number: @5, or by how much it changes: +1, -1, x0.75
    #[arg(required = true, allow_hyphen_values = true, value_name = "NUMBER")]
    to: String,
    /// End the oldest instances first when there are to be fewer
    #[arg(long)]
    fifo: bool,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `bump` and of `undeploy`.
#[derive(Debug, clap::Args)]
pub struct NamesArgs {
    /// Services, also by a pattern like 'web-*'
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// The service
    service: String,
    /// The version; the one before the present one if it is not given
    #[arg(long, value_name = "VERSION")]
    version: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `wait`.
#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    /// The operation
    #[arg(value_name = "OPERATION")]
    id: String,
    /// How long it may take, like 30s or 5m
    #[arg(short, long, value_name = "TIMEOUT", value_parser = parse_lifespan)]
    timeout: Option<Duration>,
}

pub(super) async fn deploy(args: &DeployArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut all = Vec::new();
    for name in &args.files {
        all.extend(read_file(name, args, session).await?);
    }
    let mut begun = Vec::new();
    for (name, keys) in all {
        let mut query = Vec::new();
        let expect = args.expect.map(|expect| expect.to_string());
        if args.plan {
            query.push(("plan", "true"));
        }
        if let Some(expect) = &expect {
            query.push(("expect", expect));
        }
        let path = page::with_query(&path_of(&name, ""), &query);
        let answer = session.api.put(&path, keys.to_string().into_bytes()).await?;
        begun.push(page::parse(&answer, "a deployment")?);
    }
    match args.plan {
        true => print_plans(&begun, session),
        false => finish(&begun, &args.waiting, session).await,
    }
}

/// The services of a file with their names, changed as the line says.
async fn read_file(name: &str, args: &DeployArgs, session: &mut Session<'_>) -> Result<Vec<(String, Value)>, Failure> {
    let file = session.local.file(name).await.map_err(|source| Failure::Local {
        doing: "read",
        what: name.to_owned(),
        source,
    })?;
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
    for mut document in file::read(name, &file.content).map_err(|error| wrong(error.to_string()))? {
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

pub(super) async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer: Value = page::parse(&session.api.get("/v1/services").await?, "services")?;
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    match session.output {
        Output::Name => {
            let names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
            match names.is_empty() {
                true => Ok(()),
                false => session.print(&names.join("\n")),
            }
        }
        Output::Json | Output::Yaml => session.print_json(&items),
        output @ (Output::Table | Output::Wide) => {
            let text = render(&items, output.width())?;
            session.print(&text)
        }
    }
}

pub(super) async fn scale(args: &ScaleArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let body = json!({ "to": args.to, "oldest_first": args.fifo });
    change(&args.services, "scale", &body, &args.waiting, session).await
}

pub(super) async fn bump(args: &NamesArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    change(&args.services, "bump", &Value::Null, &args.waiting, session).await
}

pub(super) async fn rollback(args: &RollbackArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let body = json!({ "version": args.version });
    let services = std::slice::from_ref(&args.service);
    change(services, "rollback", &body, &args.waiting, session).await
}

pub(super) async fn undeploy(args: &NamesArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut begun = Vec::new();
    for name in names(&args.services, session).await? {
        let answer = session.api.delete(&path_of(&name, "")).await?;
        begun.push(page::parse(&answer, "a deployment")?);
    }
    finish(&begun, &args.waiting, session).await
}

pub(super) async fn wait(args: &WaitArgs, session: &mut Session<'_>) -> Result<(), Failure> {
    let ended = ended(&args.id, args.timeout.unwrap_or(LIMIT), session).await?;
    say(&ended, session)
}

/// Pauses or resumes services.
pub(super) async fn pause(services: &[String], verb: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let waiting = Waiting {
        detach: true,
        ..Waiting::default()
    };
    change(services, verb, &Value::Null, &waiting, session).await
}

async fn change(
    services: &[String],
    verb: &str,
    body: &Value,
    waiting: &Waiting,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let mut begun = Vec::new();
    for name in names(services, session).await? {
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let answer = session.api.post(&path_of(&name, verb), body).await?;
        begun.push(page::parse(&answer, "a deployment")?);
    }
    finish(&begun, waiting, session).await
}

/// The names that are meant: those of the patterns, and those that are none.
async fn names(given: &[String], session: &Session<'_>) -> Result<Vec<String>, Failure> {
    if !given.iter().any(|name| glob::is_pattern(name)) {
        return Ok(given.to_vec());
    }
    let answer: Value = page::parse(&session.api.get("/v1/services").await?, "services")?;
    let all = answer["items"].as_array().into_iter().flatten();
    let all: Vec<&str> = all.filter_map(|item| item["name"].as_str()).collect();
    let mut meant = Vec::new();
    for pattern in given {
        let before = meant.len();
        match glob::is_pattern(pattern) {
            true => {
                let fitting = all.iter().filter(|name| glob::matches(pattern, name));
                meant.extend(fitting.map(|name| (*name).to_owned()));
            }
            false => meant.push(pattern.clone()),
        }
        if meant.len() == before {
            let what = format!("no service matches {pattern}; `orchestrator services` shows those there are");
            return Err(Failure::Usage { what });
        }
    }
    meant.sort();
    meant.dedup();
    Ok(meant)
}

/// Waits for the ends of what was begun. The first that failed is the failure of the line; the others are reported.
async fn finish(begun: &[Value], waiting: &Waiting, session: &mut Session<'_>) -> Result<(), Failure> {
    let until = Instant::now() + waiting.timeout.unwrap_or(LIMIT);
    let mut failed: Option<Failure> = None;
    for item in begun {
        let deployment: Deployment = page::read(item, "a deployment")?;
        let outcome = match &deployment.operation {
            Some(operation) if !waiting.detach => {
                let left = until.saturating_duration_since(Instant::now());
                match ended(&operation.id.to_string(), left, session).await {
                    Ok(ended) => say(&ended, session),
                    Err(failure) => Err(failure),
                }
            }
            Some(operation) => {
                let text = format!("{}: operation {}", deployment.name, operation.id);
                print(item, &text, session)
            }
            None => print(item, &format!("{}: nothing more to do", deployment.name), session),
        };
        if let Err(failure) = outcome
            && let Some(earlier) = failed.replace(failure)
        {
            session.warn(&earlier);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Waits until an operation has ended.
async fn ended(id: &str, limit: Duration, session: &Session<'_>) -> Result<Value, Failure> {
    let began = Instant::now();
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let wait = format!("{}ms", left.min(TURN).as_millis().max(1));
        let path = format!("/v1/operations/{}", page::encode(id));
        let path = page::with_query(&path, &[("wait", wait.as_str())]);
        let item: Value = page::parse(&session.api.get(&path).await?, "an operation")?;
        if item["state"] != "running" {
            return Ok(item);
        }
        if began.elapsed() >= limit {
            return Err(Failure::TimedOut { limit });
        }
    }
}

/// Says how an operation ended. One that failed is the failure of the line.
fn say(item: &Value, session: &mut Session<'_>) -> Result<(), Failure> {
    let operation: Operation = page::read(item, "an operation")?;
    let detail = operation.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    let text = format!(
        "{}: {} of version {} is {}{detail}",
        operation.service, operation.kind, operation.version, operation.state
    );
    match operation.state.as_str() {
        "done" => print(item, &text, session),
        _ => Err(Failure::Usage { what: text }),
    }
}

fn print(item: &Value, text: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    match session.output.is_data() {
        true => session.print_json(item),
        false => session.print(text),
    }
}

fn print_plans(plans: &[Value], session: &mut Session<'_>) -> Result<(), Failure> {
    for item in plans {
        let plan: Deployment = page::read(item, "a deployment")?;
        if session.output.is_data() {
            session.print_json(item)?;
            continue;
        }
        let what = match (plan.changes.is_empty(), plan.replaces) {
            (true, _) => "nothing changes",
            (false, _) if plan.generation == 0 => "it is new",
            (false, true) => "its instances are replaced",
            (false, false) => "its instances stay",
        };
        session.print(&format!("{}: {what} (--expect {})", plan.name, plan.generation))?;
        let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        for change in &plan.changes {
            let (before, after) = (shown(&change.before), shown(&change.after));
            session.print(&format!("  {}: {before} → {after}", change.key))?;
        }
    }
    Ok(())
}

/// A table of services.
fn render(items: &[Value], width: Width) -> Result<String, Failure> {
    let row = |item| {
        let service: Service = page::read(item, "a service")?;
        let wanted = service
            .instances
            .map_or("per client".to_owned(), |count| count.to_string());
        let state = match (&service.operation, service.paused) {
            (_, Some(_)) => "paused".to_owned(),
            (Some(operation), None) => operation.kind.clone(),
            (None, None) => service.state,
        };
        Ok(vec![
            service.name,
            service.version.to_string(),
            format!("{}/{wanted}", service.serving),
            state,
            service.reason.unwrap_or_default(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    let header = [
        Column::new("SERVICE"),
        Column::new("VERSION"),
        Column::new("SERVING"),
        Column::new("STATE"),
        Column::new("REASON").at_most(80),
    ];
    Ok(table::columns(&header, rows, width))
}

fn path_of(name: &str, verb: &str) -> String {
    let path = format!("/v1/services/{}", page::encode(name));
    match verb.is_empty() {
        true => path,
        false => format!("{path}/{verb}"),
    }
}
