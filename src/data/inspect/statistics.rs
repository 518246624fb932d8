//! What is in a set, in numbers.

use std::collections::BTreeMap;
use std::path::Path;

use image::ImageFormat;
use rayon::prelude::*;

use super::super::classes::{Label, Labels};
use super::super::picture;
use super::super::source::{Entry, Source};
use super::super::{FaceClasses, LabelMaps, Layout};
use crate::Result;

/// Pictures that are counted at once.
const CHUNK: usize = 256;

/// Numbers about a whole set.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// How the set lies on the disk.
    pub layout: Option<Layout>,
    /// Number of pictures that can be used.
    pub pictures: u64,
    /// Number of pictures that cannot.
    pub broken: u64,
    /// Bytes of all picture files.
    pub bytes: u64,
    /// How often each width and height occurs.
    pub sizes: BTreeMap<(u32, u32), u64>,
    /// How often each kind of file occurs.
    pub formats: BTreeMap<&'static str, u64>,
    /// How often each kind of channels occurs.
    pub channels: BTreeMap<String, u64>,
    /// Mean of red, green and blue, from 0 to 255.
    pub mean: [f64; 3],
    /// Standard deviation of red, green and blue.
    pub deviation: [f64; 3],
    /// Number of pictures of each class; empty where there are no classes.
    pub classes: BTreeMap<u32, u64>,
    /// Share of the pixels of all label maps that each class has; empty where there are none.
    pub map_shares: BTreeMap<u8, f64>,
    /// Number of label maps.
    pub maps: u64,
}

/// One picture, or the sum of many.
#[derive(Clone, Default)]
struct Counted {
    size: (u32, u32),
    format: &'static str,
    channels: String,
    pixels: u64,
    sums: [u64; 3],
    squares: [u64; 3],
    labels: Option<Box<[u64; 256]>>,
}

impl Statistics {
    /// Reads all files of the set at `path`. `progress` hears how many are done, and of how many.
    ///
    /// # Errors
    /// When the set cannot be listed.
    pub fn of(path: &Path, progress: impl Fn(u64, u64)) -> Result<Self> {
        let source = Source::open(path, None)?;
        let maps = match source.labels.len() {
            0 => None,
            _ => Some(LabelMaps::of(Source::open(path, None)?, FaceClasses::default())?),
        };
        let mut statistics = Self { layout: Some(source.layout), ..Self::default() };
        let mut totals = Totals::default();
        let count = source.pictures.len();
        for first in (0..count).step_by(CHUNK) {
            let indices = first..count.min(first + CHUNK);
            let measure = |k| measure(&source, maps.as_ref(), &source.pictures.get(k));
            let measured: Vec<_> = indices.clone().into_par_iter().map(measure).collect();
            for (index, counted) in indices.zip(measured) {
                statistics.bytes += source.pictures.get(index).size_bytes;
                match counted {
                    Some(counted) => statistics.add(&counted, &mut totals),
                    None => statistics.broken += 1,
                }
                progress(index as u64 + 1, count as u64);
            }
        }
        totals.finish(&mut statistics);
        statistics.count_classes(&source);
        Ok(statistics)
    }

    fn add(&mut self, counted: &Counted, totals: &mut Totals) {
        self.pictures += 1;
        *self.sizes.entry(counted.size).or_default() += 1;
        *self.formats.entry(counted.format).or_default() += 1;
        *self.channels.entry(counted.channels.clone()).or_default() += 1;
        totals.pixels += u128::from(counted.pixels);
        for c in 0..3 {
            totals.sums[c] += u128::from(counted.sums[c]);
            totals.squares[c] += u128::from(counted.squares[c]);
        }
        if let Some(labels) = &counted.labels {
            self.maps += 1;
            totals.labels.iter_mut().zip(labels.iter()).for_each(|(total, n)| *total += n);
        }
    }

    /// Classes from the list where there is one, else from sub-folders where all pictures lie in
    /// such.
    fn count_classes(&mut self, source: &Source) {
        let listed = Labels::listed(source).ok().flatten();
        let labels = listed.or_else(|| match self.maps {
            0 => Labels::folders(source).ok(),
            _ => None,
        });
        let Some(labels) = labels else { return };
        for entry in source.pictures.iter() {
            if let Ok(Label::Class(class)) = labels.find(entry.name) {
                *self.classes.entry(*class).or_default() += 1;
            }
        }
    }
}

/// Exact sums over a set: the order of the pictures cannot change them.
struct Totals {
    pixels: u128,
    sums: [u128; 3],
    squares: [u128; 3],
    labels: [u64; 256],
}

impl Default for Totals {
    fn default() -> Self {
        Self { pixels: 0, sums: [0; 3], squares: [0; 3], labels: [0; 256] }
    }
}

impl Totals {
    fn finish(&self, statistics: &mut Statistics) {
        let pixels = self.pixels.max(1) as f64;
        for c in 0..3 {
            let mean = self.sums[c] as f64 / pixels;
            statistics.mean[c] = mean;
            // N sum(x^2) - sum(x)^2 is exact as integers.
            let spread = self.pixels * self.squares[c] - self.sums[c] * self.sums[c];
            statistics.deviation[c] = (spread as f64).sqrt() / pixels;
        }
        let all: u64 = self.labels.iter().sum();
        let present = self.labels.iter().zip(0..=u8::MAX).filter(|(n, _)| **n > 0);
        statistics.map_shares = present.map(|(n, class)| (class, *n as f64 / all as f64)).collect();
    }
}

fn measure(source: &Source, maps: Option<&LabelMaps>, entry: &Entry) -> Option<Counted> {
    let bytes = source.read_picture(entry).ok()?;
    let whole = picture::decode_whole(entry.name, &bytes).ok()?;
    let format =
        image::guess_format(&bytes).or_else(|_| ImageFormat::from_path(entry.name)).ok()?;
    let mut counted = Counted {
        size: whole.size,
        format: format.extensions_str()[0],
        channels: format!("{:?}", whole.kind),
        pixels: (whole.rgb.len() / 3) as u64,
        ..Counted::default()
    };
    for pixel in whole.rgb.as_raw().chunks_exact(3) {
        for (c, &value) in pixel.iter().enumerate() {
            let value = u64::from(value);
            counted.sums[c] += value;
            counted.squares[c] += value * value;
        }
    }
    let map = maps.and_then(|maps| maps.whole(entry.name).ok());
    counted.labels = map.map(|map| {
        let mut labels = Box::new([0; 256]);
        map.iter().for_each(|&label| labels[usize::from(label)] += 1);
        labels
    });
    Some(counted)
}
