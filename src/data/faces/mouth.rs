//! Lips, teeth and what is around them.

use tiny_skia::{Path, Point};

use super::paint::{Class, Painter, curve, discs, flat, outline};
use super::palette::{Tint, WHITE};
use super::portrait::Sitter;

/// Height at which the lips meet.
const MOUTH_Y: f32 = 0.865;
const TEETH: Tint = Tint::hex(0xf6f1e8);
const TONGUE: Tint = Tint::hex(0xb85a5c);
const THROAT: Tint = Tint::hex(0x5a2228);

/// Measures of a mouth, in head coordinates.
struct Mouth<'a> {
    sitter: &'a Sitter<'a>,
    half_width: f32,
    /// Height of an open mouth.
    open: f32,
    /// Height of a lip.
    full: f32,
    /// Heights of the corners and of the middle.
    corner: f32,
    middle: f32,
}

impl<'a> Mouth<'a> {
    fn new(sitter: &'a Sitter<'a>) -> Self {
        let f = &sitter.who.features;
        let beam = f.smile.max(0.0);
        let open = 0.27 * f.mouth_open;
        let y = MOUTH_Y * (0.4 + 0.6 * f.face_length) - 0.45 * open;
        Self {
            sitter,
            half_width: 0.33 + 0.08 * beam,
            open,
            full: (0.10 - 0.02 * beam) * f.lip_fullness,
            corner: y - 0.08 * f.smile + 0.32 * open,
            middle: y + 0.03 * f.smile,
        }
    }

    /// At `x` (-1 to 1 from corner to corner).
    fn at(&self, x: f32, y: f32) -> Point {
        self.sitter.pose.face(x * self.half_width, y, 0.02)
    }

    /// The upper edge of the upper lip, with Cupid's bow.
    fn top(&self) -> [Point; 7] {
        let (bow, side) = (self.middle - self.full - 0.005, self.middle - 0.72 * self.full - 0.012);
        [
            self.at(-1.0, self.corner),
            self.at(-0.55, side),
            self.at(-0.2, bow),
            self.at(0.0, self.middle - 0.74 * self.full),
            self.at(0.2, bow),
            self.at(0.55, side),
            self.at(1.0, self.corner),
        ]
    }

    /// The lower edge of the lower lip, from right to left.
    fn bottom(&self) -> [Point; 5] {
        let side = self.middle + 0.72 * self.open + 0.66 * self.full;
        self.hanging(1.0, self.corner, side, self.middle + self.open + 1.15 * self.full)
    }

    /// The lower edge of the upper lip, from right to left.
    fn gap_top(&self) -> [Point; 5] {
        self.hanging(0.93, self.corner, self.middle - 0.012, self.middle + 0.008)
    }

    /// From right to left through three heights.
    fn hanging(&self, wide: f32, corner: f32, side: f32, middle: f32) -> [Point; 5] {
        [(wide, corner), (0.55, side), (0.0, middle), (-0.55, side), (-wide, corner)]
            .map(|(x, y)| self.at(x, y))
    }

    /// Between the upper lip and a line that hangs `share` of the opening below it.
    fn opening(&self, share: f32) -> Path {
        let mut top = self.gap_top();
        top.reverse();
        let (side, middle) = (0.8 * share * self.open, share * self.open + 0.01);
        let low = self.hanging(0.93, self.corner, self.middle + side, self.middle + middle);
        outline(&[&top, &low])
    }
}

/// The mouth, with the shades around it.
pub(super) fn mouth(painter: &mut Painter, sitter: &Sitter) {
    let mouth = Mouth::new(sitter);
    let f = &sitter.who.features;
    let natural = sitter.skin.mix(Tint::hex(0xb8434c), 0.42).dark(0.06);
    let lips = natural.mix(sitter.lipstick, 0.75 * f.lipstick);
    let path = outline(&[&mouth.top(), &mouth.bottom()]);
    painter.shape(Class::Mouth, &path, flat(lips.solid()));
    let upper = outline(&[&mouth.top(), &mouth.gap_top()]);
    painter.shade(&upper, flat(lips.dark(0.28).alpha(0.6)), None);
    let inside = painter.inside(&path);
    let side = 0.15 * sitter.who.scene.light.signum();
    let gleam = mouth.at(side, mouth.middle + mouth.open + 0.55 * mouth.full);
    let shine = 0.32 + 0.2 * f.lipstick;
    painter.glow(gleam, sitter.pose.length(0.13), WHITE, shine, Some(&inside));
    if f.mouth_open > 0.1 {
        teeth(painter, &mouth);
    } else {
        let line = curve(&mouth.gap_top());
        painter.stroke(&line, sitter.pose.length(0.032), lips.dark(0.55).alpha(0.9), None);
    }
    surroundings(painter, &mouth);
}

fn teeth(painter: &mut Painter, mouth: &Mouth) {
    let gap = mouth.opening(1.0);
    painter.shade(&gap, flat(THROAT.solid()), None);
    let inside = painter.inside(&gap);
    let tongue = mouth.at(0.0, mouth.middle + 1.25 * mouth.open);
    let radius = mouth.sitter.pose.length(0.6 * mouth.open + 0.02);
    painter.shade(&discs([(tongue, radius)]), flat(TONGUE.alpha(0.9)), Some(&inside));
    painter.shade(&mouth.opening(0.6), flat(TEETH.solid()), Some(&inside));
}

/// Dimples at the corners, and the shadow of the lower lip.
fn surroundings(painter: &mut Painter, mouth: &Mouth) {
    let Sitter { pose, skin, face, .. } = mouth.sitter;
    let smile = mouth.sitter.who.features.smile;
    for sign in [-1.0, 1.0] {
        let start = mouth.at(sign * 0.97, mouth.corner + 0.01);
        let dimple = curve(&[start, mouth.at(sign * 1.1, mouth.corner - 0.03 * smile)]);
        painter.stroke(&dimple, pose.length(0.03), skin.dark(0.55).alpha(0.5), None);
    }
    let below = mouth.at(0.0, mouth.middle + mouth.open + 1.15 * mouth.full + 0.07);
    let inside = painter.inside(face);
    painter.glow(below, pose.length(0.13), skin.dark(0.4), 0.35, Some(&inside));
}
