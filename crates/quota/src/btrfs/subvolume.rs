//! One subvolume.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::groups::{Counted, Groups};
use super::ioctl::{ChildSubvolumes, DestroySubvolume, FindSubvolume, call};
use super::{is_btrfs, is_subvolume, open};
use crate::{Enforcement, Obstacle, Usage};

/// A subvolume that is open.
pub(crate) struct Subvolume {
    /// The directory that it is in. The kernel counts a change of a limit as a write to where it is asked for, and
    /// refuses it in a subvolume that is full.
    parent: File,
    id: u64,
    groups: Groups,
}

impl Subvolume {
    /// Opens a subvolume. `Ok(Err(_))` is a plain directory.
    pub(crate) fn at(path: &Path) -> io::Result<Result<Self, Obstacle>> {
        if !is_subvolume(path)? {
            return Ok(Err(match is_btrfs(path)? {
                true => Obstacle::PlainDirectory,
                false => Obstacle::FileSystem,
            }));
        }
        let mut found = FindSubvolume::new();
        call(open(path)?, &mut found)?;
        let parent = open(path.parent().unwrap_or(Path::new("/")))?;
        let groups = Groups::of(&parent)?;
        Ok(Ok(Self {
            parent,
            id: found.id,
            groups,
        }))
    }

    /// Limits what it may hold, together with all subvolumes within it.
    pub(crate) fn limit(&self, bytes: Option<u64>) -> io::Result<Enforcement> {
        if !self.groups.are_counted() {
            return Ok(Enforcement::Missing(Obstacle::QuotasOff));
        }
        match self.set_limit(bytes) {
            Ok(()) => Ok(Enforcement::Enforced),
            Err(fault) if fault.kind() == ErrorKind::PermissionDenied => Ok(Enforcement::Missing(Obstacle::Privilege)),
            Err(fault) => Err(fault),
        }
    }

    fn set_limit(&self, bytes: Option<u64>) -> io::Result<()> {
        let Self { parent, id, groups } = self;
        groups.ensure(parent, *id)?;
        // First: from then on a limit counts what is in it.
        for member in self.with_children()? {
            groups.include(parent, member, *id)?;
        }
        groups.limit(parent, *id, bytes)
    }

    /// What it holds, together with all subvolumes within it; `Ok(Err(_))` says why nobody counts that.
    /// Subvolumes that a process made within it since are counted from now on.
    pub(crate) fn usage(&self) -> io::Result<Result<Usage, Obstacle>> {
        if !self.groups.are_counted() {
            return Ok(Err(Obstacle::QuotasOff));
        }
        if self.groups.counted(self.id)?.is_some() {
            let children = self.with_children().unwrap_or_default();
            for member in children.into_iter().skip(1) {
                self.groups.include(&self.parent, member, self.id)?;
            }
        }
        let counted = self.groups.counted(self.id)?;
        let usage = |counted: Counted| Usage {
            bytes: counted.bytes,
            limit: counted.limit,
            obstacle: None,
        };
        Ok(counted.map(usage).ok_or(Obstacle::Privilege))
    }

    /// Removes it with all that it holds; `false` when this process may not.
    pub(crate) fn remove(self) -> io::Result<bool> {
        let Self { parent, id, groups } = &self;
        let all = match subvolumes_from(parent, *id) {
            Err(fault) if fault.kind() == ErrorKind::PermissionDenied => return Ok(false),
            all => all?,
        };
        // The innermost first: one that has others is not removed.
        for each in all.iter().rev() {
            match call(parent, &mut DestroySubvolume::new(*each)) {
                Err(fault) if fault.kind() == ErrorKind::NotFound => {}
                Err(fault) if fault.kind() == ErrorKind::PermissionDenied => return Ok(false),
                destroyed => destroyed?,
            }
        }
        groups.sweep(parent, &all);
        Ok(true)
    }

    fn with_children(&self) -> io::Result<Vec<u64>> {
        subvolumes_from(&self.parent, self.id)
    }
}

/// The id of a subvolume, and of all within it, each after the one that it is in.
fn subvolumes_from(at: &File, top: u64) -> io::Result<Vec<u64>> {
    let mut all = vec![top];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        next += 1;
        let mut least = 0;
        loop {
            let mut request = ChildSubvolumes::of(parent, least);
            call(at, &mut request)?;
            let ids = request.ids();
            let Some(last) = ids.last() else { break };
            least = last + 1;
            all.extend(ids);
        }
    }
    Ok(all)
}
