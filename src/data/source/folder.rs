//! A folder with everything below it.

use std::fs;
use std::path::Path;

use super::table::{Entry, Form, Table};
use super::{Layout, Source, is_hidden, is_picture};
use crate::{Error, Result};

pub(super) fn open(path: &Path) -> Result<Source> {
    let mut source = Source::new(path, Layout::Folder);
    let mut found = Table::default();
    list(&mut source, path, "", &mut found)?;
    Ok(source.sorted(found))
}

/// Adds the pictures below `folder`. Links to files are followed, links to folders are not: they
/// may lead in circles.
fn list(source: &mut Source, folder: &Path, prefix: &str, found: &mut Table) -> Result<()> {
    source.folders.push(folder.to_owned());
    for item in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let item = item.map_err(Error::io("list", folder))?;
        let file_name = item.file_name();
        let name = format!("{prefix}{}", file_name.to_string_lossy());
        if item.file_type().map_err(Error::io("look at", item.path()))?.is_dir() {
            if !is_hidden(&name) {
                list(source, &item.path(), &format!("{name}/"), found)?;
            }
        } else if is_picture(&name) {
            // A dangling link counts as empty, and is named when its bytes are asked for.
            let size_bytes = fs::metadata(item.path()).map_or(0, |m| m.len());
            let packed_bytes = size_bytes;
            found.push(Entry { name: &name, size_bytes, packed_bytes, at: 0, form: Form::File });
            if file_name.to_str().is_none() {
                source.odd.insert(name, item.path());
            }
        }
    }
    Ok(())
}
