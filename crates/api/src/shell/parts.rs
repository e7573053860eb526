//! The parts of a request with a line.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;

use async_trait::async_trait;
use axum::body::Bytes;
use futures_util::stream;
use multer::Multipart;
use orchestrator_verbs::{Local, LocalFile, Nothing, Terminal, Typing};

use crate::problem::Fault;

/// The most files of a line.
const MOST_FILES: usize = 64;

/// A line, with the files that came with it, by the names that the line has for them.
pub(super) struct Parts {
    pub(super) line: String,
    files: BTreeMap<String, Bytes>,
}

impl Parts {
    /// A line without files.
    pub(super) fn line(line: String) -> Self {
        Self {
            line,
            files: BTreeMap::new(),
        }
    }

    /// Reads `multipart/form-data` (RFC 7578): the part `line`, and files under any name with a file name.
    pub(super) async fn read(kind: &str, body: Bytes) -> Result<Self, Fault> {
        let boundary = multer::parse_boundary(kind).map_err(Fault::bad_line)?;
        let body = stream::iter([Ok::<_, Infallible>(body)]);
        let mut form = Multipart::new(body, boundary);
        let mut line = None;
        let mut files = BTreeMap::new();
        while let Some(field) = form.next_field().await.map_err(Fault::bad_line)? {
            let file = field.file_name().map(str::to_owned);
            let name = field.name().unwrap_or_default().to_owned();
            match file {
                Some(file) => {
                    let content = field.bytes().await.map_err(Fault::bad_line)?;
                    if files.len() == MOST_FILES || files.insert(file.clone(), content).is_some() {
                        let what = format!("{file} comes twice, or there are more than {MOST_FILES} files");
                        return Err(Fault::bad_line(what));
                    }
                }
                None if name == "line" && line.is_none() => {
                    line = Some(field.text().await.map_err(Fault::bad_line)?);
                }
                None => {
                    return Err(Fault::bad_line(format!(
                        "the part {name:?} is neither the line nor a file"
                    )));
                }
            }
        }
        let line = line.ok_or_else(|| Fault::bad_line("it has no part \"line\""))?;
        Ok(Self { line, files })
    }
}

#[async_trait]
impl Local for Parts {
    /// A file that came with the line. Nothing is read on this machine.
    async fn file(&self, name: &str) -> io::Result<LocalFile> {
        let last = name.rsplit('/').next().unwrap_or(name);
        match self.files.get(name).or_else(|| self.files.get(last)) {
            Some(content) => Ok(LocalFile {
                content: content.to_vec(),
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
        Nothing.input()
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
            assert_eq!((file.content.as_slice(), file.executable), (&b"#!/bin/sh"[..], true));
        }
        assert!(parts.file("/etc/hostname").await.is_err());
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
