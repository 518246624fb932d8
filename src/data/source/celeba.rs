//! CelebAMask-HQ as it is published: `CelebA-HQ-img/{i}.jpg`, and a mask for each part of a face in
//! `CelebAMask-HQ-mask-anno/{i / 2000}/{i:05}_{part}.png`. The masks are painted over each other to
//! label maps when these are asked for.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::table::{Entry, Form};
use super::{Layout, Source};
use crate::{Error, Result};

/// Folder of the photographs.
pub(in crate::data) const PHOTOGRAPHS: &str = "CelebA-HQ-img";
/// Folder of the masks.
pub(in crate::data) const MASKS: &str = "CelebAMask-HQ-mask-anno";
const MAPPING: &str = "CelebA-HQ-to-CelebA-mapping.txt";
/// Faces whose masks share a folder.
const PER_FOLDER: u64 = 2000;
/// The first photograph that SemanticStyleGAN keeps from training.
const FIRST_VALIDATION: u64 = 28_000;
/// First CelebA numbers of the official validation and test sets.
const OFFICIAL: [u64; 2] = [162_771, 182_638];

/// SemanticStyleGAN's order of painting, with the class of each part.
const PAINTED_13: [(&str, u8); 18] = [
    ("skin", 1),
    ("eye_g", 10),
    ("l_eye", 2),
    ("r_eye", 2),
    ("l_brow", 3),
    ("r_brow", 3),
    ("mouth", 4),
    ("l_lip", 4),
    ("u_lip", 4),
    ("nose", 5),
    ("hair", 7),
    ("l_ear", 6),
    ("r_ear", 6),
    ("neck", 8),
    ("neck_l", 8),
    ("cloth", 9),
    ("hat", 11),
    ("ear_r", 12),
];

/// The order of the set's own authors; the class is the position + 1.
const PAINTED_19: [&str; 18] = [
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth",
    "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
];

/// Into how many classes CelebAMask-HQ's faces are parted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaceClasses {
    /// SemanticStyleGAN's 13.
    #[default]
    Thirteen,
    /// The 19 of the set's authors.
    Nineteen,
}

/// Which part of CelebAMask-HQ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Everything.
    #[default]
    All,
    /// The faces to train with.
    Train,
    /// The faces to watch training with.
    Val,
    /// The faces to judge with; SemanticStyleGAN's split has none.
    Test,
}

pub(super) fn is_here(path: &Path) -> bool {
    path.join(PHOTOGRAPHS).is_dir() && path.join(MASKS).is_dir()
}

pub(super) fn open(path: &Path) -> Result<Source> {
    let folder = path.join(PHOTOGRAPHS);
    let mut numbers = Vec::new();
    for item in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let item = item.map_err(Error::io("list", &folder))?;
        let name = item.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".jpg")?.parse::<u64>().ok());
        if let Some(number) = number {
            let size_bytes = fs::metadata(item.path()).map_or(0, |m| m.len());
            numbers.push((number, name.to_string_lossy().into_owned(), size_bytes));
        }
    }
    numbers.sort();
    let mut source = Source::new(path, Layout::CelebAMask);
    source.folders = vec![path.to_owned(), folder];
    for (number, file, size_bytes) in numbers {
        let name = format!("{PHOTOGRAPHS}/{file}");
        let photograph = Entry {
            name: &name,
            size_bytes,
            packed_bytes: size_bytes,
            at: number,
            form: Form::File,
        };
        source.pictures.push(photograph);
        let name = format!("{MASKS}/{number}");
        source.labels.push(Entry { name: &name, form: Form::Painted, ..photograph });
    }
    Ok(source)
}

/// The masks of a face that are there, in the order of painting, with the class of each.
pub(in crate::data) fn mask_files(
    path: &Path,
    number: u64,
    classes: FaceClasses,
) -> Vec<(std::path::PathBuf, u8)> {
    let parts: Vec<(&str, u8)> = match classes {
        FaceClasses::Thirteen => PAINTED_13.to_vec(),
        FaceClasses::Nineteen => PAINTED_19.into_iter().zip(1..).collect(),
    };
    let folder = path.join(MASKS).join((number / PER_FOLDER).to_string());
    let file = |(part, class)| (folder.join(format!("{number:05}_{part}.png")), class);
    parts.into_iter().map(file).filter(|(file, _)| file.exists()).collect()
}

/// Paints a mask over a map. SemanticStyleGAN counts what is white, the authors what is not black.
pub(in crate::data) fn compose(map: &mut [u8], mask: &[u8], class: u8, classes: FaceClasses) {
    let least = match classes {
        FaceClasses::Thirteen => u8::MAX,
        FaceClasses::Nineteen => 1,
    };
    for (label, &grey) in map.iter_mut().zip(mask) {
        if grey >= least {
            *label = class;
        }
    }
}

impl Source {
    /// Keeps one part of the set: SemanticStyleGAN's by the number of the photograph, the official
    /// one by the number that the photograph has in CelebA.
    ///
    /// # Errors
    /// When the set has no such parts.
    pub(in crate::data) fn keep(&mut self, split: Split, classes: FaceClasses) -> Result<()> {
        if split == Split::All {
            return Ok(());
        }
        if self.layout != Layout::CelebAMask {
            let reason = "only CelebAMask-HQ's own folder has such parts; leave it out";
            return Err(Error::config("--split", reason));
        }
        let part: Box<dyn Fn(u64) -> Option<Split>> = match classes {
            FaceClasses::Thirteen if split == Split::Test => {
                let reason = "SemanticStyleGAN's split has only train and val; give --classes 19";
                return Err(Error::config("--split", reason));
            }
            FaceClasses::Thirteen => Box::new(|number| {
                Some(if number < FIRST_VALIDATION { Split::Train } else { Split::Val })
            }),
            FaceClasses::Nineteen => {
                let original = self.original_numbers()?;
                Box::new(move |number| original.get(&number).copied().map(official))
            }
        };
        let (pictures, labels) =
            (std::mem::take(&mut self.pictures), std::mem::take(&mut self.labels));
        for (from, into) in [(pictures, &mut self.pictures), (labels, &mut self.labels)] {
            let is_kept = |entry: &Entry| part(entry.at) == Some(split);
            from.iter().filter(is_kept).for_each(|entry| into.push(entry));
        }
        if self.pictures.len() == 0 {
            return Err(Error::config("--split", "no picture of the set belongs to it"));
        }
        Ok(())
    }

    /// CelebA's number of each photograph.
    fn original_numbers(&self) -> Result<HashMap<u64, u64>> {
        let file = self.path.join(MAPPING);
        let text = fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        let numbers: HashMap<u64, u64> = text.lines().skip(1).filter_map(mapping).collect();
        if numbers.is_empty() {
            let reason = "has no lines of a photograph's number and its number in CelebA";
            return Err(Error::dataset(file, reason));
        }
        Ok(numbers)
    }
}

fn mapping(line: &str) -> Option<(u64, u64)> {
    let mut columns = line.split_whitespace();
    Some((columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
}

fn official(original: u64) -> Split {
    match original {
        n if n < OFFICIAL[0] => Split::Train,
        n if n < OFFICIAL[1] => Split::Val,
        _ => Split::Test,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_parts_are_painted_over_earlier_ones() {
        let (mut white, mut any) = ([0; 4], [0; 4]);
        for (mask, class) in [([255, 255, 254, 0], 1), ([0, 255, 1, 0], 10)] {
            compose(&mut white, &mask, class, FaceClasses::Thirteen);
            compose(&mut any, &mask, class, FaceClasses::Nineteen);
        }
        assert_eq!((white, any), ([1, 10, 0, 0], [1, 10, 10, 0]));
    }

    #[test]
    fn both_orders_paint_the_same_parts() {
        let mut names = PAINTED_13.map(|(name, _)| name);
        let mut others = PAINTED_19;
        names.sort_unstable();
        others.sort_unstable();
        assert_eq!(names, others);
        assert!((0..13).all(|c| c == 0 || PAINTED_13.iter().any(|(_, class)| *class == c)));
    }

    #[test]
    fn the_official_split_goes_by_the_number_in_celeba() {
        let line = "0           119613      119614.jpg";
        assert_eq!(mapping(line), Some((0, 119_613)));
        assert_eq!(mapping("idx  orig_idx  orig_file"), None);
        let parts = [0, 162_770, 162_771, 182_637, 182_638].map(official);
        assert_eq!(parts, [Split::Train, Split::Train, Split::Val, Split::Val, Split::Test]);
    }
}
