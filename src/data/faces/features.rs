//! Eyes, brows and nose.

use tiny_skia::{Path, Point};

use super::paint::{Class, Painter, along, around, curve, discs, flat, mirrored, outline};
use super::palette::{Tint, WHITE};
use super::portrait::Sitter;

/// Distance of an eye from the middle of the face.
pub(super) const EYE_X: f32 = 0.445;
const EYE_WIDTH: f32 = 0.25;
const LASH: Tint = Tint::hex(0x33242a);

/// An eye with its lids, in the hollow below the brow.
pub(super) fn eye(painter: &mut Painter, sitter: &Sitter, sign: f32) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    let feminine = sitter.who.person.feminine;
    let (w, h) = (EYE_WIDTH * f.eye_size, 0.185 * f.eye_size * f.eye_open.clamp(0.45, 1.1));
    let tilt = 0.045 * f.eye_tilt;
    let at = |x: f32, y: f32| pose.face(sign * (EYE_X + x * w), 0.02 + y * h - tilt * x, 0.0);
    let smile = 0.12 * f.smile.max(0.0);
    let upper = [at(-1.0, 0.22), at(-0.55, -0.68), at(0.05, -1.0), at(0.62, -0.68), at(1.03, 0.0)];
    let lower = [
        at(1.03, 0.0),
        at(0.5, 0.62 - smile),
        at(-0.1, 0.8 - 2.0 * smile),
        at(-0.65, 0.6 - smile),
        at(-1.0, 0.22),
    ];

    // The hollow of the eye and the crease of the lid.
    painter.glow(at(0.0, -0.4), pose.length(0.40), sitter.skin.dark(0.4), 0.42, None);
    let crease = curve(&[at(-0.85, -0.62), at(-0.3, -1.38), at(0.35, -1.38), at(1.0, -0.6)]);
    painter.stroke(&crease, pose.length(0.03), sitter.skin.dark(0.5).alpha(0.55), None);

    let path = outline(&[&upper, &lower]);
    let white = Tint::hex(0xf6f1ea).mix(sitter.skin, 0.06);
    let shaded = [(0.0, white.dark(0.35).solid()), (0.45, white.solid())];
    painter.shape(Class::Eyes, &path, along(at(0.0, -1.0), at(0.0, 0.8), &shaded));
    iris(painter, sitter, at(0.24 * f.gaze * sign, -0.1), &path);

    let lid = outline(&[
        &upper,
        &[
            at(1.2, -0.2 - 0.25 * feminine),
            at(0.68, -0.98 - 0.1 * feminine),
            at(0.05, -1.27),
            at(-0.58, -0.88),
            at(-1.0, 0.22),
        ],
    ]);
    painter.shape(Class::Eyes, &lid, flat(LASH.mix(sitter.hair, 0.15).alpha(0.95)));
    let rim = curve(&lower[1..4]);
    painter.stroke(&rim, pose.length(0.018), sitter.skin.dark(0.6).alpha(0.5), None);
    if feminine > 0.5 {
        for (x, y, dx, dy) in [(0.98, -0.1, 0.26, -0.38), (0.72, -0.6, 0.24, -0.42)] {
            let lash = curve(&[at(x, y), at(x + dx, y + dy)]);
            painter.stroke(&lash, pose.length(0.03), LASH.solid(), None);
        }
    }
}

/// Iris and pupil with two lights.
fn iris(painter: &mut Painter, sitter: &Sitter, center: Point, eye: &Path) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    let inside = painter.inside(eye);
    let radius = pose.length(0.150 * f.eye_size);
    let color = f.eye_color.tint();
    let ring =
        [(0.0, color.light(0.22).solid()), (0.7, color.solid()), (1.0, color.dark(0.55).solid())];
    painter.shade(&discs([(center, radius)]), around(center, radius, &ring), Some(&inside));
    painter.shade(
        &discs([(center, 0.48 * radius)]),
        flat(Tint::hex(0x17131a).solid()),
        Some(&inside),
    );
    let side = sitter.who.scene.light.signum();
    let glint = Point::from_xy(center.x + 0.36 * radius * side, center.y - 0.36 * radius);
    painter.shade(&discs([(glint, 0.30 * radius)]), flat(WHITE.alpha(0.95)), Some(&inside));
    let low = Point::from_xy(center.x - 0.4 * radius * side, center.y + 0.45 * radius);
    painter.shade(&discs([(low, 0.16 * radius)]), flat(WHITE.alpha(0.5)), Some(&inside));
}

/// A brow, tapered outwards.
pub(super) fn brow(painter: &mut Painter, sitter: &Sitter, sign: f32) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    let thick = 0.058 * f.brow_thickness;
    let (y, arch) = (-0.345 - 0.05 * f.brow_raise, 0.085 * f.brow_arch);
    let at = |x: f32, y: f32| pose.face(sign * x, y, 0.03);
    let path = outline(&[&[
        at(0.80, y + 0.06),
        at(0.56, y - arch + 0.65 * thick),
        at(0.34, y - 0.4 * arch + thick),
        at(0.21, y + 1.1 * thick),
        at(0.165, y + 0.4 * thick),
        at(0.20, y - 0.4 * thick),
        at(0.34, y - 0.5 * arch - 1.1 * thick),
        at(0.56, y - arch - thick),
        at(0.80, y + 0.06),
    ]]);
    let hair = sitter.hair;
    let color =
        if hair.luma() > 0.5 { hair.dark(0.42) } else { hair.dark(0.12).mix(sitter.skin, 0.1) };
    painter.shape(Class::Brows, &path, flat(color.solid()));
}

/// The nose: seen by its shades, labelled as a shape.
pub(super) fn nose(painter: &mut Painter, sitter: &Sitter) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    let (w, base) = (f.nose_width, 0.56 * f.nose_length);
    let at = |x: f32, y: f32, lift: f32| pose.face(x * w, y, lift);
    let path = outline(&[&mirrored(|sign| {
        [
            at(sign * 0.075, -0.1, 0.02),
            at(sign * 0.085, 0.14, 0.12),
            at(sign * 0.13, base - 0.20, 0.16),
            at(sign * 0.225, base - 0.06, 0.06),
            at(sign * 0.15, base + 0.02, 0.10),
            at(0.0, base + 0.05, 0.22),
        ]
    })]);
    let skin = sitter.skin;
    let warm = skin.mix(sitter.flush, 0.22);
    let fade = [(0.0, warm.alpha(0.0)), (0.35, warm.alpha(0.15)), (1.0, warm.alpha(0.75))];
    painter.shape(Class::Nose, &path, along(at(0.0, -0.1, 0.0), at(0.0, base, 0.1), &fade));

    let inside = painter.inside(&path);
    let dark = -sitter.who.scene.light.signum();
    let strength = 0.3 + 0.35 * sitter.contrast();
    let shadow = skin.dark(0.42);
    // The side that the light does not reach.
    let ink = along(
        at(0.02 * dark, base - 0.2, 0.2),
        at(0.22 * dark, base - 0.2, 0.1),
        &[(0.0, shadow.alpha(0.0)), (0.6, shadow.alpha(strength))],
    );
    painter.shade(&path, ink, Some(&inside));
    let under = outline(&[
        &[at(-0.20, base - 0.01, 0.06), at(0.0, base + 0.06, 0.2), at(0.20, base - 0.01, 0.06)],
        &[at(0.13, base + 0.09, 0.04), at(0.0, base + 0.13, 0.06), at(-0.13, base + 0.09, 0.04)],
    ]);
    painter.shade(&under, flat(shadow.alpha(0.55 * strength)), None);
    for sign in [-1.0, 1.0] {
        let nostril = curve(&[
            at(sign * 0.075, base + 0.005, 0.12),
            at(sign * 0.12, base - 0.025, 0.1),
            at(sign * 0.16, base, 0.07),
        ]);
        painter.stroke(&nostril, pose.length(0.042), skin.dark(0.66).alpha(0.8), None);
        let wing = curve(&[
            at(sign * 0.2, base - 0.14, 0.05),
            at(sign * 0.245, base - 0.05, 0.03),
            at(sign * 0.2, base + 0.01, 0.04),
        ]);
        painter.stroke(&wing, pose.length(0.026), skin.dark(0.5).alpha(0.5), None);
    }
    let tip = at(-0.05 * dark, base - 0.12, 0.24);
    painter.glow(tip, pose.length(0.11), skin.light(0.7), 0.65, None);
    let bridge = curve(&[at(-0.02 * dark, 0.02, 0.1), at(-0.03 * dark, base - 0.25, 0.2)]);
    painter.stroke(&bridge, pose.length(0.055), skin.light(0.6).alpha(0.28), None);
}
