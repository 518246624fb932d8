//! Neck, ears and the skin of the face, with light from one side.

use tiny_skia::{Path, Point};

use super::attributes::Features;
use super::paint::{Class, Painter, along, blob, curve, discs, flat, mirrored, outline};
use super::portrait::Sitter;
use super::pose::Pose;

/// The outline of the face, skull included.
pub(super) fn face_path(f: &Features, pose: &Pose) -> Path {
    let (w, l) = (f.face_width, f.face_length);
    let (jaw, cheek) = (0.70 + 0.16 * f.jaw, 0.93 + 0.05 * f.cheeks);
    let chin = 0.17 + 0.10 * f.jaw;
    // x, y, depth: from the chin up the right side.
    let half = [
        (chin * w, 1.285 * l, 0.30),
        (0.5 * (jaw + chin) * w, (1.13 + 0.03 * f.jaw) * l, 0.24),
        (jaw * w, 0.80 * l, 0.15),
        (cheek * w, 0.38, 0.08),
        (w, -0.08, 0.05),
        (0.97 * w, -0.52, 0.02),
        (0.80 * w, -0.97, 0.0),
        (0.43 * w, -1.245, -0.03),
    ];
    let side = |sign: f32| half.map(|(x, y, z)| pose.at(sign * x, y, z));
    let (right, mut left) = (side(1.0), side(-1.0));
    left.reverse();
    let (chin, crown) = (pose.at(0.0, 1.305 * l, 0.31), pose.at(0.0, -1.325, -0.04));
    blob(&[&[chin][..], &right, &[crown], &left].concat())
}

/// The neck, with the shadow of the chin.
pub(super) fn neck(painter: &mut Painter, sitter: &Sitter) {
    let (pose, skin) = (&sitter.pose, sitter.skin);
    let width = 0.60 - 0.13 * sitter.who.person.feminine;
    let path = outline(&[&mirrored(|sign| {
        [
            pose.at(sign * (width + 0.04), 0.55, -0.15),
            pose.body(sign * width, 1.35),
            pose.body(sign * (width + 0.06), 1.65),
            pose.body(sign * (width + 0.5), 1.85),
            pose.body(sign * (width + 0.6), 2.6),
        ]
    })]);
    let light = sitter.who.scene.light;
    let ink = along(
        pose.body(-0.7 * light.signum(), 1.5),
        pose.body(0.7 * light.signum(), 1.5),
        &[(0.0, skin.dark(0.06).solid()), (1.0, skin.dark(0.26).solid())],
    );
    painter.shape(Class::Neck, &path, ink);

    let inside = painter.inside(&path);
    let below = -0.12 * light;
    let chin = |x: f32, y: f32| pose.at(x + below, y * sitter.who.features.face_length, 0.25);
    let shadow = blob(&[
        chin(-0.95, 0.5),
        chin(-0.70, 1.17),
        chin(-0.3, 1.52),
        chin(0.0, 1.60),
        chin(0.3, 1.52),
        chin(0.70, 1.17),
        chin(0.95, 0.5),
    ]);
    painter.shade(
        &shadow,
        flat(skin.dark(0.45).alpha(0.5 + 0.2 * sitter.contrast())),
        Some(&inside),
    );
    for sign in [-1.0, 1.0] {
        let bone = curve(&[
            pose.body(sign * 0.12, 1.93),
            pose.body(sign * 0.4, 1.86),
            pose.body(sign * 0.75, 1.9),
        ]);
        painter.stroke(&bone, pose.length(0.035), skin.dark(0.4).alpha(0.35), Some(&inside));
    }
}

/// Middle of an ear.
fn ear_center(sitter: &Sitter, sign: f32) -> (f32, f32) {
    let turn = sign * sitter.pose.turn;
    let x =
        1.02 * sitter.who.features.face_width - if turn > 0.0 { 0.5 * turn } else { -0.16 * turn };
    (sign * x, 0.12)
}

/// Where an earring hangs.
pub(super) fn lobe(sitter: &Sitter, sign: f32) -> Point {
    let (x, y) = ear_center(sitter, sign);
    sitter.pose.at(x + sign * 0.03, y + 0.38, 0.0)
}

/// One ear.
pub(super) fn ear(painter: &mut Painter, sitter: &Sitter, sign: f32) {
    let (x, y) = ear_center(sitter, sign);
    let wide = 1.0 + 0.5 * (-sign * sitter.pose.turn).max(0.0);
    let at = |dx: f32, dy: f32| sitter.pose.at(x + sign * wide * dx, y + dy, 0.0);
    let path = blob(&[
        at(-0.10, -0.26),
        at(0.06, -0.38),
        at(0.17, -0.28),
        at(0.16, -0.05),
        at(0.09, 0.18),
        at(0.06, 0.36),
        at(-0.04, 0.40),
        at(-0.12, 0.22),
    ]);
    let shaded = sitter.who.scene.light * sign < 0.0;
    let skin = sitter.skin.mix(sitter.flush, 0.16).dark(if shaded { 0.14 } else { 0.02 });
    painter.shape(Class::Ears, &path, flat(skin.solid()));
    let fold =
        curve(&[at(-0.03, -0.2), at(0.07, -0.25), at(0.10, -0.08), at(0.02, 0.08), at(0.0, 0.2)]);
    let inside = painter.inside(&path);
    let ink = skin.dark(0.3).alpha(0.55);
    painter.stroke(&fold, sitter.pose.length(0.05), ink, Some(&inside));
}

/// The skin of the face with its shading.
pub(super) fn face(painter: &mut Painter, sitter: &Sitter) {
    let (pose, skin, path) = (&sitter.pose, sitter.skin, &sitter.face);
    let scene = &sitter.who.scene;
    painter.shape(Class::Skin, path, flat(skin.solid()));
    let inside = painter.inside(path);
    let side = scene.light.signum();
    let strength = 0.25 + 0.45 * sitter.contrast();
    let shadow = skin.dark(0.42);
    let across = along(
        pose.at(-0.15 * side, 0.0, 0.25),
        pose.at(-1.15 * side, 0.25, 0.1),
        &[
            (0.0, shadow.alpha(0.0)),
            (0.55, shadow.alpha(0.4 * strength)),
            (1.0, shadow.alpha(strength)),
        ],
    );
    painter.shade(path, across, Some(&inside));
    let below = along(
        pose.at(0.0, 0.75, 0.3),
        pose.at(0.0, 1.35, 0.3),
        &[(0.0, shadow.alpha(0.0)), (1.0, shadow.alpha(0.45 * strength))],
    );
    painter.shade(path, below, Some(&inside));
    let bright = 0.5 + 0.5 * sitter.contrast();
    for (x, y, radius, alpha) in [(0.22, -0.62, 0.75, 0.5), (0.48, 0.36, 0.42, 0.45)] {
        let center = pose.face(x * side, y, 0.0);
        let radius = pose.length(radius);
        painter.glow(center, radius, skin.light(0.55), alpha * bright, Some(&inside));
    }
    cheeks(painter, sitter);
}

/// Blush and freckles.
fn cheeks(painter: &mut Painter, sitter: &Sitter) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    let inside = painter.inside(&sitter.face);
    for sign in [-1.0, 1.0] {
        let center = pose.face(sign * 0.58, 0.48 - 0.05 * f.smile, 0.0);
        painter.glow(center, pose.length(0.40), sitter.flush, 0.55 * f.blush, Some(&inside));
    }
    if f.freckles > 0.0 {
        let spots = [
            (0.24, 0.30),
            (0.36, 0.24),
            (0.47, 0.33),
            (0.60, 0.27),
            (0.34, 0.40),
            (0.52, 0.44),
            (0.68, 0.38),
            (0.42, 0.50),
            (0.13, 0.22),
        ];
        let both = spots.iter().flat_map(|&(x, y)| [(x, y), (-x, y + 0.03)]);
        let path = discs(both.map(|(x, y)| (pose.face(x, y, 0.0), pose.length(0.024))));
        painter.shade(&path, flat(sitter.skin.dark(0.4).alpha(0.5 * f.freckles)), Some(&inside));
    }
}

/// Lines that years leave: under the eyes, beside the mouth, on the forehead.
pub(super) fn age_lines(painter: &mut Painter, sitter: &Sitter) {
    let (pose, f) = (&sitter.pose, &sitter.who.features);
    if f.age_lines <= 0.0 {
        return;
    }
    let inside = painter.inside(&sitter.face);
    let color = sitter.skin.dark(0.45).alpha(0.5 * f.age_lines);
    let width = pose.length(0.03);
    for sign in [-1.0, 1.0] {
        let at = |x: f32, y: f32| pose.face(sign * x, y, 0.0);
        let bag = curve(&[at(0.26, 0.22), at(0.35, 0.27), at(0.49, 0.28), at(0.61, 0.22)]);
        let fold = curve(&[at(0.26, 0.52), at(0.40, 0.68), at(0.46 + 0.04 * f.smile, 0.86)]);
        let crow = curve(&[at(0.74, -0.02), at(0.80, -0.06), at(0.85, -0.11)]);
        let crow_low = curve(&[at(0.74, 0.05), at(0.81, 0.06), at(0.86, 0.08)]);
        for line in [bag, fold, crow, crow_low] {
            painter.stroke(&line, width, color, Some(&inside));
        }
    }
    for y in [-0.62, -0.76] {
        let at = |x: f32, dy: f32| pose.face(x, y + dy, 0.0);
        let line = curve(&[at(-0.42, 0.0), at(-0.2, -0.03), at(0.05, 0.0), at(0.4, -0.02)]);
        painter.stroke(&line, width, color, Some(&inside));
    }
}
