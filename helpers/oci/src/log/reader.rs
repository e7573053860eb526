//! Reads a log, and follows it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify;
use tokio::io::Interest;
use tokio::sync::{mpsc, watch};

use super::{Entry, Source};
use crate::ready::ready;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request {
    /// Only what was written so long after 1970, or later.
    pub(crate) since: Option<Duration>,
    /// Only so many lines from the end.
    pub(crate) tail: Option<usize>,
}

/// Where reading goes on.
pub(crate) struct Position {
    /// The newest file, at the first byte that was not read.
    file: Option<File>,
    /// The beginning of a line whose end was not written yet.
    rest: Vec<u8>,
}

/// Reads what a log holds, the oldest first.
pub(crate) fn read(directory: &Path, request: Request) -> io::Result<(Vec<Entry>, Position)> {
    let mut entries = VecDeque::new();
    let mut numbers: Vec<u32> = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let mut position = Position {
        file: None,
        rest: Vec::new(),
    };
    for number in numbers.into_iter().rev() {
        let file = match File::open(directory.join(number.to_string())) {
            // It was dropped in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        position.file = Some(file);
        position.rest.clear();
        entries.extend(position.entries()?);
    }
    let mut entries = Vec::from(entries);
    entries.retain(|entry| request.since.is_none_or(|since| entry.at >= since));
    if let Some(lines) = request.tail {
        drop(entries.drain(..begin_of_tail(&entries, lines)));
    }
    Ok((entries, position))
}

/// The index of the first entry of the last so many lines.
fn begin_of_tail(entries: &[Entry], lines: usize) -> usize {
    let mut left = lines;
    // Whether a line of this source has begun further down.
    let (mut open_out, mut open_err) = (false, false);
    for (index, entry) in entries.iter().enumerate().rev() {
        let open = match entry.source {
            Source::Stdout => &mut open_out,
            Source::Stderr => &mut open_err,
        };
        if entry.ends_line || !*open {
            if left == 0 {
                return index + 1;
            }
            left -= 1;
        }
        *open = true;
    }
    0
}

impl Position {
    /// The entries that were written since.
    fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let Some(file) = &mut self.file else {
            return Ok(Vec::new());
        };
        let mut reader = BufReader::new(&mut *file);
        let mut entries = Vec::new();
        loop {
            let before = self.rest.len();
            if reader.read_until(b'\n', &mut self.rest)? == 0 {
                return Ok(entries);
            }
            match self.rest.strip_suffix(b"\n") {
                Some(line) => {
                    entries.extend(Entry::parse(line));
                    self.rest.clear();
                }
                None if self.rest.len() > before => {}
                None => return Ok(entries),
            }
        }
    }

    /// Goes on with the file that is written to now, when it is another one.
    fn turn(&mut self, directory: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = self.entries()?;
        let newest = match File::open(directory.join("0")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
            newest => newest?,
        };
        let is_same = match &self.file {
            Some(file) => file.metadata()?.ino() == newest.metadata()?.ino(),
            None => false,
        };
        if !is_same {
            self.rest.clear();
            self.file = Some(newest);
            entries.extend(self.entries()?);
        }
        Ok(entries)
    }
}

/// Sends what is written from `position` on, until `ended` is true or nobody listens.
pub(crate) async fn follow(
    directory: &Path,
    mut position: Position,
    mut ended: watch::Receiver<bool>,
    entries: mpsc::Sender<Vec<Entry>>,
) -> io::Result<()> {
    let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
    let inotify = inotify::init(flags)?;
    let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&inotify, directory, events)?;
    let inotify = ready(inotify, Interest::READABLE)?;
    loop {
        // Before reading: what is written in between is reported afterwards.
        let is_over = *ended.borrow_and_update();
        let new = position.turn(directory)?;
        if !new.is_empty() && entries.send(new).await.is_err() {
            return Ok(());
        }
        if is_over {
            return Ok(());
        }
        tokio::select! {
            ready = inotify.readable() => {
                let mut ready = ready?;
                let mut events = [0; 4096];
                while rustix::io::read(&inotify, &mut events).is_ok_and(|length| length > 0) {}
                ready.clear_ready();
            }
            changed = ended.changed() => if changed.is_err() { return Ok(()) },
            () = entries.closed() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use orchestrator_plugin_oci::protocol::LogBounds;

    use super::super::Writer;
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orchestrator-log-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn writer(&self, size: u64, files: u32) -> Writer {
            Writer::open(self.0.clone(), LogBounds { size, files }).unwrap()
        }

        fn text(&self, request: Request) -> String {
            text(read(&self.0, request).unwrap().0)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(entries: Vec<Entry>) -> String {
        let bytes: Vec<u8> = entries.into_iter().flat_map(Entry::bytes).collect();
        String::from_utf8(bytes).unwrap()
    }

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn what_was_written_comes_back_as_it_was() {
        let place = Place::new("whole");
        let mut writer = place.writer(1 << 20, 2);
        let long = "x".repeat(50_000);
        let all = format!("one\n\ntwo {long}\nthree");
        writer.record(NOW, Source::Stdout, all.as_bytes()).unwrap();
        drop(writer);
        place
            .writer(1 << 20, 2)
            .record(NOW, Source::Stdout, b" goes on\n")
            .unwrap();
        assert_eq!(place.text(Request::default()), format!("{all} goes on\n"));
    }

    #[test]
    fn a_log_never_outgrows_its_bounds_and_keeps_the_end() {
        let place = Place::new("bounded");
        let mut writer = place.writer(2000, 3);
        for number in 0..1000 {
            writer
                .record(NOW, Source::Stdout, format!("line {number}\n").as_bytes())
                .unwrap();
        }
        let sizes: Vec<u64> = fs::read_dir(&place.0)
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= 2000), "{sizes:?}");
        // Also what is written at once.
        let all: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        writer.record(NOW, Source::Stdout, all.as_bytes()).unwrap();
        writer
            .record(NOW, Source::Stdout, all.replace('\n', " ").as_bytes())
            .unwrap();
        writer.record(NOW, Source::Stdout, all.as_bytes()).unwrap();
        let sizes = fs::read_dir(&place.0)
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len());
        assert!(sizes.into_iter().all(|size| size <= 2000));
        let kept = place.text(Request::default());
        assert!(kept.ends_with("line 998\nline 999\n") && !kept.contains("line 1\n"));
        let other = Place::new("one");
        let mut one = other.writer(100, 1);
        for _ in 0..100 {
            one.record(NOW, Source::Stdout, b"a line\n").unwrap();
        }
    }

    #[test]
    fn the_last_lines_and_those_since_a_moment_are_read() {
        let place = Place::new("tail");
        let mut writer = place.writer(1 << 20, 2);
        writer.record(NOW, Source::Stdout, b"one\ntwo\n").unwrap();
        writer
            .record(NOW + Duration::from_secs(5), Source::Stderr, b"three\nwithout an ")
            .unwrap();
        writer
            .record(NOW + Duration::from_secs(6), Source::Stderr, b"end")
            .unwrap();
        let tail = |lines| Request {
            tail: Some(lines),
            ..Request::default()
        };
        assert_eq!(place.text(tail(0)), "");
        assert_eq!(place.text(tail(1)), "without an end");
        assert_eq!(place.text(tail(2)), "three\nwithout an end");
        assert_eq!(place.text(tail(99)), "one\ntwo\nthree\nwithout an end");
        let since = Request {
            since: Some(NOW + Duration::from_secs(5)),
            ..Request::default()
        };
        assert_eq!(place.text(since), "three\nwithout an end");
    }

    #[tokio::test]
    async fn what_is_written_later_is_followed_over_a_new_file_to_the_end() {
        let place = Place::new("follow");
        let mut writer = place.writer(60, 2);
        writer.record(NOW, Source::Stdout, b"before\n").unwrap();
        let (first, position) = read(&place.0, Request::default()).unwrap();
        assert_eq!(text(first), "before\n");
        let (over, ended) = watch::channel(false);
        let (sender, mut receiver) = mpsc::channel(8);
        let directory = place.0.clone();
        let following = tokio::spawn(async move { follow(&directory, position, ended, sender).await });
        let mut all = String::new();
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            writer.record(NOW, Source::Stdout, line.as_bytes()).unwrap();
            while !all.ends_with(line) {
                all += &text(receiver.recv().await.unwrap());
            }
        }
        writer.record(NOW, Source::Stdout, b"last").unwrap();
        over.send(true).unwrap();
        while let Some(entries) = receiver.recv().await {
            all += &text(entries);
        }
        assert_eq!(all, "one\ntwo\nthree\nfour\nlast");
        following.await.unwrap().unwrap();
    }
}
