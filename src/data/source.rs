//! The picture files of a folder or a zip archive: their names, and their bytes on demand.
//!
//! Both kinds of source list the same names in the same order, so a set may be packed or unpacked
//! between two runs. Archives are read in memory only: a name in them is never used as a path.
//!
//! Where `images/` and `labels/` lie side by side, at any depth, the second holds label maps: they
//! are no pictures to train on.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use image::ImageFormat;
use zip::ZipArchive;

use crate::{Error, Result};

/// A shared archive. Only reading is behind the lock; decoding, which costs far more, is not.
type Archive = Arc<Mutex<ZipArchive<BufReader<File>>>>;

/// Longest file beside the pictures that is read.
const MAX_BESIDE_BYTES: u64 = 1 << 28;

/// Folder of the pictures that have label maps.
pub(super) const PICTURES: &str = "images/";
/// Folder of their label maps, beside it.
pub(super) const LABELS: &str = "labels/";

/// One picture file, not yet read.
pub(super) struct Entry {
    /// Path below the folder or inside the archive, with `/` between its parts.
    pub(super) name: String,
    /// Size of the file, after decompression.
    pub(super) size_bytes: u64,
    place: Place,
}

enum Place {
    File(PathBuf),
    Member(Archive, usize),
}

impl Entry {
    /// The first `limit` bytes of the file, or all of it where it is shorter.
    pub(super) fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &self.place {
            Place::File(path) => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
            Place::Member(archive, index) => {
                let mut archive = archive.lock().expect("no reader of the archive panics");
                archive.by_index(*index)?.take(limit).read_to_end(&mut bytes)?
            }
        };
        Ok(bytes)
    }
}

/// Lists the picture files of the folder or zip archive at `path`, sorted by name; at least one.
pub(super) fn list(path: &Path) -> Result<Vec<Entry>> {
    Ok(list_separately(path)?.0)
}

/// Lists the label maps that lie beside the pictures, sorted by name.
pub(super) fn list_labels(path: &Path) -> Result<Vec<Entry>> {
    Ok(list_separately(path)?.1)
}

/// The bytes of a file beside the pictures, where it is there.
pub(super) fn read_beside(path: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    if path.is_dir() {
        let file = path.join(name);
        let bytes = file.exists().then(|| fs::read(&file).map_err(Error::io("read", &file)));
        return bytes.transpose();
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    let unreadable = |e| Error::dataset(path, format!("{name} cannot be read: {e}"));
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|e| unreadable(io::Error::from(e)))?;
    let Ok(member) = archive.by_name(name) else { return Ok(None) };
    let mut bytes = Vec::new();
    member.take(MAX_BESIDE_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(bytes))
}

/// The pictures and the label maps.
fn list_separately(path: &Path) -> Result<(Vec<Entry>, Vec<Entry>)> {
    let kind = fs::metadata(path).map_err(|e| {
        Error::dataset(path, format!("cannot be opened ({e}); check the path of the data set"))
    })?;
    let mut entries = Vec::new();
    if kind.is_dir() {
        list_folder(path, "", &mut entries)?;
    } else {
        entries = list_archive(path)?;
    }
    if entries.is_empty() {
        return Err(Error::dataset(
            path,
            "holds no pictures; give a folder or a .zip with PNG, JPEG, WebP, BMP, GIF or TIFF \
             files",
        ));
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let labelled: HashSet<String> =
        entries.iter().flat_map(|e| parents(&e.name, PICTURES)).map(str::to_owned).collect();
    let is_picture = |e: &Entry| !parents(&e.name, LABELS).any(|parent| labelled.contains(parent));
    Ok(entries.into_iter().partition(is_picture))
}

/// What stands before each folder called `folder` in a name: `a/` for `a/images/b.png`.
pub(super) fn parents<'a>(name: &'a str, folder: &'a str) -> impl Iterator<Item = &'a str> {
    let before = name.match_indices(folder).map(|(at, _)| &name[..at]);
    before.filter(|parent| parent.is_empty() || parent.ends_with('/'))
}

/// Adds the pictures below `folder`. Links to files are followed, links to folders are not: they
/// may lead in circles.
fn list_folder(folder: &Path, prefix: &str, entries: &mut Vec<Entry>) -> Result<()> {
    for item in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let item = item.map_err(Error::io("list", folder))?;
        let path = item.path();
        let name = format!("{prefix}{}", item.file_name().to_string_lossy());
        if item.file_type().map_err(Error::io("look at", &path))?.is_dir() {
            if !is_hidden(&name) {
                list_folder(&path, &format!("{name}/"), entries)?;
            }
        } else if is_picture(&name) {
            // A dangling link counts as empty, and is named when its bytes are asked for.
            let size_bytes = fs::metadata(&path).map_or(0, |m| m.len());
            entries.push(Entry { name, size_bytes, place: Place::File(path) });
        }
    }
    Ok(())
}

fn list_archive(path: &Path) -> Result<Vec<Entry>> {
    let unreadable = |e: zip::result::ZipError| {
        Error::dataset(
            path,
            format!(
                "is not a complete zip archive ({e}); copy it again, or give a folder of pictures"
            ),
        )
    };
    let file = File::open(path).map_err(Error::io("open", path))?;
    let archive = ZipArchive::new(BufReader::new(file)).map_err(unreadable)?;
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let member = archive.by_index_data(index).map_err(unreadable)?;
        let name = String::from_utf8_lossy(member.name_raw()).replace('\\', "/");
        if is_picture(&name) {
            found.push((name, member.size(), index));
        }
    }
    let archive = Arc::new(Mutex::new(archive));
    let entry = |(name, size_bytes, index)| {
        let place = Place::Member(Arc::clone(&archive), index);
        Entry { name, size_bytes, place }
    };
    Ok(found.into_iter().map(entry).collect())
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
        let entries = list(&dir.path().join("set.zip")).unwrap();
        let read: Vec<_> = entries.iter().map(|e| (&*e.name, e.read(3).unwrap())).collect();
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
            let names = |entries: Vec<Entry>| entries.into_iter().map(|e| e.name);
            assert!(names(list(&path).unwrap()).eq(pictures), "{path:?}");
            assert!(names(list_labels(&path).unwrap()).eq(maps), "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_cannot_lead_in_circles() {
        let dir = folder(&[("a/one.png", b"one".to_vec())]);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("one.png", dir.path().join("a/two.png")).unwrap();
        let entries = list(dir.path()).unwrap();
        let names: Vec<_> = entries.iter().map(|e| (&*e.name, e.size_bytes)).collect();
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
            let error = list(&path).err().unwrap().to_string();
            assert!(error.starts_with(path.to_str().unwrap()), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
}
