//! Lines, boxes and letters on a white picture. The letters are Noto Sans Mono (SIL Open Font
//! Licence), as pictures in the crate `noto-sans-mono-bitmap`.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke,
    StrokeDash, Transform,
};

use crate::sample::Rgb;

/// Red, green and blue.
pub(super) type Ink = [u8; 3];

/// Pixels of a letter.
pub(super) const LETTER: [f32; 2] =
    [get_raster_width(FontWeight::Regular, RasterHeight::Size16) as f32, 16.0];

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) ink: Ink,
    pub(super) alpha: f32,
    pub(super) width: f32,
    pub(super) dashed: bool,
}

/// A picture that is being drawn.
pub(super) struct Canvas {
    pixmap: Pixmap,
    clip: Option<Mask>,
}

impl Canvas {
    /// An empty one; `None` where it would be too large.
    pub(super) fn new(width: usize, height: usize) -> Option<Self> {
        let mut pixmap = Pixmap::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?)?;
        pixmap.fill(Color::WHITE);
        Some(Self { pixmap, clip: None })
    }

    /// Draws inside a box alone, until the next call.
    pub(super) fn clip(&mut self, inside: Option<Rect>) {
        self.clip = inside.and_then(|rect| {
            let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
            let path = PathBuilder::from_rect(rect);
            mask.fill_path(&path, FillRule::Winding, true, Transform::identity());
            Some(mask)
        });
    }

    /// A line through points; a dot where there is one.
    pub(super) fn line(&mut self, points: &[[f32; 2]], line: Line) {
        let (mut paint, [r, g, b]) = (Paint::default(), line.ink);
        paint.set_color_rgba8(r, g, b, (line.alpha * 255.0) as u8);
        if let [[x, y]] = *points {
            if let Some(dot) = PathBuilder::from_circle(x, y, 1.5 * line.width) {
                self.fill(&dot, &paint);
            }
            return;
        }
        let mut path = PathBuilder::new();
        for (k, &[x, y]) in points.iter().enumerate() {
            if k == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        let Some(path) = path.finish() else { return };
        let dash = line.dashed.then(|| StrokeDash::new(vec![3.0 * line.width; 2], 0.0)).flatten();
        let (line_cap, line_join) = (LineCap::Butt, LineJoin::Round);
        let stroke = Stroke { width: line.width, line_cap, line_join, dash, ..Stroke::default() };
        let clip = self.clip.as_ref();
        self.pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), clip);
    }

    fn fill(&mut self, path: &Path, paint: &Paint) {
        let (still, clip) = (Transform::identity(), self.clip.as_ref());
        self.pixmap.fill_path(path, paint, FillRule::Winding, still, clip);
    }

    /// A line of text whose upper left corner is given; what has no letter is a question mark.
    pub(super) fn text(&mut self, [x, y]: [f32; 2], text: &str, ink: Ink, is_bold: bool) {
        let weight = if is_bold { FontWeight::Bold } else { FontWeight::Regular };
        for (k, c) in text.chars().enumerate() {
            let letter = |c| get_raster(c, weight, RasterHeight::Size16);
            let Some(letter) = letter(c).or_else(|| letter('?')) else { continue };
            let left = (x + k as f32 * LETTER[0]).round() as usize;
            for (dy, row) in letter.rows().enumerate() {
                for (dx, &strength) in row.iter().enumerate() {
                    self.mix(left + dx, y.round() as usize + dy, ink, strength);
                }
            }
        }
    }

    /// Lays ink over an opaque pixel.
    fn mix(&mut self, x: usize, y: usize, ink: Ink, strength: u8) {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        if x >= width || y >= height || strength == 0 {
            return;
        }
        let pixel = &mut self.pixmap.data_mut()[4 * (y * width + x)..][..3];
        for (under, ink) in pixel.iter_mut().zip(ink) {
            let strength = u32::from(strength);
            let mixed = u32::from(*under) * (255 - strength) + u32::from(ink) * strength;
            *under = (mixed / 255) as u8;
        }
    }

    /// The picture.
    pub(super) fn into_picture(self) -> Rgb {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let pixels = self.pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        Rgb { width, height, pixels }
    }
}

/// Width of a text in pixels.
pub(super) fn text_width(text: &str) -> f32 {
    text.chars().count() as f32 * LETTER[0]
}
