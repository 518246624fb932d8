//! `semgan data make`: any set as NVIDIA's tools lay it out.

use std::path::PathBuf;

use clap::ValueEnum;

use super::bar::Bar;
use crate::data::{Conversion, FaceClasses, Filter, LabelsFrom, Split, Transform};
use crate::{Error, Result};

/// Makes a set of pictures of one size, ready for this and for NVIDIA's trainers
///
/// Reads a folder (FFHQ's too), a zip, an LMDB folder (SariGAN, StyleGAN2 for PyTorch,
/// SemanticStyleGAN, LSUN) or CelebAMask-HQ's own folder. Writes 00000/img00000000.png and so on, and
/// dataset.json with the classes; where there are label maps, images/ and labels/.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The set to read
    #[arg(long, value_name = "PATH")]
    source: PathBuf,
    /// New or empty folder, or new file that ends in .zip
    #[arg(long, value_name = "PATH")]
    dest: PathBuf,
    /// How pictures of another shape get theirs; by default they are stretched to --resolution
    #[arg(long, value_enum)]
    transform: Option<Crop>,
    /// Width and height; by default those of the first picture, which all must have then
    #[arg(long, value_name = "WxH", value_parser = parse_resolution)]
    resolution: Option<(u32, u32)>,
    /// How pictures are resized; both as Pillow does it
    #[arg(long, visible_alias = "resize-filter", value_enum, default_value_t = FilterArg::Lanczos)]
    filter: FilterArg,
    /// Take only the first N files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_images: Option<u64>,
    /// Where classes of whole pictures come from: the source's dataset.json if it has one, the first
    /// sub-folder of each picture, or nowhere
    #[arg(long, value_enum, default_value_t = From::Auto)]
    labels_from: From,
    /// Classes of CelebAMask-HQ's label maps: SemanticStyleGAN's 13 or the authors' 19
    #[arg(long, value_name = "13|19", default_value = "13", value_parser = parse_classes)]
    classes: FaceClasses,
    /// Part of CelebAMask-HQ; SemanticStyleGAN's parts with 13 classes, the official ones with 19
    #[arg(long, value_enum, default_value_t = Part::All)]
    split: Part,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Crop {
    /// The centre square
    #[value(name = "center-crop")]
    Square,
    /// WxH from the middle, then black rows to a square
    #[value(name = "center-crop-wide")]
    Wide,
    /// All of it, with black rows or columns around
    Pad,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FilterArg {
    Box,
    Lanczos,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Auto,
    Folders,
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    Train,
    Val,
    Test,
    All,
}

/// Skipped files that are named one by one.
const MAX_NAMED: usize = 20;

pub(super) fn run(args: &Args) -> Result<()> {
    let bar = Bar::new();
    let made = args.conversion().run(&args.source, &args.dest, |done, all| bar.set(done, all));
    bar.clear();
    let made = made?;
    for skipped in made.skipped.iter().take(MAX_NAMED) {
        say!("skipped {}: {}", skipped.name, skipped.reason);
    }
    if made.skipped.len() > MAX_NAMED {
        say!("and {} more; `semgan data check` names them all", made.skipped.len() - MAX_NAMED);
    }
    let (width, height) = made.size;
    if !width.is_power_of_two() {
        say!("{width} is no power of two; NVIDIA's trainers and ours need one");
    }
    let maps = if made.maps > 0 { format!(", {} label maps", made.maps) } else { String::new() };
    let classes = if made.has_classes { ", with classes" } else { "" };
    let skipped = made.skipped.len();
    say!(
        "{} pictures of {width}x{height}{maps}{classes} in {}, {skipped} skipped",
        made.pictures,
        args.dest.display()
    );
    Ok(())
}

impl Args {
    fn conversion(&self) -> Conversion {
        Conversion {
            transform: self.transform.map(|transform| match transform {
                Crop::Square => Transform::CenterCrop,
                Crop::Wide => Transform::CenterCropWide,
                Crop::Pad => Transform::Pad,
            }),
            resolution: self.resolution,
            filter: match self.filter {
                FilterArg::Box => Filter::Box,
                FilterArg::Lanczos => Filter::Lanczos,
            },
            classes: self.classes,
            split: match self.split {
                Part::Train => Split::Train,
                Part::Val => Split::Val,
                Part::Test => Split::Test,
                Part::All => Split::All,
            },
            labels_from: match self.labels_from {
                From::Auto => LabelsFrom::List,
                From::Folders => LabelsFrom::Folders,
                From::None => LabelsFrom::Nothing,
            },
            max_images: self.max_images.map(|count| count as usize),
        }
    }
}

fn parse_resolution(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse::<u32>().ok();
    let (width, height) = text.split_once(['x', 'X']).unwrap_or((text, text));
    let both = side(width).zip(side(height));
    both.ok_or_else(|| "give WIDTHxHEIGHT in pixels, such as 256x256".into())
}

fn parse_classes(text: &str) -> Result<FaceClasses, Error> {
    match text {
        "13" => Ok(FaceClasses::Thirteen),
        "19" => Ok(FaceClasses::Nineteen),
        _ => Err(Error::config("--classes", "give 13 or 19")),
    }
}
