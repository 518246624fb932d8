//! Colours: curated and muted, so that any combination looks meant.

use serde::Serialize;
use tiny_skia::Color;

use super::dice::Dice;

/// A colour with red, green and blue in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tint([f32; 3]);

pub(super) const WHITE: Tint = Tint([1.0; 3]);

impl Tint {
    /// From `0xRRGGBB`.
    pub(super) const fn hex(code: u32) -> Self {
        Self([
            ((code >> 16) & 255) as f32 / 255.0,
            ((code >> 8) & 255) as f32 / 255.0,
            (code & 255) as f32 / 255.0,
        ])
    }

    /// This colour with a share `t` of another.
    pub(super) fn mix(self, other: Self, t: f32) -> Self {
        let Self([r, g, b]) = self;
        let Self([x, y, z]) = other;
        Self([r + (x - r) * t, g + (y - g) * t, b + (z - b) * t])
    }

    /// Darker and a little warmer, as in shadow.
    pub(super) fn dark(self, t: f32) -> Self {
        let Self([r, g, b]) = self;
        Self([r * (1.0 - 0.82 * t), g * (1.0 - t), b * (1.0 - 0.92 * t)])
    }

    pub(super) fn light(self, t: f32) -> Self {
        self.mix(WHITE, t)
    }

    /// For painting with a share `alpha` of cover.
    pub(super) fn alpha(self, alpha: f32) -> Color {
        let Self([r, g, b]) = self.clamped();
        Color::from_rgba(r, g, b, alpha.clamp(0.0, 1.0)).expect("parts lie in 0..=1")
    }

    pub(super) fn solid(self) -> Color {
        self.alpha(1.0)
    }

    /// The weighted brightness.
    pub(super) fn luma(self) -> f32 {
        let Self([r, g, b]) = self;
        0.3 * r + 0.59 * g + 0.11 * b
    }

    fn clamped(self) -> Self {
        Self(self.0.map(|v| v.clamp(0.0, 1.0)))
    }
}

/// From light to dark.
const SKIN: [Tint; 8] = [
    Tint::hex(0xf7d7c0),
    Tint::hex(0xf1c8aa),
    Tint::hex(0xe8b794),
    Tint::hex(0xd69f78),
    Tint::hex(0xbb8059),
    Tint::hex(0x996344),
    Tint::hex(0x7a4b35),
    Tint::hex(0x5b382a),
];
const ROSY: Tint = Tint::hex(0xd9646a);
const GOLDEN: Tint = Tint::hex(0xd19a3f);

/// The skin at `tone` (0 light, 1 dark) and `warmth` (0 rosy, 1 golden).
pub(super) fn skin(tone: f32, warmth: f32) -> Tint {
    let at = tone * (SKIN.len() - 1) as f32;
    let low = (at as usize).min(SKIN.len() - 2);
    let base = SKIN[low].mix(SKIN[low + 1], at - low as f32);
    base.mix(ROSY.mix(GOLDEN, warmth), 0.07)
}

/// Colours of irises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "colours")]
pub enum Eyes {
    Brown,
    Hazel,
    Green,
    Blue,
    Grey,
}

impl Eyes {
    pub(super) fn draw(dice: &mut Dice, light: f32) -> Self {
        dice.pick(&[
            (Self::Brown, 1.0),
            (Self::Hazel, 0.5 * light),
            (Self::Green, 0.4 * light),
            (Self::Blue, 0.8 * light),
            (Self::Grey, 0.3 * light),
        ])
    }

    pub(super) fn tint(self) -> Tint {
        match self {
            Self::Brown => Tint::hex(0x5a3620),
            Self::Hazel => Tint::hex(0x8a6433),
            Self::Green => Tint::hex(0x5f8052),
            Self::Blue => Tint::hex(0x4b7fa8),
            Self::Grey => Tint::hex(0x6f8290),
        }
    }
}

/// Colours of hair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "colours")]
pub enum HairColor {
    Black,
    DarkBrown,
    Brown,
    Chestnut,
    Auburn,
    Ginger,
    DarkBlond,
    Blond,
    Platinum,
    Rose,
    Teal,
}

impl HairColor {
    pub(super) fn draw(dice: &mut Dice, skin_tone: f32, feminine: f32) -> Self {
        let light = (1.0 - 1.9 * skin_tone).max(0.0);
        let dyed = 0.03 + 0.12 * feminine;
        dice.pick(&[
            (Self::Black, 0.5 + 1.6 * skin_tone),
            (Self::DarkBrown, 0.8),
            (Self::Brown, 0.25 + 0.5 * light),
            (Self::Chestnut, 0.15 + 0.5 * light),
            (Self::Auburn, 0.06 + 0.3 * light),
            (Self::Ginger, 0.4 * light),
            (Self::DarkBlond, 0.04 + 0.55 * light),
            (Self::Blond, 0.03 + 0.8 * light),
            (Self::Platinum, 0.02 + 0.2 * light),
            (Self::Rose, 0.5 * dyed),
            (Self::Teal, 0.4 * dyed),
        ])
    }

    pub(super) fn tint(self) -> Tint {
        match self {
            Self::Black => Tint::hex(0x2a2529),
            Self::DarkBrown => Tint::hex(0x41302a),
            Self::Brown => Tint::hex(0x624331),
            Self::Chestnut => Tint::hex(0x804f32),
            Self::Auburn => Tint::hex(0x93472c),
            Self::Ginger => Tint::hex(0xbf6a34),
            Self::DarkBlond => Tint::hex(0xa38150),
            Self::Blond => Tint::hex(0xd4ad68),
            Self::Platinum => Tint::hex(0xe6d6ae),
            Self::Rose => Tint::hex(0xcb7f8c),
            Self::Teal => Tint::hex(0x4a8084),
        }
    }
}

/// The grey that hair of this colour turns to.
pub(super) fn grey(hair: Tint) -> Tint {
    Tint::hex(0xa9a6a4).mix(Tint::hex(0xe2dfda), hair.luma())
}

/// Colours that go together, each named after its wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "colours")]
pub enum Scheme {
    Sage,
    Sand,
    Powder,
    Rose,
    Slate,
    Teal,
    Terracotta,
    Cream,
    Mauve,
    Navy,
    Mint,
    Ochre,
}

/// The colours of a [`Scheme`].
pub(super) struct Colors {
    pub(super) wall: Tint,
    pub(super) glow: Tint,
    pub(super) cloth: Tint,
    pub(super) second: Tint,
    pub(super) accent: Tint,
}

impl Scheme {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        use Scheme::{
            Cream, Mauve, Mint, Navy, Ochre, Powder, Rose, Sage, Sand, Slate, Teal, Terracotta,
        };
        let all =
            [Sage, Sand, Powder, Rose, Slate, Teal, Terracotta, Cream, Mauve, Navy, Mint, Ochre];
        dice.pick(&all.map(|scheme| (scheme, 1.0)))
    }

    pub(super) fn colors(self) -> Colors {
        // Wall, its lit part, clothes, second layer of clothes, hat and other accents.
        let [wall, glow, cloth, second, accent] = match self {
            Self::Sage => [0x93a58c, 0xc5d0b8, 0x3f5b57, 0xf1e9da, 0xc8744f],
            Self::Sand => [0xcbb394, 0xeadbc2, 0x345064, 0xf4efe6, 0x9e4f3c],
            Self::Powder => [0x94b2c6, 0xcfdfe8, 0xa8504a, 0xf3ece2, 0x35506b],
            Self::Rose => [0xcb9b94, 0xecccc3, 0x55606f, 0xf6ece4, 0x7d3f4d],
            Self::Slate => [0x66737f, 0xa3afb8, 0xc99b4d, 0xeee7da, 0x8d3d35],
            Self::Teal => [0x3f7373, 0x85aeab, 0xd9b08c, 0xf5efe3, 0xc25f44],
            Self::Terracotta => [0xb9694b, 0xe2a583, 0x2f4a4f, 0xf3e6d3, 0xe0b25e],
            Self::Cream => [0xdacfb8, 0xf3ecdc, 0x7c8b6a, 0xfbf7ee, 0xa95c46],
            Self::Mauve => [0x8f7c98, 0xc4b3c9, 0xe0c9a6, 0xf5efe9, 0x4b3f63],
            Self::Navy => [0x33415c, 0x70819e, 0xb9574c, 0xefe8dc, 0xd8a849],
            Self::Mint => [0x9ccbb9, 0xd6ebe0, 0x8a5a78, 0xf7f2ea, 0xe08e6d],
            Self::Ochre => [0xc99a4a, 0xeccf93, 0x4a3f58, 0xf5ecd9, 0x2f6163],
        }
        .map(Tint::hex);
        Colors { wall, glow, cloth, second, accent }
    }
}
