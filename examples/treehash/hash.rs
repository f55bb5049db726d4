//! The work of one child: hashing a file. And its result: a line of the output.

use crate::error::Error;
use allhome::is_cancelled;
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How much is hashed between two looks whether the child was cancelled, in bytes: a fraction of a
/// millisecond.
const CHUNK: usize = 256 * 1024;

thread_local! {
    /// One for each thread: an allocation of this size for every small file would cost more than
    /// the hashing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// One line of the output.
pub(crate) struct Line {
    hash: [u8; 32],
    path: PathBuf,
}

/// Hashes a file. Gives none if the child was cancelled meanwhile: a thread cannot be interrupted,
/// so the work itself asks now and then.
pub(crate) fn hash_file(path: PathBuf, progress: &ProgressBar) -> Result<Option<Line>, Error> {
    match BUFFER.with_borrow_mut(|buffer| hash(&path, buffer, progress)) {
        Ok(hash) => Ok(hash.map(|hash| Line { hash, path })),
        Err(error) => Err(Error::Read(path, error)),
    }
}

fn hash(path: &Path, buffer: &mut [u8], progress: &ProgressBar) -> io::Result<Option<[u8; 32]>> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    while !is_cancelled() {
        let count = match file.read(buffer) {
            Ok(0) => return Ok(Some(hasher.finalize().into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        progress.inc(count as u64);
    }
    Ok(None)
}

impl Line {
    /// Appends the line as `sha256sum` (coreutils 9) prints it: a name that would break the line is
    /// escaped, and then a backslash stands before the hash.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let path = self.path.as_os_str().as_bytes();
        let escaped = path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
        if escaped {
            out.push(b'\\');
        }
        for byte in self.hash {
            out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        out.extend(b"  ");
        if escaped {
            append_escaped(path, out);
        } else {
            out.extend(path);
        }
        out.push(b'\n');
    }
}

fn append_escaped(path: &[u8], out: &mut Vec<u8>) {
    for byte in path {
        match byte {
            b'\\' => out.extend(br"\\"),
            b'\n' => out.extend(br"\n"),
            b'\r' => out.extend(br"\r"),
            byte => out.push(*byte),
        }
    }
}
