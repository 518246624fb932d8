//! The class of every picture: from `dataset.json`, as NVIDIA's data tools write it, or from the
//! names of sub-folders.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::{Dataset, source};
use crate::Error;

/// What lists classes beside the pictures.
const LIST: &str = "dataset.json";

/// Classes of the pictures of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Of each picture.
    pub of: Vec<usize>,
    /// How many there are.
    pub count: usize,
}

#[derive(Deserialize)]
struct List {
    labels: Option<Vec<(String, serde_json::Value)>>,
}

impl Classes {
    /// From the contents of the list.
    ///
    /// # Errors
    /// In words: what is wrong with it, naming the picture.
    fn listed<'a>(json: &[u8], names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let list: List = serde_json::from_slice(json).map_err(|e| format!("{LIST}: {e}"))?;
        let labels = list.labels.ok_or(format!("{LIST} has no labels"))?;
        let labels: HashMap<String, serde_json::Value> = labels.into_iter().collect();
        let class = |name: &str| {
            let label = labels.get(name).ok_or(format!("{LIST} has no label for {name}"))?;
            let class = label.as_u64().filter(|class| *class < 1 << 20);
            class.map(|class| class as usize).ok_or(format!("{LIST}: the label {label} of {name}"))
        };
        let of = names.map(class).collect::<Result<Vec<_>, _>>()?;
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
    fn check(self, path: &Path) -> crate::Result<Self> {
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
    pub fn read_classes(&mut self) -> crate::Result<usize> {
        let names = self.entries.iter().map(|entry| entry.name.as_str());
        let classes = match source::read_beside(&self.path, LIST)? {
            Some(json) => Classes::listed(&json, names),
            None => Classes::folders(names),
        };
        let classes = classes.map_err(|reason| Error::dataset(&self.path, reason))?;
        Ok(self.classes.insert(classes.check(&self.path)?).count)
    }

    /// Class of picture `index`; 0 where none were read.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn class(&self, index: usize) -> usize {
        self.classes.as_ref().map_or(0, |classes| classes.of[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_folders_give_classes() {
        let json = br#"{"labels": [["a/x.png", 2], ["b/y.png", 0]]}"#;
        let names = ["a/x.png", "b/y.png"];
        let listed = Classes::listed(json, names.into_iter()).unwrap();
        assert_eq!(listed, Classes { of: vec![2, 0], count: 3 });
        let folders = Classes::folders(["dog/1.png", "cat/1.png", "dog/2.png"].into_iter());
        assert_eq!(folders.unwrap(), Classes { of: vec![1, 0, 1], count: 2 });
    }

    #[test]
    fn what_is_wrong_with_classes_is_named() {
        let names = || ["a.png"].into_iter();
        let listed = |json: &str| Classes::listed(json.as_bytes(), names()).unwrap_err();
        assert_eq!(listed(r#"{"labels": null}"#), "dataset.json has no labels");
        assert_eq!(listed(r#"{"labels": []}"#), "dataset.json has no label for a.png");
        assert!(listed(r#"{"labels": [["a.png", -1]]}"#).contains("the label -1 of a.png"));
        assert!(listed("{").starts_with("dataset.json: EOF"));
        assert!(Classes::folders(names()).unwrap_err().starts_with("a.png lies in no sub-folder"));
    }
}
