//! The parts of a request with a line.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;

use async_trait::async_trait;
use axum::body::Bytes;
use futures_util::stream;
use multer::Multipart;
use orchestrator_api_types::ShellLine;
use orchestrator_verbs::{DASH, Local, LocalFile, Nothing, Terminal, Typed, Typing};

use crate::problem::Fault;

/// The most files of a line.
const MOST_FILES: usize = 64;

/// The name of the part that is the standard input of the line.
const INPUT: &str = "input";

/// A line, with the files that came with it, by the names that the line has for them, and its standard input.
pub(super) struct Parts {
    pub(super) line: String,
    files: BTreeMap<String, Bytes>,
    input: Option<Bytes>,
}

impl Parts {
    /// A line without files.
    pub(super) fn of(line: ShellLine) -> Self {
        Self {
            line: line.line,
            files: BTreeMap::new(),
            input: line.input.map(Bytes::from),
        }
    }

    /// Reads `multipart/form-data` (RFC 7578): the part `line`, the part `input`, and files under any name with a file
    /// name. The part `input` may have a file name, too: then the line may also name it as a file.
    pub(super) async fn read(kind: &str, body: Bytes) -> Result<Self, Fault> {
        let boundary = multer::parse_boundary(kind).map_err(Fault::bad_line)?;
        let body = stream::iter([Ok::<_, Infallible>(body)]);
        let mut form = Multipart::new(body, boundary);
        let (mut line, mut input) = (None, None);
        let mut files = BTreeMap::new();
        while let Some(field) = form.next_field().await.map_err(Fault::bad_line)? {
            let file = field.file_name().map(str::to_owned);
            let name = field.name().unwrap_or_default().to_owned();
            if file.is_none() && name == "line" && line.is_none() {
                line = Some(field.text().await.map_err(Fault::bad_line)?);
                continue;
            }
            let content = field.bytes().await.map_err(Fault::bad_line)?;
            let is_input = name == INPUT || file.as_deref() == Some(DASH);
            if is_input && input.replace(content.clone()).is_some() {
                return Err(Fault::bad_line("it has more than one standard input"));
            }
            match file {
                Some(file) if files.len() < MOST_FILES && !files.contains_key(&file) => {
                    files.insert(file, content);
                }
                Some(file) => {
                    let what = format!("{file} comes twice, or there are more than {MOST_FILES} files");
                    return Err(Fault::bad_line(what));
                }
                None if is_input => {}
                None => {
                    return Err(Fault::bad_line(format!(
                        "the part {name:?} is neither the line, nor its input, nor a file"
                    )));
                }
            }
        }
        let line = line.ok_or_else(|| Fault::bad_line("it has no part \"line\""))?;
        Ok(Self { line, files, input })
    }
}

#[async_trait]
impl Local for Parts {
    /// A file that came with the line. Nothing is read on this machine.
    async fn file(&self, name: &str) -> io::Result<LocalFile> {
        let last = name.rsplit('/').next().unwrap_or(name);
        match self.files.get(name).or_else(|| self.files.get(last)) {
            Some(content) => Ok(LocalFile {
                content: content.clone(),
                // HTTP does not say. A script is run by its interpreter or by itself.
                executable: content.starts_with(b"#!") || content.starts_with(b"\x7fELF"),
            }),
            None => Nothing.file(name).await,
        }
    }

    async fn confirm(&self, question: &str) -> Option<bool> {
        Nothing.confirm(question).await
    }

    fn terminal(&self) -> io::Result<Terminal> {
        Nothing.terminal()
    }

    fn input(&self) -> io::Result<Typing> {
        match &self.input {
            Some(input) => Ok(Box::pin(stream::iter([Typed::Bytes(input.clone())]))),
            None => Nothing.input(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=xyz";

    async fn read(text: &str) -> Result<Parts, Fault> {
        Parts::read(KIND, text.replace('\n', "\r\n").into()).await
    }

    #[tokio::test]
    async fn a_line_comes_with_its_files_and_no_other_is_there() {
        let parts = read(
            "--xyz\nContent-Disposition: form-data; name=\"line\"\n\nexec web-0 --file dir/a.sh sh /tmp/a.sh\n\
             --xyz\nContent-Disposition: form-data; name=\"file\"; filename=\"a.sh\"\n\n#!/bin/sh\n--xyz--\n",
        )
        .await
        .unwrap();
        assert_eq!(parts.line, "exec web-0 --file dir/a.sh sh /tmp/a.sh");
        for name in ["a.sh", "dir/a.sh"] {
            let file = parts.file(name).await.unwrap();
            assert_eq!((&file.content[..], file.executable), (&b"#!/bin/sh"[..], true));
        }
        assert!(parts.file("/etc/hostname").await.is_err());
    }

    #[tokio::test]
    async fn standard_input_is_a_part_with_its_name_or_the_file_dash() {
        let line = "--xyz\nContent-Disposition: form-data; name=\"line\"\n\nimage load -\n";
        for head in [
            "name=\"input\"",
            "name=\"x\"; filename=\"-\"",
            "name=\"input\"; filename=\"a.tar\"",
        ] {
            let input = format!("--xyz\nContent-Disposition: form-data; {head}\n\nabc\n");
            let parts = read(&format!("{line}{input}--xyz--\n")).await.unwrap();
            assert_eq!(parts.secret("", 9).await.unwrap(), b"abc", "{head}");
            assert_eq!(parts.file("a.tar").await.is_ok(), head.contains("a.tar"), "{head}");
            assert!(read(&format!("{line}{input}{input}--xyz--\n")).await.is_err(), "{head}");
        }
        let parts = read(&format!("{line}--xyz--\n")).await.unwrap();
        assert!(parts.input().is_err());
    }

    #[tokio::test]
    async fn parts_that_make_no_sense_are_refused() {
        let line = "--xyz\nContent-Disposition: form-data; name=\"line\"\n\nls\n";
        for text in [
            "--xyz--\n".to_owned(),
            line.to_owned(),
            format!("{line}{line}--xyz--\n"),
            format!("{line}--xyz\nContent-Disposition: form-data; name=\"other\"\n\nx\n--xyz--\n"),
        ] {
            assert!(read(&text).await.is_err(), "{text}");
        }
        assert!(Parts::read("multipart/form-data", Bytes::new()).await.is_err());
    }
}
