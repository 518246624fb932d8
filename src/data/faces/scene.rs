//! What is behind the person, and the light over all.

use tiny_skia::Point;

use super::attributes::Background;
use super::paint::{Class, Painter, along, around, discs, everywhere};
use super::palette::Tint;
use super::portrait::Sitter;

/// What is behind the person.
pub(super) fn background(painter: &mut Painter, sitter: &Sitter) {
    let (scene, colors) = (&sitter.who.scene, &sitter.colors);
    let side = scene.light.signum();
    let wall = colors.wall.mix(colors.glow, 0.35 * scene.background_light);
    let glow = Point::from_xy(0.5 - 0.22 * side, 0.36);
    let stops = [(0.0, colors.glow.solid()), (0.55, wall.solid()), (1.0, wall.dark(0.28).solid())];
    painter.shape(Class::Background, &everywhere(), around(glow, 0.95, &stops));
    match scene.background {
        Background::Studio => {}
        Background::Room => room(painter, sitter, wall),
        Background::Lights => lights(painter, sitter),
    }
}

/// A window on the side of the light, a lamp and a sideboard, all without edges.
fn room(painter: &mut Painter, sitter: &Sitter, wall: Tint) {
    let (scene, colors) = (&sitter.who.scene, &sitter.colors);
    let side = scene.light.signum();
    let x = |from_light: f32| Point::from_xy(0.5 + side * (0.5 - from_light), 0.0);
    let glass = colors.glow.light(0.5);
    let (edge, pane, bar) = (glass.alpha(0.0), glass.alpha(0.75), wall.alpha(0.35));
    let stops = [0.0, 0.1, 0.4, 0.48, 0.54, 0.62, 0.9, 1.0];
    let window = [edge, pane, pane, bar, bar, pane, pane, edge];
    let window: Vec<_> = stops.into_iter().zip(window).collect();
    painter.shade(&everywhere(), along(x(-0.02), x(0.44), &window), None);
    let lamp = Point::from_xy(x(0.86).x, 0.30);
    let shine = [
        (0.0, colors.second.alpha(0.85)),
        (0.35, colors.second.alpha(0.5)),
        (1.0, colors.second.alpha(0.0)),
    ];
    painter.shade(&everywhere(), around(lamp, 0.17, &shine), None);
    let wood = colors.accent.mix(wall, 0.55).dark(0.25);
    let board =
        [(0.0, wood.alpha(0.0)), (0.25, wood.alpha(0.75)), (1.0, wood.dark(0.2).alpha(0.85))];
    let (above, below) = (Point::from_xy(0.5, 0.52), Point::from_xy(0.5, 0.86));
    painter.shade(&everywhere(), along(above, below, &board), None);
}

/// Soft discs of light.
fn lights(painter: &mut Painter, sitter: &Sitter) {
    let (scene, colors) = (&sitter.who.scene, &sitter.colors);
    for k in 0..9 {
        let at = |n: f32| (n * (k as f32 + 1.0) + 7.0 * scene.background_light).fract();
        let center = Point::from_xy(at(0.618_034), 0.72 * at(0.414_214));
        let radius = 0.05 + 0.09 * at(0.732_051);
        let color = if k % 3 == 0 { colors.accent.light(0.35) } else { colors.glow.light(0.4) };
        let stops = [(0.0, color.alpha(0.30)), (0.75, color.alpha(0.36)), (1.0, color.alpha(0.0))];
        painter.shade(&discs([(center, radius)]), around(center, radius, &stops), None);
    }
}

/// The colour of the light over the whole picture, stronger where it comes from.
pub(super) fn light(painter: &mut Painter, sitter: &Sitter) {
    let scene = &sitter.who.scene;
    let warmth = scene.light_warmth;
    let (color, strength) = if warmth > 0.0 {
        (Tint::hex(0xffb45e), 0.14 * warmth)
    } else {
        (Tint::hex(0x7fa8e0), -0.09 * warmth)
    };
    let from = Point::from_xy(0.5 + 0.5 * scene.light, 0.0);
    let to = Point::from_xy(0.5 - 0.5 * scene.light, 1.0);
    let stops = [(0.0, color.alpha(strength)), (1.0, color.alpha(0.3 * strength))];
    painter.shade(&everywhere(), along(from, to, &stops), None);
}
