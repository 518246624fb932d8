//! The class of every picture: from `dataset.json`, as NVIDIA's data tools write it, or from the
//! names of sub-folders.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Dataset;
use super::source::Source;
use crate::{Error, Result};

/// What lists classes beside the pictures.
pub(super) const LIST: &str = "dataset.json";
/// Classes are fewer.
const MAX_CLASSES: u64 = 1 << 20;
/// Numbers in all labels together.
const MAX_NUMBERS: usize = 1 << 23;

/// Classes of the pictures of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Of each picture.
    pub of: Vec<usize>,
    /// How many there are.
    pub count: usize,
}

/// What is said of one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Label {
    /// Index of its class.
    Class(u32),
    /// Numbers, such as the place of the camera.
    Numbers(Vec<f32>),
    /// Anything else, in words.
    Other(String),
}

/// What a list says of the pictures of a set.
#[derive(Debug, Default)]
pub(super) struct Labels {
    path: PathBuf,
    of: HashMap<String, Label>,
    /// How many names the list has that the set does not, and the first.
    pub(super) unknown: (usize, Option<String>),
}

impl Labels {
    /// From `dataset.json`; none where it is not there or says that there are none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn listed(set: &Source) -> Result<Option<Self>> {
        let Some(json) = set.read_beside(LIST)? else { return Ok(None) };
        let names = set.pictures.iter().map(|entry| entry.name);
        let labels = Self::parse(&json, names).map_err(|e| Error::dataset(&set.path, e))?;
        Ok(labels.map(|labels| Self { path: set.path.clone(), ..labels }))
    }

    /// From the first folder of each name, in the order of their names.
    ///
    /// # Errors
    /// When a picture lies in none.
    pub(super) fn folders(set: &Source) -> Result<Self> {
        let names = || set.pictures.iter().map(|entry| entry.name);
        let classes = Classes::folders(names()).map_err(|e| Error::dataset(&set.path, e))?;
        let labels = classes.of.iter().map(|class| Label::Class(*class as u32));
        let of = names().map(str::to_owned).zip(labels).collect();
        Ok(Self { path: set.path.clone(), of, ..Self::default() })
    }

    /// From the contents of a list, for the pictures of these names.
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub(super) fn parse<'a>(
        json: &[u8],
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Self>, String> {
        let mut known = names.map(|name| (name, None)).collect();
        let mut reader = serde_json::Deserializer::from_slice(json);
        let list = ListSeed { known: &mut known, unknown: (0, None), numbers: 0 };
        let found = list.deserialize(&mut reader).and_then(|found| reader.end().map(|()| found));
        let unknown = match found.map_err(|e| format!("{LIST}: {e}"))? {
            Some(unknown) => unknown,
            None => return Ok(None),
        };
        let given = known.into_iter();
        let of = given.filter_map(|(name, label)| Some((name.to_owned(), label?))).collect();
        Ok(Some(Self { path: PathBuf::new(), of, unknown }))
    }

    /// What is said of a picture.
    ///
    /// # Errors
    /// When it is nothing, or makes no sense.
    pub(super) fn get(&self, name: &str) -> Result<Label> {
        let fix = "; correct the list, or make the set with --labels-from none";
        match self.find(name) {
            Ok(label) => Ok(label.clone()),
            Err(reason) => Err(Error::dataset(&self.path, format!("{reason}{fix}"))),
        }
    }

    /// # Errors
    /// In words: that there is no label or a bad one.
    pub(super) fn find(&self, name: &str) -> Result<&Label, String> {
        match self.of.get(name) {
            None => Err(format!("{LIST} has no label for {name}")),
            Some(Label::Other(what)) => Err(format!("{LIST}: the label {what} of {name}")),
            Some(label) => Ok(label),
        }
    }
}

impl Classes {
    /// From the contents of the list.
    ///
    /// # Errors
    /// In words: what is wrong with it, naming the picture.
    fn listed<'a>(
        json: &[u8],
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Self, String> {
        let labels = Labels::parse(json, names.clone())?.ok_or(format!("{LIST} has no labels"))?;
        let class = |name: &str| match labels.find(name)? {
            Label::Class(class) => Ok(*class as usize),
            _ => Err(format!("{LIST}: the label of {name} is a list of numbers, and no class")),
        };
        let of = names.map(class).collect::<Result<Vec<_>, String>>()?;
        let count = of.iter().max().map_or(0, |most| most + 1);
        Ok(Self { of, count })
    }

    /// From the first folder of each name, in the order of their names.
    ///
    /// # Errors
    /// In words: the picture that lies in none.
    fn folders<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<Self, String> {
        let folder = |name: &'a str| match name.split_once('/') {
            Some((folder, _)) => Ok(folder),
            None => Err(format!("{name} lies in no sub-folder, and there is no {LIST}")),
        };
        let all = names.clone().map(folder).collect::<Result<BTreeSet<_>, _>>()?;
        let number: HashMap<&str, usize> = all.iter().enumerate().map(|(k, f)| (*f, k)).collect();
        let of = names.map(|name| folder(name).map(|folder| number[folder]));
        Ok(Self { of: of.collect::<Result<_, _>>()?, count: all.len() })
    }

    /// Refuses a set in which there is nothing to tell apart.
    fn check(self, path: &Path) -> Result<Self> {
        match self.count {
            2.. => Ok(self),
            n => Err(Error::dataset(path, format!("has {n} class; --cond needs two or more"))),
        }
    }
}

impl Dataset {
    /// Reads the classes of the pictures, two or more: from `dataset.json`, else each sub-folder is
    /// one.
    ///
    /// # Errors
    /// When a picture has none.
    pub fn read_classes(&mut self) -> Result<usize> {
        let names = (0..self.len()).map(|index| self.name(index));
        let classes = match self.source.read_beside(LIST)? {
            Some(json) => Classes::listed(&json, names),
            None => Classes::folders(names),
        };
        let classes = classes.map_err(|reason| Error::dataset(self.path(), reason))?;
        let classes = classes.check(self.path())?;
        Ok(self.classes.insert(classes).count)
    }

    /// Class of picture `index`; 0 where none were read.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn class(&self, index: usize) -> usize {
        self.classes.as_ref().map_or(0, |classes| classes.of[index])
    }
}

/// Reads `{"labels": [[name, label], ...]}` and keeps the labels of known names only: a list may be
/// larger than the memory that its set deserves.
struct ListSeed<'k, 'n> {
    known: &'k mut HashMap<&'n str, Option<Label>>,
    unknown: (usize, Option<String>),
    numbers: usize,
}

/// How many names were unknown, and the first; `None` where there are no labels.
type Unknown = Option<(usize, Option<String>)>;

impl<'de> DeserializeSeed<'de> for ListSeed<'_, '_> {
    type Value = Unknown;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Unknown, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_, '_> {
    type Value = Unknown;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with labels")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Unknown, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "labels" {
                found = map.next_value_seed(PairsSeed(&mut self))?.then_some(());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found.map(|()| self.unknown))
    }
}

/// The value of `labels`; whether there are any.
struct PairsSeed<'a, 'k, 'n>(&'a mut ListSeed<'k, 'n>);

impl<'de> DeserializeSeed<'de> for PairsSeed<'_, '_, '_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<bool, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PairsSeed<'_, '_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of [name, label], or null")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let list = self.0;
        while let Some((name, label)) = seq.next_element::<(String, Label)>()? {
            if let Label::Numbers(numbers) = &label {
                list.numbers += numbers.len();
            }
            if list.numbers > MAX_NUMBERS {
                return Err(serde::de::Error::custom("the labels are too long"));
            }
            match list.known.get_mut(name.as_str()) {
                Some(place) => *place = Some(label),
                None => {
                    list.unknown.0 += 1;
                    list.unknown.1.get_or_insert(name);
                }
            }
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(LabelVisitor)
    }
}

struct LabelVisitor;

impl<'de> Visitor<'de> for LabelVisitor {
    type Value = Label;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a class, or a list of numbers")
    }

    fn visit_u64<E>(self, class: u64) -> Result<Label, E> {
        Ok(match class < MAX_CLASSES {
            true => Label::Class(class as u32),
            false => Label::Other(class.to_string()),
        })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Label, E> {
        Ok(Label::Other(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Label, E> {
        Ok(Label::Other(number.to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Label, E> {
        Ok(Label::Other(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Label, E> {
        Ok(Label::Other("null".into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Label, E> {
        Ok(Label::Other(format!("{:?}", text.chars().take(40).collect::<String>())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Label, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = seq.next_element()? {
            if numbers.len() == MAX_NUMBERS {
                return Err(serde::de::Error::custom("a label is too long"));
            }
            numbers.push(number);
        }
        Ok(Label::Numbers(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_folders_give_classes() {
        let json = br#"{"more": {"x": [1]}, "labels": [["a/x.png", 2], ["b/y.png", 0], ["c", 7]]}"#;
        let names = ["a/x.png", "b/y.png"];
        let listed = Classes::listed(json, names.into_iter()).unwrap();
        assert_eq!(listed, Classes { of: vec![2, 0], count: 3 });
        let folders = Classes::folders(["dog/1.png", "cat/1.png", "dog/2.png"].into_iter());
        assert_eq!(folders.unwrap(), Classes { of: vec![1, 0, 1], count: 2 });
    }

    #[test]
    fn lists_of_numbers_are_labels_but_no_classes() {
        let json = br#"{"labels": [["a.png", [0.25, -1, 1e3]]]}"#;
        let labels = Labels::parse(json, ["a.png"].into_iter()).unwrap().unwrap();
        assert_eq!(labels.get("a.png").unwrap(), Label::Numbers(vec![0.25, -1.0, 1000.0]));
        let error = Classes::listed(json, ["a.png"].into_iter()).unwrap_err();
        assert!(error.contains("the label of a.png is a list of numbers"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_classes_is_named() {
        let names = || ["a.png"].into_iter();
        let listed = |json: &str| Classes::listed(json.as_bytes(), names()).unwrap_err();
        assert_eq!(listed(r#"{"labels": null}"#), "dataset.json has no labels");
        assert_eq!(listed("{}"), "dataset.json has no labels");
        assert_eq!(listed(r#"{"labels": []}"#), "dataset.json has no label for a.png");
        for (bad, told) in [("-1", "-1"), ("1.5", "1.5"), ("null", "null"), (r#""x""#, r#""x""#)] {
            let error = listed(&format!(r#"{{"labels": [["a.png", {bad}]]}}"#));
            assert!(error.contains(&format!("the label {told} of a.png")), "{error}");
        }
        assert!(listed("{").starts_with("dataset.json: EOF"));
        let deep = format!(r#"{{"x": {}"#, "[".repeat(100_000));
        assert!(listed(&deep).starts_with("dataset.json: EOF"));
        let deep = format!(r#"{{"labels": [["a.png", {}"#, "[".repeat(100_000));
        assert!(listed(&deep).contains("invalid type"), "{}", listed(&deep));
        assert!(Classes::folders(names()).unwrap_err().starts_with("a.png lies in no sub-folder"));
    }
}
