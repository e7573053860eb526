//! Reads the values that are not recorded: environment variables and files that a template takes from files of the host
//! and from systemd's credentials.
//!
//! They are read each time an engine is asked to start a container, and never recorded: the store, the API and the log
//! know where a value is from, not what it is.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_plugin::{ContainerSpec, File, FileContent, ValueSource};

use crate::ValueError;

/// The longest value of a variable, in bytes. The kernel takes no argument or variable beyond 128 KiB.
const LONGEST_VARIABLE: u64 = 64 << 10;
/// The longest file, in bytes.
const LONGEST_FILE: u64 = 1 << 20;
/// How long the sources of a container may take to be read.
const LIMIT: Duration = Duration::from_secs(10);

/// The specification with the values that are read now. Files may be on a disk that hangs, so no runtime thread waits.
pub(super) async fn resolved(spec: &ContainerSpec) -> Result<Cow<'_, ContainerSpec>, ValueError> {
    let from_source = |file: &File| matches!(file.content, FileContent::From(_));
    if spec.environment_from.is_empty() && !spec.files.iter().any(from_source) {
        return Ok(Cow::Borrowed(spec));
    }
    let spec = spec.clone();
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let read = tokio::task::spawn_blocking(move || resolve(&spec, credentials.as_deref()));
    match tokio::time::timeout(LIMIT, read).await {
        Ok(Ok(resolved)) => Ok(Cow::Owned(resolved?)),
        Ok(Err(_)) | Err(_) => Err(ValueError::Hangs),
    }
}

/// `spec` with the value of every variable in `environment`, and the bytes of every file. `credentials` is systemd's
/// `$CREDENTIALS_DIRECTORY`.
///
/// # Errors
///
/// The first that has no value, and why.
fn resolve(spec: &ContainerSpec, credentials: Option<&Path>) -> Result<ContainerSpec, ValueError> {
    let mut resolved = spec.clone();
    for (variable, source) in std::mem::take(&mut resolved.environment_from) {
        let value = variable_of(&variable, &source, credentials)?;
        resolved.environment.insert(variable, value);
    }
    for file in &mut resolved.files {
        if let FileContent::From(source) = &file.content {
            let subject = format!("file {}", file.target.display());
            let bytes = read(&subject, source, credentials, LONGEST_FILE)?;
            file.content = FileContent::Bytes(bytes);
        }
    }
    Ok(resolved)
}

fn variable_of(variable: &str, source: &ValueSource, credentials: Option<&Path>) -> Result<String, ValueError> {
    let subject = format!("environment variable {variable}");
    let bytes = read(&subject, source, credentials, LONGEST_VARIABLE)?;
    let unusable = |what| unusable(&subject, source, what);
    let text = String::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text; encode it, with base64 perhaps"))?;
    if text.contains('\0') {
        return Err(unusable(
            "holds a NUL byte, which no variable can; encode it, with base64 perhaps",
        ));
    }
    // Editors and `echo` end a file with a newline that is no part of the value.
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

fn read(subject: &str, source: &ValueSource, credentials: Option<&Path>, longest: u64) -> Result<Vec<u8>, ValueError> {
    let path = match (source, credentials) {
        (ValueSource::File(path), _) => path.clone(),
        (ValueSource::Credential(name), Some(directory)) => directory.join(name),
        (ValueSource::Credential(name), None) => {
            return Err(ValueError::NoCredentials {
                subject: subject.to_owned(),
                name: name.clone(),
            });
        }
    };
    let bytes = read_file(&path, longest).map_err(|error| ValueError::Unreadable {
        subject: subject.to_owned(),
        source_name: source.clone(),
        source: error,
    })?;
    match bytes.len() as u64 > longest {
        true if longest == LONGEST_FILE => Err(unusable(subject, source, "is larger than 1 MiB; mount it instead")),
        true => Err(unusable(
            subject,
            source,
            "is larger than 64 KiB; a variable cannot hold that",
        )),
        false => Ok(bytes),
    }
}

fn unusable(subject: &str, source: &ValueSource, what: &'static str) -> ValueError {
    ValueError::Unusable {
        subject: subject.to_owned(),
        source_name: source.clone(),
        what,
    }
}

/// At most one byte more than the longest of a regular file. Opening never waits, as it would for a FIFO's writer.
fn read_file(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use orchestrator_runtime::causes::with_causes;

    fn spec(source: ValueSource) -> ContainerSpec {
        ContainerSpec {
            image: "image".to_owned(),
            hostname: "host".to_owned(),
            command: Vec::new(),
            environment: [("PLAIN".to_owned(), "as written".to_owned())].into(),
            environment_from: [("TOKEN".to_owned(), source)].into(),
            capabilities: Vec::new(),
            resources: Default::default(),
            labels: Default::default(),
            ..ContainerSpec::default()
        }
    }

    /// A directory that is removed with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orchestrator-value-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, content: &[u8]) -> ValueSource {
            fs::write(self.0.join(name), content).unwrap();
            ValueSource::File(self.0.join(name))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn reason(source: ValueSource, credentials: Option<&Path>) -> String {
        with_causes(&resolve(&spec(source), credentials).unwrap_err())
    }

    #[test]
    fn a_file_s_value_stands_beside_those_that_are_written() {
        let directory = Directory::new("file");
        let resolved = resolve(&spec(directory.file("token", b"s3cret\n")), None).unwrap();
        assert_eq!(resolved.environment["TOKEN"], "s3cret");
        assert_eq!(resolved.environment["PLAIN"], "as written");
        assert!(resolved.environment_from.is_empty());
    }

    #[test]
    fn a_credential_is_a_file_of_systemd_s_directory() {
        let directory = Directory::new("credential");
        directory.file("db", b"two\nlines\n\n");
        let source = ValueSource::Credential("db".to_owned());
        let resolved = resolve(&spec(source.clone()), Some(&directory.0)).unwrap();
        assert_eq!(resolved.environment["TOKEN"], "two\nlines\n");
        assert!(reason(source, None).contains("LoadCredential=db:PATH"));
    }

    #[test]
    fn a_file_of_the_container_may_hold_any_bytes() {
        let directory = Directory::new("content");
        let file = File {
            target: "/etc/key".into(),
            content: FileContent::From(directory.file("key", &[0, 255, 10])),
            mode: File::default_mode(),
            uid: 0,
            gid: 0,
        };
        let files = ContainerSpec {
            files: vec![file],
            ..ContainerSpec::default()
        };
        let resolved = resolve(&files, None).unwrap();
        assert_eq!(resolved.files[0].content.bytes(), Some(&[0, 255, 10][..]));
    }

    #[test]
    fn a_source_without_a_value_says_what_to_do() {
        let directory = Directory::new("faults");
        let missing = reason(ValueSource::File(directory.0.join("none")), None);
        assert!(
            missing.contains("TOKEN") && missing.contains("none") && missing.contains("No such file"),
            "{missing}"
        );
        assert!(reason(ValueSource::File(directory.0.clone()), None).contains("not a regular file"));
        assert!(reason(directory.file("large", &vec![b'x'; 65_537]), None).contains("64 KiB"));
        assert!(reason(directory.file("binary", &[0xff, 0xfe]), None).contains("UTF-8"));
        assert!(reason(directory.file("nul", b"a\0b"), None).contains("NUL"));
    }

    #[test]
    fn a_fifo_without_a_writer_is_refused_and_not_waited_for() {
        let directory = Directory::new("fifo");
        let path = directory.0.join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(reason(ValueSource::File(path), None).contains("not a regular file"));
    }
}
