//! `orchestrator init`: lays out a project: an image that builds without a registry, and a service file.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Output;
use super::failure::Failure;
use super::table;

/// The longest answer to a question, in bytes.
const LONGEST: u64 = 256;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What is laid out
    #[arg(value_enum, default_value_t = Template::Web)]
    template: Template,
    /// The name of the service, and of the directory; asked for otherwise
    #[arg(long)]
    name: Option<String>,
    /// The port that it listens on; asked for otherwise
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Where the directory is made
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    within: PathBuf,
}

/// The projects that can be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// A web server with pages
    Web,
}

/// A file of a project: its path, whether it is a program, its text.
type Laid = (&'static str, bool, &'static str);

const WEB: [Laid; 4] = [
    ("build", true, include_str!("web/build")),
    ("service.toml", false, include_str!("web/service.toml")),
    ("rootfs/www/index.html", false, include_str!("web/index.html")),
    ("README.md", false, include_str!("web/README.md")),
];

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => ask("name of the service", "web")?,
    };
    check_name(&name)?;
    let port = match args.port {
        Some(port) => port,
        None => ask("port that it listens on", "8080")?
            .parse()
            .map_err(|_| wrong("it is no port"))?,
    };
    let files = match args.template {
        Template::Web => &WEB,
    };
    let directory = args.within.join(&name);
    lay_out(&directory, files, &name, port)?;
    let shown = directory.display().to_string();
    match output.is_data() {
        true => table::print(&table::data(
            output,
            &serde_json::json!({ "name": name, "directory": shown }),
        )?),
        false => table::print(&format!(
            "{shown} is laid out\nnext: cd {shown} && ./build && orchestrator deploy service.toml"
        )),
    }
}

fn wrong(what: &str) -> Failure {
    Failure::Given { what: what.to_owned() }
}

/// Asks for a value. An empty answer is the proposal.
fn ask(what: &str, proposal: &str) -> Result<String, Failure> {
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(wrong(&format!(
            "the {what} is missing; give it by --name and --port, or run this at a terminal"
        )));
    }
    eprint!("{what} [{proposal}]: ");
    let read = |doing| {
        move |source| Failure::File {
            doing,
            path: "the terminal".into(),
            source,
        }
    };
    io::stderr().flush().map_err(read("write to"))?;
    let mut line = String::new();
    Read::take(input.lock(), LONGEST)
        .read_line(&mut line)
        .map_err(read("read"))?;
    Ok(match line.trim() {
        "" => proposal.to_owned(),
        answer => answer.to_owned(),
    })
}

/// Names of services are labels: so is the directory's, which then leads nowhere else.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = name.len() <= 40 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_part);
    match is_label {
        true => Ok(()),
        false => Err(wrong(&format!(
            "{name:?} is no name of a service: a to z first, then also 0 to 9 and -, at most 40"
        ))),
    }
}

/// Makes the files. A directory that is there is left alone.
fn lay_out(directory: &Path, files: &[Laid], name: &str, port: u16) -> Result<(), Failure> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Failure::File { doing, path, source }
    };
    fs::create_dir(directory).map_err(failed("make", directory))?;
    for (path, is_program, text) in files {
        let file = directory.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(failed("make", parent))?;
        }
        let text = text.replace("NAME", name).replace("PORT", &port.to_string());
        let mode = if *is_program { 0o755 } else { 0o644 };
        let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(&file);
        made.and_then(|mut made| made.write_all(text.as_bytes()))
            .map_err(failed("write", &file))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(within: &Path, name: &str) -> Args {
        Args {
            template: Template::Web,
            name: Some(name.to_owned()),
            port: Some(8080),
            within: within.to_owned(),
        }
    }

    #[test]
    fn a_project_is_laid_out_once() {
        let place = std::env::temp_dir().join(format!("orchestrator-init-{}", std::process::id()));
        fs::create_dir(&place).unwrap();
        run(&args(&place, "shop"), Output::Name).unwrap();
        let service = fs::read_to_string(place.join("shop/service.toml")).unwrap();
        assert!(
            service.contains("name = \"shop\"") && service.contains("http = 8080"),
            "{service}"
        );
        assert!(!service.contains("NAME") && !service.contains("PORT"), "{service}");
        let failure = run(&args(&place, "shop"), Output::Name).unwrap_err();
        assert!(
            failure.to_string().contains("cannot make"),
            "what is there is left alone: {failure}"
        );
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["", "../x", "a/b", "Web", "0web", "-x", &"a".repeat(41)] {
            check_name(name).unwrap_err();
        }
        check_name("web-2").unwrap();
    }
}
