//! A class per pixel, as a picture for programs and one for people.

use super::Rgb;
use crate::Result;
use crate::data::LABEL_COLORS;
use crate::tensor::Pending;

/// What is no class that has a colour.
const NO_CLASS: [u8; 3] = [255; 3];

/// A class per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `[height, width]`.
    pub classes: Vec<u8>,
}

impl LabelMap {
    /// Classes that a network computed, which are below 256.
    ///
    /// # Errors
    /// What the device reports.
    pub(super) fn read(classes: Pending<i32>, [height, width]: [usize; 2]) -> Result<Self> {
        let classes = classes.wait()?.into_iter().map(|class| class as u8).collect();
        Ok(Self { width, height, classes })
    }

    /// In SemanticStyleGAN's colours; white for a class that has none.
    pub fn colored(&self) -> Rgb {
        let color = |&k: &u8| LABEL_COLORS.get(usize::from(k)).copied().unwrap_or(NO_CLASS);
        let pixels = self.classes.iter().flat_map(color).collect();
        Rgb { width: self.width, height: self.height, pixels }
    }
}
