//! The files of a set in little memory: their names in one arena, and 24 bytes each.

use bytemuck::{Pod, Zeroable};

/// Where the bytes of a file are, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Form {
    /// A file of its own, under its name.
    File,
    /// A part of the source's one file, as it is.
    Plain,
    /// A member of a zip archive, not compressed.
    Stored,
    /// A member of a zip archive, compressed.
    Deflated,
    /// A member of a zip archive that is encrypted or compressed in another way.
    Unreadable,
    /// A label map that is painted from the masks of its parts.
    Painted,
}

const FORMS: [Form; 6] =
    [Form::File, Form::Plain, Form::Stored, Form::Deflated, Form::Unreadable, Form::Painted];

/// All about a file but its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Row {
    at: u64,
    name_at: u32,
    size: u32,
    packed: u32,
    name_len: u16,
    form: u16,
}

/// One file of a [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Entry<'a> {
    /// Path below the folder or inside the archive, with `/` between its parts.
    pub(in crate::data) name: &'a str,
    /// Size of the file, after decompression; more than 4 GiB count as that.
    pub(in crate::data) size_bytes: u64,
    /// Size of what is stored.
    pub(in crate::data) packed_bytes: u64,
    /// Where in the source's one file it begins; for [`Form::Painted`] the number of the picture.
    pub(in crate::data) at: u64,
    pub(in crate::data) form: Form,
}

/// Files in an order that is their numbering.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(in crate::data) struct Table {
    pub(super) names: String,
    pub(super) rows: Vec<Row>,
}

impl Table {
    pub(in crate::data) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The file of this number.
    ///
    /// # Panics
    /// If there are not so many.
    pub(in crate::data) fn get(&self, index: usize) -> Entry<'_> {
        let row = self.rows[index];
        Entry {
            name: self.name(&row),
            size_bytes: row.size.into(),
            packed_bytes: row.packed.into(),
            at: row.at,
            form: FORMS[usize::from(row.form)],
        }
    }

    pub(in crate::data) fn iter(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Adds a file. One whose name is longer than any file system allows is left out, and so is
    /// what finds no place among 4 GiB of names.
    pub(super) fn push(&mut self, entry: Entry) {
        let at = u32::try_from(self.names.len());
        let (Ok(name_at), Ok(name_len)) = (at, u16::try_from(entry.name.len())) else { return };
        self.names.push_str(entry.name);
        let short = |bytes: u64| bytes.min(u32::MAX.into()) as u32;
        let (size, packed) = (short(entry.size_bytes), short(entry.packed_bytes));
        let form = entry.form as u16;
        self.rows.push(Row { at: entry.at, name_at, size, packed, name_len, form });
    }

    /// Sorts by name; of several files of one name the last that was added stays.
    pub(super) fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|a, b| self.name(a).cmp(self.name(b)));
        rows.reverse();
        rows.dedup_by(|a, b| self.name(a) == self.name(b));
        rows.reverse();
        self.rows = rows;
    }

    /// Only the first `count` files.
    pub(super) fn truncate(&mut self, count: usize) {
        self.rows.truncate(count);
    }

    /// Moves the files that `leaves` into a table of their own.
    pub(super) fn split_off(&mut self, leaves: impl Fn(&str) -> bool) -> Self {
        let (go, stay): (Vec<usize>, Vec<usize>) =
            (0..self.len()).partition(|&k| leaves(self.get(k).name));
        let mut other = Self::default();
        if !go.is_empty() {
            go.iter().for_each(|&k| other.push(self.get(k)));
            let mut rest = Self::default();
            stay.iter().for_each(|&k| rest.push(self.get(k)));
            *self = rest;
        }
        other.shrink();
        other
    }

    /// Gives back memory that was taken for growth.
    pub(super) fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    /// Whether every row points into the names and has a form: for rows that come from a file.
    pub(super) fn is_sound(&self) -> bool {
        let is_sound = |row: &Row| {
            let end = row.name_at as usize + usize::from(row.name_len);
            let form = FORMS.get(usize::from(row.form));
            self.names.get(row.name_at as usize..end).is_some() && form.is_some()
        };
        self.rows.iter().all(is_sound)
    }

    fn name(&self, row: &Row) -> &str {
        &self.names[row.name_at as usize..][..usize::from(row.name_len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[(&str, u64)]) -> Table {
        let mut table = Table::default();
        for &(name, at) in names {
            table.push(Entry { name, at, size_bytes: 1, packed_bytes: 1, form: Form::Plain });
        }
        table
    }

    #[test]
    fn sorting_keeps_the_last_of_equal_names() {
        let mut sorted = table(&[("b", 0), ("a", 1), ("b", 2), ("c", 3), ("b", 4)]);
        sorted.sort();
        let found: Vec<_> = sorted.iter().map(|e| (e.name, e.at)).collect();
        assert_eq!(found, [("a", 1), ("b", 4), ("c", 3)]);
        let labels = sorted.split_off(|name| name == "b");
        assert_eq!((labels.get(0).at, sorted.len(), labels.len()), (4, 2, 1));
    }

    #[test]
    fn a_row_takes_24_bytes() {
        assert_eq!(size_of::<Row>(), 24);
    }
}
