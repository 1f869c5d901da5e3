//! Large temporaries that outlive a training step: a pool of aligned `f32` buffers.
//!
//! The C allocator returns a large block to the system when it is freed, and the next step pays a page fault for every
//! 4 KiB of it again: on the layers of this crate that costs more than the arithmetic. A [`Buffer`] goes back to the
//! pool instead, also when burn drops the tensor that wraps it ([`Buffer::into_bytes`]).
//!
//! A block that nobody has asked for while a thousand others were taken leaves the pool, and the idle ones together never exceed
//! twice what was ever in use at once; least recently used blocks leave first, and [`trim`] empties it.

use burn::tensor::Bytes;
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Mutex;

/// One cache line: the unit of allocation, which gives every buffer its alignment.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const LINE: usize = 16;

/// Below this many lines (4 KiB) the C allocator is good enough.
const SMALLEST_POOLED: usize = 64;

/// An idle block lives for so many acquisitions: those of a few training steps.
const PATIENCE: u64 = 1000;

#[derive(Default)]
struct Pool {
    /// Idle blocks, least recently returned first, with the acquisitions that had been made when they came back.
    idle: Vec<(u64, Vec<Line>)>,
    idle_lines: usize,
    acquisitions: u64,
    live_lines: usize,
    peak_live_lines: usize,
}

static POOL: Mutex<Pool> =
    Mutex::new(Pool { idle: Vec::new(), idle_lines: 0, acquisitions: 0, live_lines: 0, peak_live_lines: 0 });

fn pool() -> std::sync::MutexGuard<'static, Pool> {
    // The pool's invariants hold between statements, so a panic elsewhere cannot have left it half changed.
    POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Gives all idle buffers back to the system.
pub fn trim() {
    let mut pool = pool();
    pool.idle_lines = 0;
    pool.peak_live_lines = pool.live_lines;
    let idle = std::mem::take(&mut pool.idle);
    drop(pool);
    drop(idle);
}

/// Tells the C allocator to keep what is freed, for the rest of the process. A program that trains says so once, at its start.
///
/// Layers of ours take their memory from the pool; burn's own operations do not, and glibc would give each of their larger
/// tensors back to the system and fetch it again in the next step. Other allocators are left as they are.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets three numbers inside the allocator; a value that it refuses changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// Bytes that the pool holds idle at this moment, for reports of memory use.
pub fn idle_bytes() -> usize {
    pool().idle_lines * size_of::<Line>()
}

/// A slice of `f32`, aligned to 64 bytes, whose memory comes from and returns to the pool.
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` values with *unspecified* (but initialised) contents: whatever its last user left.
    pub fn unspecified(len: usize) -> Buffer {
        let n = len.div_ceil(LINE);
        if n < SMALLEST_POOLED {
            return Buffer { lines: vec![Line([0.0; LINE]); n], len };
        }
        let mut pool = pool();
        // The tightest fit that wastes next to nothing: a step asks for the same sizes as the one before, and must find each.
        let found = pool
            .idle
            .iter()
            .enumerate()
            .filter(|(_, (_, block))| block.len() >= n && block.len() <= n + n / 64)
            .min_by_key(|(_, (_, block))| block.len())
            .map(|(at, _)| at);
        let reused = found.map(|at| pool.idle.remove(at).1);
        pool.acquisitions += 1;
        let taken = reused.as_ref().map_or(n, Vec::len);
        if reused.is_some() {
            pool.idle_lines -= taken;
        }
        pool.live_lines += taken;
        pool.peak_live_lines = pool.peak_live_lines.max(pool.live_lines);
        drop(pool);
        Buffer { lines: reused.unwrap_or_else(|| vec![Line([0.0; LINE]); n]), len }
    }

    /// A buffer of `len` zeros.
    pub fn zeros(len: usize) -> Buffer {
        let mut buffer = Buffer::unspecified(len);
        buffer.fill(0.0);
        buffer
    }

    /// A buffer with a copy of `values`.
    pub fn copy_of(values: &[f32]) -> Buffer {
        let mut buffer = Buffer::unspecified(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Hands the memory to burn as tensor storage, without copying; it returns to the pool when burn drops it.
    pub fn into_bytes(self) -> Bytes {
        let len = self.len * size_of::<f32>();
        // SAFETY: the controller exposes exactly `len` bytes, all initialised (a buffer never holds uninitialised
        // memory), aligned to 64, and owns them for its whole life.
        unsafe { Bytes::from_controller(Box::new(PooledBytes(self)), len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.len() < SMALLEST_POOLED {
            return;
        }
        let mut leaving = Vec::new();
        {
            let mut pool = pool();
            pool.live_lines -= lines.len();
            pool.idle_lines += lines.len();
            let now = pool.acquisitions;
            pool.idle.push((now, lines));
            while let Some((since, block)) = pool.idle.first()
                && (pool.idle_lines > 2 * pool.peak_live_lines || now - since > PATIENCE)
            {
                pool.idle_lines -= block.len();
                leaving.push(pool.idle.remove(0));
            }
        }
        drop(leaving);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `len` initialised values in one allocation; `Line` is a C array of `f32`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `self` is borrowed uniquely.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Buffer::copy_of(self)
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} values)", self.len)
    }
}

/// The owner of a [`Buffer`] inside burn's `Bytes`.
struct PooledBytes(Buffer);

impl AllocationController for PooledBytes {
    fn alloc_align(&self) -> usize {
        // What burn asks for when it copies; more than that is refused.
        align_of::<u128>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Native
    }

    unsafe fn memory_mut(&mut self, _policy: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let bytes = size_of_val::<[f32]>(&self.0);
        // SAFETY: the buffer's own memory, borrowed uniquely; any bytes written are valid `f32`s for later users
        // (the trait forbids its caller to write uninitialised bytes).
        Ok(unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), bytes) })
    }

    fn memory(&self, _policy: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let bytes = size_of_val::<[f32]>(&self.0);
        // SAFETY: the buffer's own memory, borrowed.
        Ok(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), bytes) })
    }

    fn duplicate(&self) -> Option<Box<dyn AllocationController>> {
        // A copy, so that burn's copy on write stays within the pool too.
        Some(Box::new(PooledBytes(self.0.clone())))
    }
}

/// A slice of rows of `width` values, cut into each chunk's rows; nothing each where the width is 0.
pub(crate) fn pieces<'a>(values: &'a mut [f32], chunks: &[Range<usize>], width: usize) -> Vec<&'a mut [f32]> {
    let mut rest = values;
    chunks.iter().map(|chunk| rest.split_off_mut(..chunk.len() * width).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reused_and_aligned() {
        // A size that no other test of this process asks for.
        let len = 7_654_321;
        let first = Buffer::zeros(len);
        let address = first.as_ptr() as usize;
        assert_eq!(address % 64, 0);
        drop(first);
        let second = Buffer::unspecified(len - 1000);
        assert_eq!((second.as_ptr() as usize, second.len()), (address, len - 1000));
    }

    #[test]
    fn bytes_share_the_memory() {
        let buffer = Buffer::copy_of(&[1.0, 2.0, 3.0]);
        let address = buffer.as_ptr() as usize;
        let bytes = buffer.into_bytes();
        assert_eq!((bytes.as_ptr() as usize, bytes.len()), (address, 12));
        assert_eq!(&bytes[4..8], 2.0f32.to_ne_bytes());
        assert_eq!(&bytes.clone()[8..12], 3.0f32.to_ne_bytes());
    }

    #[test]
    fn an_empty_buffer_is_no_special_case() {
        assert!(Buffer::zeros(0).is_empty());
        assert_eq!(Buffer::zeros(0).into_bytes().len(), 0);
    }
}
