//! The room of the calls to btrfs: their arguments as the kernel lays them out (`linux/btrfs.h`), and one function that
//! makes any of them.

use std::ffi::c_void;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

const MAGIC: u8 = 0x94;
/// Bytes of a name, with the zero after it.
const NAME: usize = 4088;
/// Bytes of a name, where flags are beside it.
const SHORT_NAME: usize = 4040;
/// Words of 64 bits in an answer of [`ChildSubvolumes`].
const FOUND: usize = 499;

/// The argument of one call.
pub(super) trait Request {
    /// The number of the call, which contains the size of the argument.
    const OPCODE: Opcode;
}

/// Makes a call. The kernel reads the argument, and may write its answer into it.
#[allow(unsafe_code, reason = "no library has safe calls to btrfs")]
pub(super) fn call<R: Request>(at: impl AsFd, request: &mut R) -> io::Result<()> {
    struct Call<'r, R>(&'r mut R);

    // SAFETY: the pointer is to a value that is borrowed until the call is over, and the opcode has its size. Every
    // implementor of `Request` is private to this file, consists of integers in the kernel's layout, and has no pointer:
    // whatever the kernel writes into it is a value of its type.
    unsafe impl<R: Request> Ioctl for Call<'_, R> {
        type Output = ();
        const IS_MUTATING: bool = true;

        fn opcode(&self) -> Opcode {
            R::OPCODE
        }

        fn as_ptr(&mut self) -> *mut c_void {
            std::ptr::from_mut(self.0).cast()
        }

        unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
            Ok(())
        }
    }

    // SAFETY: see above. On a file system that is not btrfs these numbers are refused, or are the same calls.
    unsafe { ioctl(at, Call(request)) }?;
    Ok(())
}

/// `BTRFS_IOC_SUBVOL_CREATE`: makes a subvolume in the open directory.
#[repr(C)]
pub(super) struct CreateSubvolume {
    fd: i64,
    name: [u8; NAME],
}

impl Request for CreateSubvolume {
    const OPCODE: Opcode = opcode::write::<Self>(MAGIC, 14);
}

impl CreateSubvolume {
    /// `None` when the name is too long.
    pub(super) fn new(name: &[u8]) -> Option<Self> {
        let mut request = Self { fd: 0, name: [0; NAME] };
        // A zero stays behind it.
        request.name[..NAME - 1].get_mut(..name.len())?.copy_from_slice(name);
        Some(request)
    }
}

/// `BTRFS_IOC_SNAP_DESTROY_V2` by the id of a subvolume, wherever in the file system it is.
#[repr(C)]
pub(super) struct DestroySubvolume {
    fd: i64,
    transaction: u64,
    flags: u64,
    unused: [u64; 4],
    id: u64,
    rest: [u8; SHORT_NAME - 8],
}

impl Request for DestroySubvolume {
    const OPCODE: Opcode = opcode::write::<Self>(MAGIC, 63);
}

impl DestroySubvolume {
    const BY_ID: u64 = 1 << 4;

    pub(super) fn new(id: u64) -> Self {
        Self {
            fd: 0,
            transaction: 0,
            flags: Self::BY_ID,
            unused: [0; 4],
            id,
            rest: [0; SHORT_NAME - 8],
        }
    }
}

/// `BTRFS_IOC_FS_INFO`: the id of the file system.
#[repr(C)]
pub(super) struct FileSystemInfo {
    devices: [u64; 2],
    /// The id of the file system.
    pub(super) id: [u8; 16],
    rest: [u64; 124],
}

impl Request for FileSystemInfo {
    const OPCODE: Opcode = opcode::read::<Self>(MAGIC, 31);
}

impl FileSystemInfo {
    pub(super) fn new() -> Self {
        Self {
            devices: [0; 2],
            id: [0; 16],
            rest: [0; 124],
        }
    }
}

/// `BTRFS_IOC_INO_LOOKUP` of an open directory: the id of the subvolume that it is in.
#[repr(C)]
pub(super) struct FindSubvolume {
    /// The id of the subvolume.
    pub(super) id: u64,
    object: u64,
    path: [u8; 4080],
}

impl Request for FindSubvolume {
    const OPCODE: Opcode = opcode::read_write::<Self>(MAGIC, 18);
}

impl FindSubvolume {
    pub(super) fn new() -> Self {
        Self {
            id: 0,
            object: super::TOP_INODE,
            path: [0; 4080],
        }
    }
}

/// `BTRFS_IOC_QGROUP_CREATE`: makes or removes a group of quotas.
#[repr(C)]
pub(super) struct QuotaGroup {
    is_created: u64,
    group: u64,
}

impl Request for QuotaGroup {
    const OPCODE: Opcode = opcode::write::<Self>(MAGIC, 42);
}

impl QuotaGroup {
    /// Makes a group.
    pub(super) fn created(group: u64) -> Self {
        Self { is_created: 1, group }
    }

    /// Removes a group.
    pub(super) fn removed(group: u64) -> Self {
        Self { is_created: 0, group }
    }
}

/// `BTRFS_IOC_QGROUP_ASSIGN`: has what counts for one group count for another, too.
#[repr(C)]
pub(super) struct AssignGroup {
    is_assigned: u64,
    member: u64,
    group: u64,
}

impl Request for AssignGroup {
    const OPCODE: Opcode = opcode::write::<Self>(MAGIC, 41);
}

impl AssignGroup {
    pub(super) fn new(member: u64, group: u64) -> Self {
        Self {
            is_assigned: 1,
            member,
            group,
        }
    }
}

/// `BTRFS_IOC_QGROUP_LIMIT`: limits the bytes that a group may refer to.
#[repr(C)]
pub(super) struct LimitGroup {
    group: u64,
    flags: u64,
    referenced: u64,
    others: [u64; 3],
}

impl Request for LimitGroup {
    const OPCODE: Opcode = opcode::read::<Self>(MAGIC, 43);
}

impl LimitGroup {
    const REFERENCED: u64 = 1;
    const NO_LIMIT: u64 = u64::MAX;

    pub(super) fn new(group: u64, bytes: Option<u64>) -> Self {
        Self {
            group,
            flags: Self::REFERENCED,
            referenced: bytes.unwrap_or(Self::NO_LIMIT),
            others: [0; 3],
        }
    }
}

/// `BTRFS_IOC_QUOTA_RESCAN`: has the kernel count anew what each group refers to.
#[repr(C)]
pub(super) struct CountAnew {
    flags: u64,
    rest: [u64; 7],
}

impl Request for CountAnew {
    const OPCODE: Opcode = opcode::write::<Self>(MAGIC, 44);
}

impl CountAnew {
    pub(super) fn new() -> Self {
        Self { flags: 0, rest: [0; 7] }
    }
}

/// `BTRFS_IOC_TREE_SEARCH` for the subvolumes that lie directly in a subvolume, wherever it is.
#[repr(C)]
pub(super) struct ChildSubvolumes {
    tree: u64,
    objects: [u64; 2],
    offsets: [u64; 2],
    transactions: [u64; 2],
    types: [u32; 2],
    count: u32,
    unused: [u32; 9],
    found: [u64; FOUND],
}

impl Request for ChildSubvolumes {
    const OPCODE: Opcode = opcode::read_write::<Self>(MAGIC, 17);
}

impl ChildSubvolumes {
    const ROOT_TREE: u64 = 1;
    /// The type of the item that names a subvolume within another one.
    const REFERENCE: u32 = 156;
    /// Words of 64 bits before the content of each item: transaction, object, offset, and type with length.
    const HEADER: usize = 4;

    /// Those of a subvolume whose ids are not below `least`.
    pub(super) fn of(parent: u64, least: u64) -> Self {
        Self {
            tree: Self::ROOT_TREE,
            objects: [parent; 2],
            offsets: [least, u64::MAX],
            transactions: [0, u64::MAX],
            types: [Self::REFERENCE; 2],
            count: u32::MAX,
            unused: [0; 9],
            found: [0; FOUND],
        }
    }

    /// The ids in the answer, in their order. The list of a parent is complete when an answer has none.
    pub(super) fn ids(&self) -> Vec<u64> {
        let bytes: Vec<u8> = self.found.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let (mut rest, mut ids) = (bytes.as_slice(), Vec::new());
        for _ in 0..self.count {
            let Some((header, content)) = rest.split_at_checked(Self::HEADER * 8) else {
                break;
            };
            let (offset, length) = (&header[16..24], &header[28..32]);
            let (Ok(offset), Ok(length)) = (offset.try_into(), length.try_into()) else {
                break;
            };
            ids.push(u64::from_ne_bytes(offset));
            // The content is the name, which nobody needs.
            let Some(after) = content.get(u32::from_ne_bytes(length) as usize..) else {
                break;
            };
            rest = after;
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_the_sizes_of_the_kernels() {
        assert_eq!(size_of::<CreateSubvolume>(), 4096);
        assert_eq!(size_of::<DestroySubvolume>(), 4096);
        assert_eq!(size_of::<FileSystemInfo>(), 1024);
        assert_eq!(size_of::<FindSubvolume>(), 4096);
        assert_eq!(size_of::<QuotaGroup>(), 16);
        assert_eq!(size_of::<AssignGroup>(), 24);
        assert_eq!(size_of::<LimitGroup>(), 48);
        assert_eq!(size_of::<CountAnew>(), 64);
        assert_eq!(size_of::<ChildSubvolumes>(), 4096);
    }
}
