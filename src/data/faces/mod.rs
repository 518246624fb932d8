//! Portraits drawn from numbers: a set of faces with exact label maps, as large as one likes.
//!
//! A [`Face`] is a function of (seed, index). Its [`Attributes`] are drawn first, so that they go
//! together; then the portrait is painted from back to front, each shape into the picture and into
//! the label map at once. All geometry is in shares of the picture's side, so a face is the same at
//! every resolution.
//!
//! - `attributes.rs` is what tells one portrait from another, `statistics.rs` how often it occurs,
//! - `palette.rs` holds the colours, `pose.rs` the camera,
//! - `paint.rs` is the painter, `portrait.rs` the order of the layers,
//! - `scene`, `head`, `features`, `mouth`, `beard`, `hair`, `curls`, `cloth`, `ornaments` and
//!   `hats` are what is painted,
//! - `write.rs` makes the folder or archive.

mod attributes;
mod beard;
mod cloth;
mod curls;
mod dice;
mod features;
mod hair;
mod hats;
mod head;
mod mouth;
mod ornaments;
mod paint;
mod palette;
mod portrait;
mod pose;
mod scene;
mod statistics;
mod write;

pub use attributes::{
    Attributes, Background, Cloth, Earrings, Eyeglasses, Features, Hair, HairStyle, Hat, Pattern,
    Person, Scene, View, Wear,
};
pub use palette::{Eyes, HairColor, Scheme};
pub use write::FaceSet;

/// The classes of a label map, by index: those of SemanticStyleGAN for faces.
///
/// Beards are skin, and clear lenses do not hide the eyes behind them, as in CelebAMask-HQ.
pub const CLASSES: [&str; 13] = [
    "background",
    "skin",
    "eyes",
    "brows",
    "mouth",
    "nose",
    "ears",
    "hair",
    "neck",
    "cloth",
    "eyeglasses",
    "hat",
    "earrings",
];

const _: () = assert!(paint::Class::Earrings as usize + 1 == CLASSES.len());

/// One face, not yet painted.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// What it looks like.
    pub attributes: Attributes,
}

/// A painted face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portrait {
    /// `[res, res, 3]`.
    pub rgb: Vec<u8>,
    /// `[res, res]`, indices of [`CLASSES`]: the topmost shape at the centre of each pixel.
    pub labels: Vec<u8>,
}

impl Face {
    /// Face `index` of the set `seed`.
    pub fn draw(seed: u64, index: u64) -> Self {
        Self { attributes: Attributes::draw(seed, index) }
    }

    /// Paints it at `res` x `res`.
    ///
    /// # Panics
    /// If `res` is 0.
    pub fn render(&self, res: usize) -> Portrait {
        let mut painter = paint::Painter::new(res as u32);
        portrait::paint(&mut painter, &self.attributes);
        let (rgb, labels) = painter.finish();
        Portrait { rgb, labels }
    }
}
