//! Hats.

use tiny_skia::Point;

use super::attributes::Hat;
use super::paint::{Class, Ink, Painter, along, blob, curve, discs, flat, outline};
use super::palette::Tint;
use super::portrait::Sitter;

pub(super) fn hat(painter: &mut Painter, sitter: &Sitter) {
    let color = sitter.colors.accent;
    match sitter.who.wear.hat {
        Hat::None => {}
        Hat::Beanie => beanie(painter, sitter, color),
        Hat::Cap => visored(painter, sitter, color),
        Hat::Brimmed => brimmed(painter, sitter, color),
        Hat::Beret => beret(painter, sitter, color),
    }
}

/// From the left edge at `low` over the top at `high` to the right edge.
fn dome(sitter: &Sitter, wide: f32, low: f32, high: f32) -> Vec<Point> {
    (0..=12)
        .map(|k| {
            let angle = std::f32::consts::PI * (k as f32 / 12.0 - 0.5);
            let lift = angle.cos().max(0.0).powf(0.8);
            sitter.pose.at(wide * angle.sin(), low + (high - low) * lift, -0.12)
        })
        .collect()
}

/// The lower edge of a hat across the forehead, from right to left.
fn brow_line(sitter: &Sitter, wide: f32, side: f32, middle: f32) -> Vec<Point> {
    [1.0, 0.6, 0.0, -0.6, -1.0]
        .map(|x: f32| {
            let z = 0.45 * (1.0 - x * x) - 0.05;
            sitter.pose.at(wide * x, side + (middle - side) * (1.0 - x * x), z)
        })
        .to_vec()
}

/// Cloth in the light.
fn lit(sitter: &Sitter, color: Tint) -> Ink {
    let (pose, light) = (&sitter.pose, sitter.who.scene.light.signum());
    along(
        pose.at(0.9 * light, -1.5, 0.0),
        pose.at(-light, -0.5, 0.0),
        &[(0.0, color.light(0.2).solid()), (0.5, color.solid()), (1.0, color.dark(0.32).solid())],
    )
}

/// The shadow that a hat with such a lower edge throws on the face.
fn shadow_below(painter: &mut Painter, sitter: &Sitter, wide: f32, side: f32, middle: f32) {
    let mut low = brow_line(sitter, wide, side + 0.12, middle + 0.14);
    let top = brow_line(sitter, wide, side - 0.3, middle - 0.3);
    low.reverse();
    let inside = painter.inside(&sitter.face);
    painter.shade(&outline(&[&low, &top]), flat(sitter.skin.dark(0.5).alpha(0.42)), Some(&inside));
}

/// A knitted cap with a folded rim.
fn beanie(painter: &mut Painter, sitter: &Sitter, color: Tint) {
    let pose = &sitter.pose;
    shadow_below(painter, sitter, 1.1, -0.40, -0.52);
    let path =
        outline(&[&dome(sitter, 1.13, -0.55, -1.62), &brow_line(sitter, 1.13, -0.55, -0.62)]);
    painter.shape(Class::Hat, &path, lit(sitter, color));
    let inside = painter.inside(&path);
    for k in -4..=4 {
        let x = 0.25 * k as f32;
        let rib = curve(&[
            pose.at(0.2 * x, -1.6, 0.0),
            pose.at(0.8 * x, -1.25, 0.15),
            pose.at(1.02 * x, -0.7, 0.25),
        ]);
        painter.stroke(&rib, pose.length(0.045), color.dark(0.45).alpha(0.35), Some(&inside));
    }
    let mut top = brow_line(sitter, 1.14, -0.76, -0.94);
    top.reverse();
    let fold = outline(&[&top, &brow_line(sitter, 1.16, -0.38, -0.50)]);
    painter.shape(Class::Hat, &fold, lit(sitter, color.light(0.14)));
    let edge = curve(&brow_line(sitter, 1.14, -0.76, -0.94));
    painter.stroke(&edge, pose.length(0.04), color.dark(0.5).alpha(0.4), None);
}

/// A cap with a visor, which turns with the head.
fn visored(painter: &mut Painter, sitter: &Sitter, color: Tint) {
    let pose = &sitter.pose;
    shadow_below(painter, sitter, 1.05, -0.50, -0.36);
    let path =
        outline(&[&dome(sitter, 1.10, -0.50, -1.46), &brow_line(sitter, 1.10, -0.50, -0.68)]);
    painter.shape(Class::Hat, &path, lit(sitter, color));
    let inside = painter.inside(&path);
    for x in [-0.45, 0.0, 0.45] {
        let seam =
            curve(&[pose.at(0.0, -1.46, 0.0), pose.at(0.8 * x, -1.2, 0.3), pose.at(x, -0.6, 0.45)]);
        painter.stroke(&seam, pose.length(0.025), color.dark(0.5).alpha(0.5), Some(&inside));
    }
    let visor = blob(&[
        pose.at(-0.95, -0.58, 0.3),
        pose.at(-0.5, -0.80, 0.5),
        pose.at(0.0, -0.86, 0.55),
        pose.at(0.5, -0.80, 0.5),
        pose.at(0.95, -0.58, 0.3),
        pose.at(0.80, -0.40, 0.8),
        pose.at(0.0, -0.40, 1.0),
        pose.at(-0.80, -0.40, 0.8),
    ]);
    painter.shape(Class::Hat, &visor, lit(sitter, color.dark(0.22)));
    painter.shade(
        &discs([(pose.at(0.0, -1.47, -0.1), pose.length(0.07))]),
        flat(color.dark(0.2).solid()),
        None,
    );
}

/// A felt hat with a ribbon.
fn brimmed(painter: &mut Painter, sitter: &Sitter, color: Tint) {
    let pose = &sitter.pose;
    shadow_below(painter, sitter, 1.2, -0.42, -0.42);
    let at = |x, y, z| pose.at(x, y, z);
    let brim = blob(&[
        at(-1.72, -0.66, 0.0),
        at(-1.2, -0.50, 0.3),
        at(0.0, -0.44, 0.6),
        at(1.2, -0.50, 0.3),
        at(1.72, -0.66, 0.0),
        at(1.3, -0.86, -0.3),
        at(0.0, -0.95, -0.5),
        at(-1.3, -0.86, -0.3),
    ]);
    painter.shape(Class::Hat, &brim, lit(sitter, color.dark(0.12)));
    let crown = outline(&[
        &[
            at(-1.02, -0.70, 0.0),
            at(-0.98, -1.15, -0.1),
            at(-0.82, -1.56, -0.15),
            at(-0.35, -1.70, -0.15),
            at(0.0, -1.62, -0.15),
            at(0.35, -1.70, -0.15),
            at(0.82, -1.56, -0.15),
            at(0.98, -1.15, -0.1),
            at(1.02, -0.70, 0.0),
        ],
        &brow_line(sitter, 1.02, -0.70, -0.62),
    ]);
    painter.shape(Class::Hat, &crown, lit(sitter, color));
    let mut top = brow_line(sitter, 1.01, -0.92, -0.86);
    top.reverse();
    let ribbon = outline(&[&top, &brow_line(sitter, 1.02, -0.70, -0.62)]);
    painter.shape(Class::Hat, &ribbon, lit(sitter, color.dark(0.5)));
}

/// Soft, and tilted away from the parting.
fn beret(painter: &mut Painter, sitter: &Sitter, color: Tint) {
    let pose = &sitter.pose;
    let s = sitter.who.hair.hair_part.signum();
    shadow_below(painter, sitter, 1.05, -0.58, -0.72);
    let at = |x: f32, y: f32, z: f32| pose.at(s * x, y, z);
    let path = blob(&[
        at(-1.06, -0.66, 0.0),
        at(-0.5, -0.80, 0.3),
        at(0.3, -0.80, 0.3),
        at(1.05, -0.58, 0.0),
        at(1.50, -0.70, -0.1),
        at(1.42, -1.15, -0.1),
        at(0.75, -1.56, -0.1),
        at(-0.1, -1.58, -0.1),
        at(-0.8, -1.26, -0.1),
    ]);
    painter.shape(Class::Hat, &path, lit(sitter, color));
    let stem = curve(&[at(0.35, -1.55, -0.1), at(0.42, -1.70, -0.1)]);
    painter.line(Class::Hat, &stem, pose.length(0.06), color.dark(0.3).solid());
}
