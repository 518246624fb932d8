//! One portrait from back to front.

use tiny_skia::Path;

use super::attributes::{Attributes, Eyeglasses};
use super::paint::Painter;
use super::palette::{self, Colors, Tint};
use super::pose::Pose;
use super::{beard, cloth, features, hair, hats, head, mouth, ornaments, scene};

/// The attributes with what follows from them: where things are and what colour they have.
pub(super) struct Sitter<'a> {
    pub(super) who: &'a Attributes,
    pub(super) pose: Pose,
    pub(super) skin: Tint,
    /// The skin where blood shines through.
    pub(super) flush: Tint,
    pub(super) hair: Tint,
    pub(super) lipstick: Tint,
    pub(super) colors: Colors,
    pub(super) face: Path,
}

impl<'a> Sitter<'a> {
    fn new(who: &'a Attributes) -> Self {
        let skin = palette::skin(who.person.skin_tone, who.person.skin_warmth);
        let natural = who.hair.hair_color.tint();
        let colors = who.scene.scheme.colors();
        let pose = Pose::new(&who.view);
        Self {
            who,
            skin,
            flush: skin.mix(Tint::hex(0xd2574f), 0.42),
            hair: natural.mix(palette::grey(natural), who.hair.hair_grey),
            lipstick: Tint::hex(0xb02f43).mix(colors.accent, 0.2),
            colors,
            face: head::face_path(&who.features, &pose),
            pose,
        }
    }

    /// How strong the shadows are, stronger with the light from the side.
    pub(super) fn contrast(&self) -> f32 {
        self.who.scene.contrast * self.who.scene.light.abs()
    }
}

/// Paints the person with everything worn, and the scene.
pub(super) fn paint(painter: &mut Painter, who: &Attributes) {
    let sitter = &Sitter::new(who);
    let ears: &[f32] = if who.hair.ears_covered { &[] } else { &[-1.0, 1.0] };
    let is_far = |sign: &f32| sitter.pose.is_far(*sign);

    scene::background(painter, sitter);
    hair::back(painter, sitter);
    head::neck(painter, sitter);
    ornaments::necklace(painter, sitter);
    cloth::cloth(painter, sitter);
    ears.iter().filter(|s| is_far(s)).for_each(|&s| head::ear(painter, sitter, s));
    head::face(painter, sitter);
    head::age_lines(painter, sitter);
    beard::beard(painter, sitter);
    features::nose(painter, sitter);
    mouth::mouth(painter, sitter);
    ornaments::lenses(painter, sitter);
    for sign in [-1.0, 1.0] {
        if who.wear.eyeglasses != Eyeglasses::Sun {
            features::eye(painter, sitter, sign);
        }
        features::brow(painter, sitter, sign);
    }
    hair::shadow(painter, sitter);
    ornaments::eyeglasses(painter, sitter);
    hair::top(painter, sitter);
    ears.iter().filter(|s| !is_far(s)).for_each(|&s| head::ear(painter, sitter, s));
    hair::front(painter, sitter);
    hats::hat(painter, sitter);
    ornaments::earrings(painter, sitter);
    scene::light(painter, sitter);
}
