//! `orchestrator backup`: writes the whole contents of the database to one file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::check::SettingsFile;
use super::failure::Failure;
use super::progress::Counted;
use super::{Output, table};
use orchestrator_model::{FileContent, Timestamp, ValueSource};
use orchestrator_settings::{ContainerSettings, Settings};
use orchestrator_store::{Contents, Store};

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    /// Where to write it; an existing file is replaced once the new one is complete. "-" is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Whether a path stands for standard input or output.
pub(super) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) async fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let settings = args.settings.load()?;
    let url = settings.store.url.as_str();
    let to_file = !is_dash(&args.file);
    let contents = if to_file {
        write_file(url, &args.file).await?
    } else {
        if io::stdout().is_terminal() {
            return Err(Failure::Terminal);
        }
        let mut out = BufWriter::new(Counted::new("backup", io::stdout().lock()));
        let contents = Store::back_up(url, Timestamp::wall(), &mut out).await?;
        out.flush().map_err(Failure::Print)?;
        drop(out);
        contents
    };
    let report = Report {
        file: to_file.then(|| args.file.display().to_string()),
        contents,
        keep_too: keep_too(&settings, args.settings.place().path()),
    };
    match (to_file, output) {
        // Standard output is the backup itself.
        (false, _) => {
            eprint!("{}", report.text());
            Ok(())
        }
        (true, Output::Json | Output::Yaml | Output::Name) => table::print(&table::data(output, &report)?),
        (true, _) => table::print(&report.text()),
    }
}

/// Writes a file either completely or not at all. Only its owner may read it, because it contains the server's
/// identity.
async fn write_file(url: &str, path: &Path) -> Result<Contents, Failure> {
    let fault = |source| Failure::File {
        doing: "write",
        path: path.to_owned(),
        source,
    };
    let part = part_of(path);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .map_err(fault)?;
    let written = write(url, &file).await;
    let placed = written.and_then(|contents| {
        fs::rename(&part, path).map_err(fault)?;
        sync_directory(path).map_err(fault)?;
        Ok(contents)
    });
    if placed.is_err() {
        let _ = fs::remove_file(&part);
    }
    placed
}

async fn write(url: &str, file: &File) -> Result<Contents, Failure> {
    let mut buffered = BufWriter::new(Counted::new("backup", file));
    let contents = Store::back_up(url, Timestamp::wall(), &mut buffered).await?;
    drop(buffered);
    file.sync_all()
        .map_err(|error| Failure::Backup(orchestrator_store::BackupError::Write(error)))?;
    Ok(contents)
}

/// A file name next to the target that no other run uses.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".part-{}", std::process::id()));
    path.with_file_name(name)
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Files that a backup does not contain but that a restore needs.
fn keep_too(settings: &Settings, settings_file: &Path) -> Vec<String> {
    let mut files = vec![
        format!("{} (the settings)", settings_file.display()),
        format!(
            "{} (the sealing key: without it the secrets in the backup are lost; keep it in another place)",
            settings.secrets.key_file.display()
        ),
    ];
    let volumes = settings.volumes.directory.display();
    files.push(format!(
        "{volumes} (the content of the volumes; `orchestrator volume export` copies one)"
    ));
    for (name, template) in &settings.templates {
        let containers = template.containers();
        let sources = containers.flat_map(|(_, container)| sources(container));
        for (subject, source) in sources {
            let what = match source {
                ValueSource::File(path) => path.display().to_string(),
                ValueSource::Credential(name) => format!("the credential {name}"),
            };
            files.push(format!("{what} ({subject} of template {name})"));
        }
    }
    files
}

/// The sources that a container reads values from: variables by name, files by path.
fn sources(container: &ContainerSettings) -> Vec<(String, &ValueSource)> {
    let variables = container.environment_from.iter();
    let variables = variables.map(|(name, source)| (name.clone(), source));
    let files = container.files.iter().filter_map(|file| match &file.content {
        FileContent::From(source) => Some((file.target.display().to_string(), source)),
        FileContent::Text(_) | FileContent::Bytes(_) => None,
    });
    variables.chain(files).collect()
}

/// The report of a backup.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: Option<String>,
    #[serde(flatten)]
    contents: Contents,
    keep_too: Vec<String>,
}

impl Report {
    fn text(&self) -> String {
        let name = self.file.as_deref().unwrap_or("the backup");
        let mut text = format!("{name} holds {}\n", holds(&self.contents));
        text.push_str("the server's identity is in it: keep it as secret as the database\n");
        text.push_str("keep beside it, as it is not in it:\n");
        for file in &self.keep_too {
            text.push_str(&format!("  {file}\n"));
        }
        text.push_str("  the images of the templates\n");
        text
    }
}

/// The contents of a backup, as text for people.
pub(super) fn holds(contents: &Contents) -> String {
    let of = |table: &str, one: &str, several: &str| match contents.count(table) {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    };
    let count = |table: &str, one: &str| of(table, one, &format!("{one}s"));
    format!(
        "{}, {}, {}, {}, {}, {}, {}, {}, {} and {}, as of {} (schema {}, version {})",
        count("clients", "client"),
        count("leases", "lease"),
        count("instances", "instance"),
        count("reservations", "reservation"),
        count("services", "service"),
        count("operations", "operation"),
        count("tokens", "token"),
        count("authorized_keys", "SSH key"),
        of("kv", "key with a value", "keys with values"),
        count("events", "event"),
        contents.made,
        contents.schema,
        contents.program,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_model::Timestamp;

    #[test]
    fn what_it_holds_and_what_must_go_along_is_said() {
        let settings = orchestrator_settings::parse(
            "[template.web]\nimage = \"web\"\nenvironment = { TOKEN = { file = \"/etc/token\" }, KEY = { credential = \"key\" } }\n\
             [[template.web.container]]\nname = \"proxy\"\nimage = \"haproxy\"\n\
             file = [{ target = \"/etc/cert.pem\", file = \"/etc/ssl/cert.pem\" }, { target = \"/a\", text = \"a\" }]",
            std::iter::empty(),
        )
        .unwrap();
        let report = Report {
            file: Some("/var/backups/today".to_owned()),
            contents: Contents {
                program: "0.3.0".to_owned(),
                made: Timestamp(1_800_000_000_000),
                schema: 3,
                rows: [
                    ("clients", 2),
                    ("leases", 1),
                    ("services", 3),
                    ("operations", 4),
                    ("tokens", 1),
                    ("kv", 2),
                ]
                .map(|(table, rows)| (table.to_owned(), rows))
                .into(),
            },
            keep_too: keep_too(&settings, Path::new("/etc/orchestrator/settings.toml")),
        };
        assert_eq!(
            report.text(),
            "/var/backups/today holds 2 clients, 1 lease, 0 instances, 0 reservations, 3 services, 4 operations, 1 token, \
             0 SSH keys, 2 keys with values and 0 events, as of \
             2027-01-15T08:00:00.000Z (schema 3, version 0.3.0)\n\
             the server's identity is in it: keep it as secret as the database\n\
             keep beside it, as it is not in it:\n\
             \u{20} /etc/orchestrator/settings.toml (the settings)\n\
             \u{20} /var/lib/orchestrator/orchestrator.key (the sealing key: without it the secrets in the backup are \
             lost; keep it in another place)\n\
             \u{20} /var/lib/orchestrator/volumes (the content of the volumes; `orchestrator volume export` copies one)\n\
             \u{20} the credential key (KEY of template web)\n\
             \u{20} /etc/token (TOKEN of template web)\n\
             \u{20} /etc/ssl/cert.pem (/etc/cert.pem of template web)\n\
             \u{20} the images of the templates\n"
        );
    }

    #[test]
    fn the_part_that_is_being_written_lies_beside_the_file() {
        let part = part_of(Path::new("/var/backups/today"));
        assert_eq!(part.parent(), Some(Path::new("/var/backups")));
        assert!(part.to_str().unwrap().starts_with("/var/backups/.today.part-"));
    }
}
