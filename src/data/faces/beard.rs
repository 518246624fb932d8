//! Beard and moustache. In the label map they are skin, as in CelebAMask-HQ.

use super::paint::{Class, Painter, along, flat, mirrored, outline};
use super::palette::Tint;
use super::portrait::Sitter;

/// Strength below which a beard is stubble: skin shines through, and its outline is the face's.
const STUBBLE: f32 = 0.45;

/// What grows on the face.
pub(super) fn beard(painter: &mut Painter, sitter: &Sitter) {
    let hair = &sitter.who.hair;
    let color = sitter.hair.mix(sitter.skin, 0.08);
    if hair.beard > 0.0 {
        chin(painter, sitter, color);
    }
    if hair.moustache > 0.0 {
        moustache(painter, sitter, color.dark(0.08));
    }
}

fn is_stubble(sitter: &Sitter) -> bool {
    (0.0..STUBBLE).contains(&sitter.who.hair.beard) && sitter.who.hair.beard > 0.0
}

fn chin(painter: &mut Painter, sitter: &Sitter, color: Tint) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    let full = ((sitter.who.hair.beard - STUBBLE) / (1.0 - STUBBLE)).clamp(0.0, 1.0);
    let (w, long) = (f.face_width, f.face_length * (1.0 + 0.14 * full));
    let jaw = 0.73 + 0.16 * f.jaw + 0.04 * full;
    let below = mirrored(|s| {
        [
            pose.at(-s * 0.99 * w, 0.0, 0.08),
            pose.at(-s * 0.97 * w, 0.42, 0.09),
            pose.at(-s * jaw * w, 0.86, 0.15),
            pose.at(-s * 0.56 * w, 1.16 * long, 0.24),
            pose.at(-s * 0.2 * w, 1.30 * long, 0.31),
        ]
    });
    let above = mirrored(|s| {
        [
            pose.at(s * 0.88 * w, 0.05, 0.12),
            pose.at(s * 0.84 * w, 0.38, 0.14),
            pose.face(s * 0.60, 0.68, 0.0),
            pose.face(s * 0.36, 0.70, 0.0),
            pose.face(s * 0.16, 0.665 * f.face_length, 0.05),
        ]
    });
    let path = outline(&[&below, &above]);
    let (alpha, inside) = if is_stubble(sitter) {
        (0.38, Some(painter.inside(&sitter.face)))
    } else {
        painter.label(Class::Skin, &path);
        (0.94, None)
    };
    let from_cheek_to_chin = [
        (0.0, color.alpha(0.35 * alpha)),
        (0.45, color.alpha(alpha)),
        (1.0, color.dark(0.25).alpha(alpha)),
    ];
    let ink = along(pose.face(0.0, 0.3, 0.0), pose.face(0.0, 1.3, 0.0), &from_cheek_to_chin);
    painter.shade(&path, ink, inside.as_ref());
}

fn moustache(painter: &mut Painter, sitter: &Sitter, color: Tint) {
    let stretch = 0.4 + 0.6 * sitter.who.features.face_length;
    let droop = 0.10 * sitter.who.hair.moustache;
    let at = |x: f32, y: f32| sitter.pose.face(x, y * stretch, 0.06);
    let tip = |s: f32| at(s * 0.42, 0.84 + droop);
    let path = outline(&[
        &[tip(-1.0), at(-0.25, 0.70), at(0.0, 0.665), at(0.25, 0.70), tip(1.0)],
        &[tip(1.0), at(0.22, 0.815), at(0.0, 0.80), at(-0.22, 0.815), tip(-1.0)],
    ]);
    let alpha = if is_stubble(sitter) { 0.35 } else { 0.92 };
    painter.shade(&path, flat(color.alpha(alpha)), None);
}
