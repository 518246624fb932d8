//! The picture files of a data set: their names, and their bytes on demand.
//!
//! - `folder.rs`: a folder with everything below it,
//! - `archive.rs`: a zip archive,
//! - `lmdb.rs` and `records.rs`: an LMDB file of one of the published trainers,
//! - `celeba.rs`: the folder in which CelebAMask-HQ is published,
//! - `table.rs`: the list of files, in little memory,
//! - `cache.rs`: lists of large sets, kept from run to run.
//!
//! A folder and the archive made of it list the same names in the same order, so a set may be packed
//! or unpacked between two runs. Archives are read in memory only: a name in them is never used as a
//! path.
//!
//! Where `images/` and `labels/` lie side by side, at any depth, the second holds label maps: they
//! are no pictures to train on.

mod archive;
mod cache;
mod celeba;
mod folder;
mod lmdb;
mod place;
mod records;
mod table;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use image::ImageFormat;

pub(super) use cache::{Cache, Headers};
pub use celeba::{FaceClasses, Split};
pub(super) use celeba::{MASKS, PHOTOGRAPHS, compose, mask_files};
use place::Window;
pub(super) use table::{Entry, Form, Table};

use super::picture;
use crate::{Error, Result, files};

/// Longest file beside the pictures that is read.
const MAX_BESIDE_BYTES: u64 = 1 << 27;
/// Largest picture file that is read; a longer one is cut here and so refused.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// Larger files than this must prove to be pictures before they are read.
const LARGE_BYTES: u64 = 32 << 20;
/// The part of a large file that proves it.
const LARGE_START_BYTES: u64 = 1 << 20;
/// Enough of a file to tell its kind.
const START_BYTES: u64 = 64;

/// Folder of the pictures that have label maps.
pub(super) const PICTURES: &str = "images/";
/// Folder of their label maps, beside it.
pub(super) const LABELS: &str = "labels/";

/// The ways in which sets lie on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A folder with everything below it.
    Folder,
    /// A zip archive.
    Zip,
    /// An LMDB file of one of the published trainers.
    Lmdb,
    /// CelebAMask-HQ as it is published: photographs, and a mask for each part of a face.
    CelebAMask,
}

/// The files of a set, not yet read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) layout: Layout,
    pub(super) pictures: Table,
    pub(super) labels: Table,
    /// What the set announces and does not hold.
    pub(super) problems: Vec<String>,
    /// Folders of which the contents are listed.
    folders: Vec<PathBuf>,
    /// The one file that holds all others.
    file: Option<File>,
    /// Files whose names are no UTF-8, by what stands for the name.
    odd: HashMap<String, PathBuf>,
}

impl Source {
    /// Lists the files of the set at `path`, at least one picture. Of pictures that are stored in
    /// several sizes, the least that is at least `res` counts, else the largest.
    ///
    /// # Errors
    /// When it cannot be read, or holds no pictures.
    pub(super) fn open(path: &Path, res: Option<usize>) -> Result<Self> {
        let source = match kind(path)? {
            Layout::Folder => folder::open(path)?,
            Layout::CelebAMask => celeba::open(path)?,
            Layout::Zip => open_archive(path)?,
            Layout::Lmdb => open_lmdb(path, res)?,
        };
        if source.pictures.len() == 0 {
            return Err(Error::dataset(
                path,
                "holds no pictures; give a folder, a .zip or an LMDB folder with PNG, JPEG, WebP, \
                 BMP, GIF or TIFF files",
            ));
        }
        Ok(source)
    }

    /// Only the first `count` pictures.
    pub(super) fn truncate(&mut self, count: usize) {
        self.pictures.truncate(count);
    }

    /// A set of which nothing is listed yet.
    fn new(path: &Path, layout: Layout) -> Self {
        Self {
            path: path.to_owned(),
            layout,
            pictures: Table::default(),
            labels: Table::default(),
            problems: Vec::new(),
            folders: Vec::new(),
            file: None,
            odd: HashMap::new(),
        }
    }

    /// Sorts what was found by name and parts pictures from label maps.
    fn sorted(mut self, found: Table) -> Self {
        self.pictures = found;
        self.pictures.sort();
        let labelled: HashSet<String> = self
            .pictures
            .iter()
            .flat_map(|e| parents(e.name, PICTURES).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let is_label = |name: &str| parents(name, LABELS).any(|parent| labelled.contains(parent));
        self.labels = self.pictures.split_off(is_label);
        self.pictures.shrink();
        self
    }

    /// The first `limit` bytes of a file, or all of it where it is shorter.
    ///
    /// # Errors
    /// When the system refuses or the archive is damaged there.
    pub(super) fn read(&self, entry: &Entry, limit: u64) -> io::Result<Vec<u8>> {
        let Some(file) = &self.file else {
            let mut bytes = Vec::new();
            File::open(self.file_path(entry.name))?.take(limit).read_to_end(&mut bytes)?;
            return Ok(bytes);
        };
        let window = Window::of(file);
        if entry.form != Form::Plain {
            return archive::read(window, entry, limit);
        }
        let mut bytes = Vec::new();
        window.at(entry.at).take(entry.size_bytes.min(limit)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Where a file of a folder is.
    fn file_path(&self, name: &str) -> PathBuf {
        self.odd.get(name).cloned().unwrap_or_else(|| self.path.join(name))
    }

    /// All of a picture or label map. A very large file must begin like a picture, so that an archive
    /// member which unpacks without end takes no memory.
    ///
    /// # Errors
    /// In words: what is wrong with the file.
    pub(super) fn read_picture(&self, entry: &Entry) -> Result<Vec<u8>, String> {
        if entry.size_bytes > LARGE_BYTES {
            let start = self.read(entry, LARGE_START_BYTES).map_err(|e| e.to_string())?;
            picture::size(entry.name, &start)?;
        }
        self.read(entry, MAX_FILE_BYTES).map_err(|e| e.to_string())
    }

    /// The bytes of a file beside the pictures, where it is there.
    ///
    /// # Errors
    /// When the system refuses, the archive is damaged there, or the file is too large.
    pub(super) fn read_beside(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let unreadable = |e| Error::dataset(&self.path, format!("{name} cannot be read: {e}"));
        let fits = |bytes: u64| match bytes <= MAX_BESIDE_BYTES {
            true => Ok(()),
            false => Err(Error::dataset(&self.path, format!("{name} is larger than 128 MiB"))),
        };
        match (self.layout, &self.file) {
            (Layout::Folder | Layout::CelebAMask, _) => {
                let file = self.path.join(name);
                let Ok(metadata) = fs::metadata(&file) else { return Ok(None) };
                fits(metadata.len())?;
                fs::read(&file).map(Some).map_err(Error::io("read", &file))
            }
            (Layout::Zip, Some(file)) => {
                let found = archive::list(BufReader::new(file), |member| member == name);
                let found = found.map_err(|e| unreadable(e.into()))?;
                let Some(member) = found.iter().next_back() else { return Ok(None) };
                fits(member.size_bytes)?;
                let bytes = archive::read(Window::of(file), &member, MAX_BESIDE_BYTES);
                bytes.map(Some).map_err(unreadable)
            }
            _ => Ok(None),
        }
    }
}

/// How the set at `path` lies there.
fn kind(path: &Path) -> Result<Layout> {
    let kind = fs::metadata(path).map_err(|e| {
        Error::dataset(path, format!("cannot be opened ({e}); check the path of the data set"))
    })?;
    if kind.is_dir() {
        return Ok(match () {
            () if path.join(LMDB_FILE).is_file() => Layout::Lmdb,
            () if celeba::is_here(path) => Layout::CelebAMask,
            () => Layout::Folder,
        });
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(START_BYTES).read_to_end(&mut start).map_err(Error::io("read", path))?;
    Ok(if lmdb::is_lmdb(&start) { Layout::Lmdb } else { Layout::Zip })
}

/// The file that an LMDB folder holds.
const LMDB_FILE: &str = "data.mdb";

fn open_archive(path: &Path) -> Result<Source> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let found = archive::list(BufReader::new(&file), is_picture).map_err(|e| {
        Error::dataset(
            path,
            format!(
                "is not a complete zip archive ({e}); copy it again, or give a folder of pictures"
            ),
        )
    })?;
    let source = Source::new(path, Layout::Zip).sorted(found);
    Ok(Source { file: Some(file), ..source })
}

fn open_lmdb(path: &Path, res: Option<usize>) -> Result<Source> {
    let place = if path.is_dir() { path.join(LMDB_FILE) } else { path.to_owned() };
    let file = File::open(&place).map_err(Error::io("open", &place))?;
    let bytes = files::map(&place)?;
    let records = records::read(&bytes, res).map_err(|reason| {
        Error::dataset(&place, format!("is a damaged LMDB file: {reason}; copy it again"))
    })?;
    let records::Records { pictures, labels, problems } = records;
    let source = Source::new(path, Layout::Lmdb);
    Ok(Source { pictures, labels, problems, file: Some(file), ..source })
}

/// Number of pictures in the bytes of an LMDB file.
pub(super) fn lmdb_pictures(bytes: &[u8]) -> Result<usize, String> {
    records::read(bytes, None).map(|records| records.pictures.len())
}

/// Number of members of a zip archive.
pub(super) fn zip_members(archive: impl Read + io::Seek) -> Result<usize, String> {
    archive::list(archive, |_| true).map(|table| table.len()).map_err(|e| e.to_string())
}

/// What stands before each folder called `folder` in a name: `a/` for `a/images/b.png`.
pub(super) fn parents<'a>(name: &'a str, folder: &'a str) -> impl Iterator<Item = &'a str> {
    let before = name.match_indices(folder).map(|(at, _)| &name[..at]);
    before.filter(|parent| parent.is_empty() || parent.ends_with('/'))
}

fn is_picture(name: &str) -> bool {
    !is_hidden(name) && ImageFormat::from_path(name).is_ok_and(|f| f.reading_enabled())
}

/// Whether any part of the name begins with a dot, as the copies that macOS puts into archives do.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') && part != "." && part != "..")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    pub(in crate::data) fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    pub(in crate::data) fn archive(
        files: &[(&str, Vec<u8>)],
        method: CompressionMethod,
    ) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn names_in_archives_are_never_paths() {
        let files = [("/etc/root.png", b"root".to_vec()), ("../../up.png", b"up".to_vec())];
        let dir = folder(&[("set.zip", archive(&files, CompressionMethod::Stored))]);
        let set = Source::open(&dir.path().join("set.zip"), None).unwrap();
        let read: Vec<_> =
            set.pictures.iter().map(|e| (e.name, set.read(&e, 3).unwrap())).collect();
        assert_eq!(read, [("../../up.png", b"up".to_vec()), ("/etc/root.png", b"roo".to_vec())]);
    }

    #[test]
    fn label_maps_are_no_pictures() {
        let files = [
            ("train/images/b.png", b"picture".to_vec()),
            ("train/labels/b.png", b"map".to_vec()),
            ("images/00000/a.jpg", b"picture".to_vec()),
            ("labels/00000/a.png", b"map".to_vec()),
            ("labels/00000/more/images/c.png", b"map".to_vec()),
            ("my-images/d.png", b"picture".to_vec()),
            ("other/labels/d.png", b"a picture of a label".to_vec()),
            ("labels.png", b"picture".to_vec()),
        ];
        let pictures = [
            "images/00000/a.jpg",
            "labels.png",
            "my-images/d.png",
            "other/labels/d.png",
            "train/images/b.png",
        ];
        let maps = ["labels/00000/a.png", "labels/00000/more/images/c.png", "train/labels/b.png"];
        let unpacked = folder(&files);
        let packed = folder(&[("set.zip", archive(&files, CompressionMethod::Stored))]);
        for path in [unpacked.path().to_owned(), packed.path().join("set.zip")] {
            let set = Source::open(&path, None).unwrap();
            assert!(set.pictures.iter().map(|e| e.name).eq(pictures), "{path:?}");
            assert!(set.labels.iter().map(|e| e.name).eq(maps), "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_cannot_lead_in_circles() {
        let dir = folder(&[("a/one.png", b"one".to_vec())]);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("one.png", dir.path().join("a/two.png")).unwrap();
        let set = Source::open(dir.path(), None).unwrap();
        let names: Vec<_> = set.pictures.iter().map(|e| (e.name, e.size_bytes)).collect();
        assert_eq!(names, [("a/one.png", 3), ("a/two.png", 3)]);
    }

    #[test]
    fn sources_that_cannot_be_used_say_why() {
        let files = [("a.png", vec![1; 100]), ("b.png", vec![2; 100])];
        let whole = archive(&files, CompressionMethod::Stored);
        let notes = ("notes.txt", b"text".to_vec());
        let dir = folder(&[
            ("cut.zip", whole[..whole.len() / 2].to_vec()),
            ("none.zip", archive(&[notes], CompressionMethod::Stored)),
            ("empty/notes.txt", b"text".to_vec()),
            ("photo.png", vec![1; 100]),
        ]);
        for (name, words) in [
            ("missing", "cannot be opened"),
            ("photo.png/below", "cannot be opened"),
            ("photo.png", "is not a complete zip archive"),
            ("cut.zip", "is not a complete zip archive"),
            ("none.zip", "holds no pictures"),
            ("empty", "holds no pictures"),
        ] {
            let path = dir.path().join(name);
            let error = Source::open(&path, None).err().unwrap().to_string();
            assert!(error.starts_with(path.to_str().unwrap()), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
}
