//! Eyeglasses and jewellery.

use tiny_skia::{Path, Point};

use super::attributes::{Earrings, Eyeglasses};
use super::features::EYE_X;
use super::head::lobe;
use super::paint::{Class, Painter, along, blob, curve, discs, flat};
use super::palette::{Tint, WHITE};
use super::portrait::Sitter;

const GOLD: Tint = Tint::hex(0xd9ab4e);

/// A chain with a pendant; part of the neck.
pub(super) fn necklace(painter: &mut Painter, sitter: &Sitter) {
    if !sitter.who.wear.necklace {
        return;
    }
    let at = |x: f32, y: f32| sitter.pose.body(x, y);
    let chain =
        curve(&[at(-0.60, 1.68), at(-0.38, 1.84), at(0.0, 1.94), at(0.38, 1.84), at(0.60, 1.68)]);
    painter.line(Class::Neck, &chain, sitter.pose.length(0.035), GOLD.solid());
    painter.shape(
        Class::Neck,
        &discs([(at(0.0, 1.97), sitter.pose.length(0.07))]),
        flat(sitter.colors.accent.solid()),
    );
}

/// The closed rim around one eye.
fn lens(sitter: &Sitter, sign: f32) -> Path {
    let (x, y) = match sitter.who.wear.eyeglasses {
        Eyeglasses::Round => (0.335, 0.325),
        Eyeglasses::Sun => (0.37, 0.31),
        _ => (0.36, 0.27),
    };
    let square = if sitter.who.wear.eyeglasses == Eyeglasses::Round { 0.71 } else { 0.86 };
    let at = |dx: f32, dy: f32| sitter.pose.face(sign * (EYE_X + dx * x), 0.05 + dy * y, 0.08);
    blob(&[
        at(-1.0, 0.0),
        at(-square, -square),
        at(0.0, -1.0),
        at(square, -square),
        at(1.0, -0.1),
        at(square, square),
        at(0.0, 1.0),
        at(-square, square),
    ])
}

/// The clear lenses, which lie under the eyes in the label map: eyes are seen through them.
pub(super) fn lenses(painter: &mut Painter, sitter: &Sitter) {
    if matches!(sitter.who.wear.eyeglasses, Eyeglasses::Round | Eyeglasses::Square) {
        for sign in [-1.0, 1.0] {
            painter.shape(Class::Eyeglasses, &lens(sitter, sign), flat(WHITE.alpha(0.10)));
        }
    }
}

/// Frames, bridge and arms, and dark lenses.
pub(super) fn eyeglasses(painter: &mut Painter, sitter: &Sitter) {
    let (pose, kind) = (&sitter.pose, sitter.who.wear.eyeglasses);
    if kind == Eyeglasses::None {
        return;
    }
    let color = match kind {
        Eyeglasses::Round => sitter.colors.accent.dark(0.35),
        _ => Tint::hex(0x2b262b),
    };
    let width = pose.length(0.05);
    for sign in [-1.0, 1.0] {
        let path = lens(sitter, sign);
        if kind == Eyeglasses::Sun {
            let top = pose.face(sign * EYE_X, -0.25, 0.1);
            let bottom = pose.face(sign * EYE_X, 0.35, 0.1);
            let glass = Tint::hex(0x2c2a33);
            let ink = along(
                top,
                bottom,
                &[(0.0, glass.alpha(0.97)), (1.0, glass.mix(sitter.colors.wall, 0.35).alpha(0.9))],
            );
            painter.shape(Class::Eyeglasses, &path, ink);
        }
        let inside = painter.inside(&path);
        let at = |x: f32, y: f32| pose.face(sign * EYE_X + x, y, 0.08);
        let glare = curve(&[at(-0.25, 0.28), at(0.08, -0.25)]);
        painter.stroke(&glare, pose.length(0.09), WHITE.alpha(0.16), Some(&inside));
        painter.line(Class::Eyeglasses, &path, width, color.solid());
        if !pose.is_far(sign) {
            let arm = curve(&[
                pose.face(sign * (EYE_X + 0.34), -0.02, 0.08),
                pose.at(sign * 0.97, -0.05, 0.06),
            ]);
            painter.line(Class::Eyeglasses, &arm, width, color.solid());
        }
    }
    let at = |x: f32, y: f32| pose.face(x, y, 0.14);
    painter.line(
        Class::Eyeglasses,
        &curve(&[at(-0.11, 0.0), at(0.0, -0.05), at(0.11, 0.0)]),
        width,
        color.solid(),
    );
}

/// On the ears that are seen.
pub(super) fn earrings(painter: &mut Painter, sitter: &Sitter) {
    for sign in [-1.0, 1.0] {
        if sitter.pose.is_far(sign) {
            continue;
        }
        let (pose, at) = (&sitter.pose, lobe(sitter, sign));
        let below = |y: f32| Point::from_xy(at.x, at.y + pose.length(y));
        match sitter.who.wear.earrings {
            Earrings::None => {}
            Earrings::Studs => {
                painter.shape(
                    Class::Earrings,
                    &discs([(at, pose.length(0.075))]),
                    flat(GOLD.light(0.25).solid()),
                );
            }
            Earrings::Hoops => {
                let ring = discs([(below(0.17), pose.length(0.17))]);
                painter.line(Class::Earrings, &ring, pose.length(0.055), GOLD.solid());
            }
            Earrings::Drops => {
                painter.line(
                    Class::Earrings,
                    &curve(&[at, below(0.22)]),
                    pose.length(0.035),
                    GOLD.solid(),
                );
                let path = discs([(below(0.30), pose.length(0.10))]);
                painter.shape(Class::Earrings, &path, flat(sitter.colors.accent.solid()));
                painter.shade(
                    &discs([(below(0.27), pose.length(0.035))]),
                    flat(WHITE.alpha(0.6)),
                    None,
                );
            }
        }
    }
}
