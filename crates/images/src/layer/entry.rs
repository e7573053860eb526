//! Reads the entries of an archive one after the other, with a limit on their extended headers.

use std::io::{self, Read};

use tar::{Archive, EntryType, Header};

use super::LayerFault;
use super::header::Entry;
use super::pax::Extensions;
use crate::Limits;

/// Reads an archive entry by entry.
pub(crate) struct Entries<'a, R: Read> {
    archive: Archive<R>,
    limits: &'a Limits,
}

/// The extended headers before an entry.
#[derive(Default)]
struct Before {
    extensions: Extensions,
    /// Their size in bytes.
    bytes: u64,
}

impl<'a, R: Read> Entries<'a, R> {
    pub(crate) fn new(stream: R, limits: &'a Limits) -> Self {
        Self {
            archive: Archive::new(stream),
            limits,
        }
    }

    /// Calls `act` for each entry with its content. `act` need not read the content.
    ///
    /// # Errors
    ///
    /// The first error of an entry, of the archive, or of `act`.
    pub(crate) fn each(
        mut self,
        mut act: impl FnMut(Entry, &mut dyn Read) -> Result<(), LayerFault>,
    ) -> Result<u64, LayerFault> {
        let limits = self.limits;
        let (mut count, mut before) = (0, Before::default());
        for entry in self.archive.entries()?.raw(true) {
            let mut entry = entry?;
            count += 1;
            if count > limits.entries {
                let reason = format!("a layer has more than {} entries", limits.entries);
                return Err(LayerFault::Refused(reason));
            }
            let header = entry.header().clone();
            let size = header.entry_size()?;
            if is_extension(header.entry_type()) {
                before.take(&header, size, &mut entry, limits)?;
                continue;
            }
            let extensions = std::mem::take(&mut before).extensions;
            let read = Entry::read(&header, extensions, limits.depth)?;
            act(read, &mut entry)?;
        }
        Ok(count)
    }
}

fn is_extension(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink
    )
}

impl Before {
    fn take(&mut self, header: &Header, size: u64, content: &mut dyn Read, limits: &Limits) -> Result<(), LayerFault> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > limits.header_bytes {
            let reason = format!(
                "an entry of a layer has more than {} bytes of headers",
                limits.header_bytes
            );
            return Err(LayerFault::Refused(reason));
        }
        let mut bytes = Vec::new();
        content.take(size).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).ok() != Some(size) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let text = || bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_owned();
        match header.entry_type() {
            EntryType::GNULongName => self.extensions.path = Some(text()),
            EntryType::GNULongLink => self.extensions.link = Some(text()),
            // This header is about all later entries, and has nothing that is used here.
            EntryType::XGlobalHeader => {}
            _ => {
                let read = self.extensions.read(&bytes);
                read.ok_or_else(|| {
                    LayerFault::Refused("an entry of a layer has a header that cannot be read".to_owned())
                })?;
            }
        }
        Ok(())
    }
}
