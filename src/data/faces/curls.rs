//! Curly hair: discs along the silhouette, each with a bright and a deep bow.

use tiny_skia::Point;

use super::attributes::Hat;
use super::hair::{BEHIND, end, hairline, ink, rim};
use super::paint::{Class, Painter, curve, discs};
use super::portrait::Sitter;

/// Numbers without order in -1..1, the same for the same sitter.
pub(super) fn jitter(sitter: &Sitter, k: usize) -> f32 {
    (12.9 * k as f32 + 37.0 * sitter.who.hair.hair_part).sin()
}

/// Round curls along the silhouette.
pub(super) fn curls(sitter: &Sitter, limit: f32) -> Vec<(Point, f32)> {
    let radius = 0.17 + 0.08 * sitter.who.hair.hair_volume;
    let n = (2.0 * limit / (0.85 * radius)) as usize;
    // Nothing comes out beside the crown of a hat.
    let least = if sitter.who.wear.hat == Hat::None { 0.0 } else { 1.25 };
    let angle = |k: usize| limit * (2.0 * k as f32 / n as f32 - 1.0);
    let angles = (0..=n).map(angle).filter(|angle| angle.abs() >= least);
    let curl = |(k, angle)| {
        let off = jitter(sitter, k);
        (rim(sitter, angle, 0.05 * off - 0.35 * radius), radius * (1.0 + 0.15 * off))
    };
    angles.enumerate().map(curl).collect()
}

/// Curls down both sides, `x` beside the head.
pub(super) fn hanging_curls(sitter: &Sitter, x: f32) -> Vec<(Point, f32)> {
    let y_end = end(&sitter.who.hair);
    let n = (y_end / 0.22) as usize + 1;
    let curl = |k: usize, sign: f32| {
        let t = k as f32 / n as f32;
        let off = jitter(sitter, 2 * k + usize::from(sign > 0.0));
        let x = x + 0.16 * (2.5 * t).sin() + 0.07 * off;
        (sitter.pose.at(sign * x, -0.3 + (y_end + 0.1) * t, BEHIND), 0.24 + 0.04 * off)
    };
    (0..=n).flat_map(|k| [curl(k, -1.0), curl(k, 1.0)]).collect()
}

/// Small curls over the forehead.
pub(super) fn front_curls(sitter: &Sitter) -> Vec<(Point, f32)> {
    let curl = |k: usize| {
        let x = -0.78 + 0.195 * k as f32;
        let off = jitter(sitter, k);
        let y = hairline(&sitter.who.hair, x) - 0.06 + 0.05 * off;
        (sitter.pose.face(x, y, 0.05), 0.15 + 0.03 * off)
    };
    (0..9).map(curl).collect()
}

/// Paints curls as one mass, each with a bright and a deep bow.
pub(super) fn curly(painter: &mut Painter, sitter: &Sitter, curls: &[(Point, f32)], darkness: f32) {
    let pose = &sitter.pose;
    let path = discs(curls.iter().map(|&(center, radius)| (center, pose.length(radius))));
    painter.shape(Class::Hair, &path, ink(sitter, darkness));
    bows(painter, sitter, curls, darkness);
}

/// Bows inside of curls.
fn bows(painter: &mut Painter, sitter: &Sitter, curls: &[(Point, f32)], darkness: f32) {
    let hair = sitter.hair.dark(darkness);
    for (k, &(center, radius)) in curls.iter().enumerate() {
        let r = sitter.pose.length(radius);
        let turn = 1.3 * jitter(sitter, k + 5);
        let at = |angle: f32, out: f32| {
            let (sin, cos) = (angle + turn).sin_cos();
            Point::from_xy(center.x + out * r * sin, center.y - out * r * cos)
        };
        let bright = curve(&[at(-1.0, 0.75), at(-0.3, 0.72), at(0.5, 0.66)]);
        painter.stroke(&bright, 0.16 * r, hair.light(0.3).alpha(0.34), None);
        let deep = curve(&[at(-1.4, 0.35), at(-0.2, 0.42), at(1.0, 0.35), at(2.2, 0.55)]);
        painter.stroke(&deep, 0.13 * r, hair.dark(0.5).alpha(0.30), None);
    }
}

/// Curls between the silhouette and the forehead.
pub(super) fn crown(sitter: &Sitter) -> Vec<(Point, f32)> {
    let curl = |k: usize| {
        let angle = 0.26 * (k as f32 - 5.0);
        (rim(sitter, angle, -0.36 + 0.05 * jitter(sitter, k + 3)), 0.17)
    };
    (0..11).map(curl).collect()
}
