//! The walk: all files under a folder, in the byte order of their paths.
//!
//! It goes depth first, and reads a folder when it comes to it. To give the *paths* in order it is
//! not enough to sort the names of each folder: `a.txt` comes before `a/b`, for `.` is less than
//! `/`, though the name `a` comes before `a.txt`. So folders are sorted by their name with the `/`
//! that follows it in every path below. Then no list of all paths has to be sorted in the end:
//! what is in memory is the names of the folders on the way down to the present one.

use crate::error::Error;
use allhome::is_cancelled;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::vec;

/// What a walk comes upon: a regular file, or a folder that cannot be read.
pub(crate) type Found = Result<PathBuf, Error>;

/// A walk under way. It blocks.
pub(crate) struct Walk {
    start: Option<PathBuf>,
    /// The folders from the first down to the present one.
    folders: Vec<Folder>,
}

/// A folder that was read, and what is left of it.
struct Folder {
    /// What its files' paths begin with; it ends with `/`.
    prefix: Vec<u8>,
    /// The names of files, and those of folders with a `/` after them; sorted.
    names: vec::IntoIter<Vec<u8>>,
}

impl Walk {
    /// Prepares a walk; nothing is read yet.
    pub(crate) fn new(start: &Path) -> Walk {
        Walk { start: Some(start.to_owned()), folders: Vec::new() }
    }

    /// Begins with DIR itself: it may be a file, and then that is all. Paths begin as DIR was
    /// written, as with `find`.
    fn begin(&mut self, start: PathBuf) -> Option<Found> {
        let kind = match fs::symlink_metadata(&start) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return Some(Err(Error::Read(start, error))),
        };
        if kind.is_file() {
            return Some(Ok(start));
        }
        if kind.is_dir() {
            let mut prefix = start.as_os_str().as_bytes().to_vec();
            if !prefix.ends_with(b"/") {
                prefix.push(b'/');
            }
            return self.enter(prefix).err().map(Err);
        }
        None
    }

    fn enter(&mut self, prefix: Vec<u8>) -> Result<(), Error> {
        let path = path(prefix.clone());
        let names = sorted_names(&path).map_err(|error| Error::Read(path, error))?.into_iter();
        self.folders.push(Folder { prefix, names });
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(start) = self.start.take() {
            if let Some(found) = self.begin(start) {
                return Some(found);
            }
        }
        loop {
            let folder = self.folders.last_mut()?;
            let Some(name) = folder.names.next() else {
                self.folders.pop();
                continue;
            };
            let is_folder = name.ends_with(b"/");
            let full = [folder.prefix.as_slice(), &name].concat();
            if !is_folder {
                return Some(Ok(path(full)));
            }
            if let Err(error) = self.enter(full) {
                return Some(Err(error));
            }
        }
    }
}

fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

/// Reads a folder's files and folders, and nothing else: no symbolic links, no sockets.
fn sorted_names(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        if is_cancelled() {
            break;
        }
        let entry = entry?;
        // An entry that has gone meanwhile is taken for a file: opening it says what is wrong.
        let kind = entry.file_type().ok();
        let mut name = entry.file_name().into_vec();
        if kind.is_some_and(|kind| kind.is_dir()) {
            name.push(b'/');
            names.push(name);
        } else if kind.is_none_or(|kind| kind.is_file()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
