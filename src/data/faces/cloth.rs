//! Clothes.

use tiny_skia::{Path, Point};

use super::attributes::{Cloth, Pattern};
use super::paint::{Class, Painter, along, blob, curve, discs, flat, mirrored, outline};
use super::palette::Tint;
use super::portrait::Sitter;

/// Half of a neckline: x and y of the body, from the shoulder to the middle.
type Neckline = [(f32, f32)];

/// The whole neckline from left to right.
fn edge(sitter: &Sitter, neckline: &Neckline) -> Vec<Point> {
    mirrored(|s| neckline.iter().map(move |&(x, y)| sitter.pose.body(s * x, y)))
}

/// Half the distance between the shoulders.
fn breadth(sitter: &Sitter) -> f32 {
    2.1 - 0.4 * sitter.who.person.feminine
}

/// The body from shoulder to shoulder.
fn torso(sitter: &Sitter, neckline: &Neckline) -> Path {
    let (pose, broad) = (&sitter.pose, breadth(sitter));
    let shoulders = mirrored(|s| {
        [
            pose.body(-s * neckline[0].0, neckline[0].1),
            pose.body(-s * 1.05, 1.78),
            pose.body(-s * (broad - 0.35), 2.0),
            pose.body(-s * (broad + 0.12), 2.35),
            pose.body(-s * (broad + 0.35), 3.0),
        ]
    });
    outline(&[&edge(sitter, neckline), &shoulders])
}

/// What covers the body.
pub(super) fn cloth(painter: &mut Painter, sitter: &Sitter) {
    let (pose, colors, wear) = (&sitter.pose, &sitter.colors, &sitter.who.wear);
    let neck = 0.66 - 0.13 * sitter.who.person.feminine;
    let neckline = match wear.cloth {
        Cloth::Tee => vec![(neck + 0.14, 1.62), (neck - 0.02, 1.80), (0.32, 1.93), (0.0, 1.97)],
        Cloth::VNeck => vec![(neck + 0.16, 1.62), (0.33, 1.93), (0.0, 2.28)],
        Cloth::Shirt | Cloth::Blazer => vec![(neck + 0.06, 1.58), (0.3, 1.85), (0.0, 2.15)],
        Cloth::Turtleneck => vec![(neck + 0.03, 1.35), (0.3, 1.43), (0.0, 1.46)],
        Cloth::Hoodie => vec![(neck + 0.2, 1.60), (0.4, 1.85), (0.0, 1.93)],
    };
    let path = torso(sitter, &neckline);
    let color = colors.cloth;
    let light = sitter.who.scene.light.signum();
    let ink = along(
        pose.body(1.6 * light, 1.6),
        pose.body(-1.9 * light, 2.4),
        &[(0.0, color.light(0.12).solid()), (0.5, color.solid()), (1.0, color.dark(0.28).solid())],
    );
    painter.shape(Class::Cloth, &path, ink);
    pattern(painter, sitter, &path);
    let inside = painter.inside(&path);
    let shade = blob(&[
        pose.body(-0.9, 1.5),
        pose.body(0.9, 1.5),
        pose.body(0.5, 2.05),
        pose.body(-0.5, 2.05),
    ]);
    painter.shade(&shade, flat(color.dark(0.5).alpha(0.22)), Some(&inside));
    match wear.cloth {
        Cloth::Tee => band(painter, sitter, &neckline, 0.09),
        Cloth::VNeck => band(painter, sitter, &neckline, 0.07),
        Cloth::Shirt => collar(painter, sitter, neck, colors.cloth.light(0.16)),
        Cloth::Turtleneck => turtleneck(painter, sitter, neck),
        Cloth::Hoodie => hood(painter, sitter, neck),
        Cloth::Blazer => {
            let shirt = torso(sitter, &neckline);
            painter.shape(Class::Cloth, &shirt, flat(colors.second.solid()));
            lapels(painter, sitter, neck);
            collar(painter, sitter, neck, colors.second.light(0.1));
        }
    }
}

/// What is woven or printed.
fn pattern(painter: &mut Painter, sitter: &Sitter, path: &Path) {
    let (pose, wear) = (&sitter.pose, &sitter.who.wear);
    let inside = painter.inside(path);
    let ink = sitter.colors.second.alpha(0.8);
    match wear.pattern {
        Pattern::Plain => {}
        Pattern::Stripes => {
            for k in 0..6 {
                let y = 1.72 + 0.2 * k as f32;
                let line = curve(&[
                    pose.body(-2.6, y + 0.36),
                    pose.body(-1.2, y + 0.06),
                    pose.body(0.0, y),
                    pose.body(1.2, y + 0.06),
                    pose.body(2.6, y + 0.36),
                ]);
                painter.stroke(&line, pose.length(0.075), ink, Some(&inside));
            }
        }
        Pattern::Dots => {
            let spots = (0..60).map(|k| {
                let (row, column) = (k / 12, k % 12);
                let x = -2.2 + 0.4 * column as f32 + 0.2 * (row % 2) as f32;
                (pose.body(x, 1.75 + 0.18 * row as f32), pose.length(0.05))
            });
            painter.shade(&discs(spots), flat(ink), Some(&inside));
        }
    }
}

/// A knitted edge along the neckline.
fn band(painter: &mut Painter, sitter: &Sitter, neckline: &Neckline, width: f32) {
    let color = sitter.colors.cloth.dark(0.22);
    let path = curve(&edge(sitter, neckline));
    painter.line(Class::Cloth, &path, sitter.pose.length(width), color.solid());
}

/// The two flaps of a shirt.
fn collar(painter: &mut Painter, sitter: &Sitter, neck: f32, color: Tint) {
    let pose = &sitter.pose;
    for s in [-1.0, 1.0] {
        let at = |x: f32, y: f32| pose.body(s * x, y);
        let flap = outline(&[
            &[at(neck - 0.04, 1.50), at(0.3, 1.82), at(0.0, 2.10)],
            &[at(0.30, 2.24), at(0.75, 1.98)],
            &[at(neck + 0.22, 1.64)],
        ]);
        painter.shape(
            Class::Cloth,
            &flap,
            flat(if s * sitter.who.scene.light > 0.0 { color } else { color.dark(0.14) }.solid()),
        );
        let edge = curve(&[at(0.0, 2.10), at(0.30, 2.24), at(0.75, 1.98)]);
        painter.stroke(&edge, pose.length(0.03), color.dark(0.4).alpha(0.5), None);
    }
    let fold = curve(&[pose.body(0.0, 2.12), pose.body(0.02, 2.7)]);
    painter.stroke(&fold, pose.length(0.03), color.dark(0.45).alpha(0.5), None);
}

/// A knitted collar up to the chin.
fn turtleneck(painter: &mut Painter, sitter: &Sitter, neck: f32) {
    let (pose, color) = (&sitter.pose, sitter.colors.cloth);
    let at = |x: f32, y: f32| pose.body(x, y);
    let w = neck + 0.05;
    let path = outline(&[
        &[at(-w, 1.36), at(-0.3, 1.44), at(0.3, 1.44), at(w, 1.36)],
        &[at(w + 0.05, 1.78), at(0.3, 1.90), at(-0.3, 1.90), at(-w - 0.05, 1.78)],
    ]);
    painter.shape(Class::Cloth, &path, flat(color.light(0.06).solid()));
    let inside = painter.inside(&path);
    for k in -4..=4 {
        let x = 0.14 * k as f32;
        painter.stroke(
            &curve(&[at(x, 1.3), at(1.05 * x, 1.95)]),
            pose.length(0.03),
            color.dark(0.35).alpha(0.45),
            Some(&inside),
        );
    }
    let crease = curve(&[at(-w - 0.05, 1.78), at(-0.3, 1.90), at(0.3, 1.90), at(w + 0.05, 1.78)]);
    painter.stroke(&crease, pose.length(0.05), color.dark(0.4).alpha(0.5), None);
}

/// The folded hood and its strings.
fn hood(painter: &mut Painter, sitter: &Sitter, neck: f32) {
    let (pose, color) = (&sitter.pose, sitter.colors.cloth);
    for s in [-1.0, 1.0] {
        let at = |x: f32, y: f32| pose.body(s * x, y);
        let roll = blob(&[
            at(neck + 0.06, 1.36),
            at(neck + 0.42, 1.48),
            at(1.12, 1.78),
            at(0.7, 2.02),
            at(0.12, 2.16),
            at(0.02, 1.98),
            at(0.42, 1.80),
        ]);
        let tone =
            if s * sitter.who.scene.light > 0.0 { color.light(0.12) } else { color.dark(0.16) };
        painter.shape(Class::Cloth, &roll, flat(tone.solid()));
        painter.stroke(
            &curve(&[at(1.1, 1.8), at(0.7, 2.03), at(0.12, 2.16)]),
            pose.length(0.035),
            color.dark(0.5).alpha(0.5),
            None,
        );
        painter.line(
            Class::Cloth,
            &curve(&[at(0.2, 2.1), at(0.23, 2.6)]),
            pose.length(0.05),
            sitter.colors.second.solid(),
        );
    }
}

/// An open jacket.
fn lapels(painter: &mut Painter, sitter: &Sitter, neck: f32) {
    let (pose, color) = (&sitter.pose, sitter.colors.cloth);
    for s in [-1.0, 1.0] {
        let broad = breadth(sitter);
        let at = |x: f32, y: f32| pose.body(s * x, y);
        let lit = s * sitter.who.scene.light > 0.0;
        let jacket = outline(&[
            &[
                at(neck + 0.22, 1.58),
                at(1.05, 1.77),
                at(broad - 0.35, 1.99),
                at(broad + 0.12, 2.35),
                at(broad + 0.35, 3.0),
            ],
            &[at(0.1, 3.0)],
            &[at(0.12, 2.7), at(0.55, 2.1), at(neck + 0.22, 1.58)],
        ]);
        painter.shape(
            Class::Cloth,
            &jacket,
            flat(if lit { color } else { color.dark(0.2) }.solid()),
        );
        let lapel = outline(&[
            &[at(neck + 0.2, 1.58)],
            &[at(0.98, 2.0)],
            &[at(0.82, 2.07)],
            &[at(0.92, 2.2)],
            &[at(0.12, 2.8)],
            &[at(0.52, 2.1)],
        ]);
        painter.shape(
            Class::Cloth,
            &lapel,
            flat(color.light(0.10).dark(if lit { 0.0 } else { 0.12 }).solid()),
        );
        painter.stroke(&lapel, pose.length(0.02), color.dark(0.5).alpha(0.5), None);
    }
}
