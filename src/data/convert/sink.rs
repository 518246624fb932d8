//! Where a set is written to: a folder, or a zip archive without compression. It appears complete or
//! not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::files::Draft;
use crate::{Error, Result};

/// A set that is being written.
pub(super) struct Sink {
    dest: PathBuf,
    draft: Draft,
    form: Form,
}

enum Form {
    Folder,
    Zip(Box<ZipWriter<BufWriter<File>>>),
}

impl Sink {
    /// Begins an archive where the name ends in `.zip`, else a folder.
    ///
    /// # Errors
    /// When something is there already, or the system refuses.
    pub(super) fn create(dest: &Path) -> Result<Self> {
        let taken = |reason| Error::config("--dest", format!("{} {reason}", dest.display()));
        let draft = Draft::of(dest).map_err(Error::io("create", dest))?;
        let form = if dest.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
            if dest.exists() {
                return Err(taken("exists already; delete it or give another name"));
            }
            let file = File::create(draft.path()).map_err(Error::io("create", dest))?;
            Form::Zip(Box::new(ZipWriter::new(BufWriter::new(file))))
        } else {
            if fs::read_dir(dest).is_ok_and(|mut items| items.next().is_some()) {
                return Err(taken("holds files already; empty it or give another folder"));
            }
            if dest.is_file() {
                return Err(taken("is a file; give a folder, or a name that ends in .zip"));
            }
            fs::create_dir_all(draft.path()).map_err(Error::io("create", dest))?;
            Form::Folder
        };
        Ok(Self { dest: dest.to_owned(), draft, form })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.try_put(name, bytes).map_err(Error::io("write", &self.dest.join(name)))
    }

    fn try_put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match &mut self.form {
            Form::Folder => {
                let file = self.draft.path().join(name);
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(file, bytes)
            }
            Form::Zip(zip) => {
                let stored =
                    SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
                zip.start_file(name, stored)?;
                zip.write_all(bytes)
            }
        }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn finish(self) -> Result<()> {
        let Self { dest, draft, form } = self;
        let finish = || {
            if let Form::Zip(zip) = form {
                zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            }
            draft.publish()
        };
        finish().map_err(Error::io("write", dest))
    }
}
