//! A terminal of its own for a program under test, and what it showed.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A pseudoterminal. All that programs show on it is kept.
#[derive(Debug)]
pub struct Pty {
    master: File,
    slave: File,
    seen: Arc<Mutex<String>>,
}

impl Pty {
    /// Opens one of this size.
    pub fn open(columns: u16, rows: u16) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let slave = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
        let pty = Self {
            master: master.into(),
            slave: slave.into(),
            seen: Arc::default(),
        };
        pty.resize(columns, rows)?;
        let (mut reader, seen) = (pty.master.try_clone()?, pty.seen.clone());
        // Ends with the terminal.
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..read]);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Ok(pty)
    }

    /// Gives a command the terminal as its input, output and error.
    pub fn give<'a>(&self, command: &'a mut Command) -> Result<&'a mut Command> {
        let end = || self.slave.try_clone().map(Stdio::from);
        Ok(command.stdin(end()?).stdout(end()?).stderr(end()?))
    }

    /// Types text.
    pub fn types(&mut self, text: &str) -> Result<()> {
        Ok(self.master.write_all(text.as_bytes())?)
    }

    /// All that was shown so far.
    pub fn seen(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives it another size.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(&self.master, size)?)
    }

    /// The modes by which it reads keys.
    pub fn modes(&self) -> Result<LocalModes> {
        Ok(tcgetattr(&self.slave)?.local_modes)
    }
}
