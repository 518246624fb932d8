//! Hair behind the neck, around the skull and beside the cheeks.

use tiny_skia::{Path, Point, Transform};

use super::attributes::{Hair, HairStyle, Hat};
use super::curls::{crown, curls, curly, front_curls, hanging_curls, jitter};
use super::paint::{Class, Ink, Painter, along, blob, curve, discs, flat, outline, wisp};
use super::portrait::Sitter;

/// Depth of the hair's silhouette: behind the face, so that it slides the other way.
pub(super) const BEHIND: f32 = -0.16;

/// Angle from the crown to where the hair ends above an ear.
const SIDE: f32 = 1.95;

/// How far the hair stands off the skull at the sides and on top.
fn volume(sitter: &Sitter) -> (f32, f32) {
    let hair = &sitter.who.hair;
    let v = hair.hair_volume;
    let (side, top) = match hair.hair_style {
        HairStyle::Bald => (-0.02, -0.05),
        HairStyle::Buzz => (0.0, 0.01 + 0.02 * v),
        HairStyle::Short => (0.02 + 0.05 * v, 0.10 + 0.20 * v),
        HairStyle::Curls => (0.08 + 0.24 * v, 0.14 + 0.24 * v),
        HairStyle::Bob | HairStyle::Long => (0.09 + 0.08 * v, 0.10 + 0.14 * v),
        HairStyle::LongCurls => (0.12 + 0.16 * v, 0.13 + 0.18 * v),
        HairStyle::Bun | HairStyle::Ponytail => (0.03, 0.07 + 0.08 * v),
    };
    if sitter.who.wear.hat == Hat::None { (side, top) } else { (side.min(0.10), top.min(0.05)) }
}

/// The silhouette at an angle from the crown, `out` beyond the hair's own volume.
pub(super) fn rim(sitter: &Sitter, angle: f32, out: f32) -> Point {
    let (side, top) = volume(sitter);
    let hair = &sitter.who.hair;
    let quiff = match hair.hair_style {
        HairStyle::Short if sitter.who.wear.hat == Hat::None => {
            0.12 * hair.hair_volume
                * (-((angle + 0.5 * hair.hair_part.signum()) / 0.5).powi(2)).exp()
        }
        _ => 0.0,
    };
    let x = angle.sin() * (1.02 * sitter.who.features.face_width + side + out);
    let y = -0.33 - angle.cos() * (0.98 + top + out + quiff);
    sitter.pose.at(x, y, BEHIND)
}

/// `n` points of the silhouette.
fn rims(sitter: &Sitter, from: f32, to: f32, n: usize) -> Vec<Point> {
    let angle = |k: usize| from + (to - from) * k as f32 / (n - 1) as f32;
    (0..n).map(|k| rim(sitter, angle(k), 0.0)).collect()
}

/// Height of the hairline on the forehead at `x`, -0.9 to 0.9.
pub(super) fn hairline(hair: &Hair, x: f32) -> f32 {
    let part = 0.55 * hair.hair_part;
    let parted = match hair.hair_style {
        HairStyle::Bob | HairStyle::Long | HairStyle::Ponytail | HairStyle::Short => 1.0,
        _ => 0.25,
    };
    let notch = 0.16 * parted * (-((x - part) / 0.16).powi(2)).exp();
    let sweep = 0.16 * parted * (-((x + 0.7 * part.signum()) / 0.45).powi(2)).exp();
    let natural = -0.88 + 0.40 * x * x - notch + sweep;
    let receded = -0.34 * hair.baldness * (0.55 + 1.2 * x.abs() * (1.0 - x.abs()));
    let fringe = -0.47 + 0.06 * x * x + 0.05 * (13.0 * x + 3.0 * hair.hair_part).sin().abs();
    let natural = natural + receded;
    natural + (fringe - natural) * hair.bangs
}

/// The hair on the skull, from ear to ear.
fn cap(sitter: &Sitter) -> Path {
    let (hair, pose) = (&sitter.who.hair, &sitter.pose);
    let w = sitter.who.features.face_width;
    let outer = rims(sitter, -SIDE, SIDE, 17);
    let sideburn = 0.02 + 0.22 * (1.0 - sitter.who.person.feminine);
    let mut inner = vec![
        pose.at(0.985 * w, sideburn, 0.04),
        pose.at(0.90 * w, sideburn - 0.04, 0.10),
        pose.at(0.875 * w, -0.25, 0.12),
    ];
    inner.extend((0..15).map(|k| {
        let x = 0.76 * (1.0 - k as f32 / 7.0);
        pose.face(x * w, hairline(hair, x), 0.05)
    }));
    inner.extend([
        pose.at(-0.875 * w, -0.25, 0.12),
        pose.at(-0.90 * w, sideburn - 0.04, 0.10),
        pose.at(-0.985 * w, sideburn, 0.04),
    ]);
    outline(&[&outer, &inner])
}

/// The rim of hair that a bald head keeps at one side.
fn bald_side(sitter: &Sitter, sign: f32) -> Path {
    let (pose, w) = (&sitter.pose, sitter.who.features.face_width);
    let at = |x: f32, y: f32, z: f32| pose.at(sign * x * w, y, z);
    blob(&[
        at(1.05, 0.18, 0.0),
        at(1.08, -0.2, -0.1),
        at(1.04, -0.55, -0.12),
        at(0.93, -0.72, -0.05),
        at(0.90, -0.45, 0.08),
        at(0.93, -0.1, 0.08),
        at(0.92, 0.14, 0.08),
    ])
}

/// How far down the hair hangs, in head coordinates.
pub(super) fn end(hair: &Hair) -> f32 {
    0.05 + 2.35 * hair.hair_length
}

/// An edge of hanging hair from the temple down, at `x` beside the head in five heights.
fn hanging(sitter: &Sitter, sign: f32, x: [f32; 5], z: f32, phase: f32) -> Vec<Point> {
    let hair = &sitter.who.hair;
    let y_end = end(hair);
    let (low, high) = (-0.25, y_end);
    (0..9)
        .map(|k| {
            let t = k as f32 / 8.0;
            let at = 4.0 * t;
            let i = (at as usize).min(3);
            let wide = x[i] + (x[i + 1] - x[i]) * (at - i as f32);
            let y = low + (high - low) * t;
            let wave = 0.10 * hair.hair_curl * t.min(0.5) * 2.0 * (5.5 * y + phase).sin();
            sitter.pose.at(sign * (wide + wave), y, z * (1.0 - 0.6 * t))
        })
        .collect()
}

/// Lit from above on the side of the light.
pub(super) fn ink(sitter: &Sitter, darkness: f32) -> Ink {
    let (pose, light) = (&sitter.pose, sitter.who.scene.light.signum());
    let hair = sitter.hair.dark(darkness);
    along(
        pose.at(0.75 * light, -1.2, 0.0),
        pose.at(-0.75 * light, 0.9, 0.0),
        &[(0.0, hair.light(0.13).solid()), (0.45, hair.solid()), (1.0, hair.dark(0.30).solid())],
    )
}

/// All that is seen behind neck and face.
pub(super) fn back(painter: &mut Painter, sitter: &Sitter) {
    let hair = &sitter.who.hair;
    match hair.hair_style {
        HairStyle::Bald | HairStyle::Buzz | HairStyle::Short => {}
        HairStyle::Curls => curly(painter, sitter, &curls(sitter, SIDE), 0.3),
        HairStyle::Bob | HairStyle::Long => {
            painter.shape(Class::Hair, &fall(sitter), ink(sitter, 0.34));
        }
        HairStyle::LongCurls => {
            painter.shape(Class::Hair, &fall(sitter), ink(sitter, 0.34));
            curly(painter, sitter, &hanging_curls(sitter, 1.12), 0.3);
        }
        HairStyle::Bun => bun(painter, sitter),
        HairStyle::Ponytail => tail(painter, sitter),
    }
}

/// Hair behind the neck.
fn fall(sitter: &Sitter) -> Path {
    let (side, _) = volume(sitter);
    let wide = 1.04 + side;
    let spread = 0.16 + 0.12 * sitter.who.hair.hair_volume;
    let x = [wide, wide + 0.06, wide + 0.5 * spread, wide + spread, wide + 0.3 * spread - 0.1];
    let right = hanging(sitter, 1.0, x, BEHIND, 0.5);
    let mut left = hanging(sitter, -1.0, x, BEHIND, 2.0);
    left.reverse();
    let top = rims(sitter, -1.45, 1.45, 13);
    blob(&[&top[..], &right, &left].concat())
}

/// A knot on top of the head.
fn bun(painter: &mut Painter, sitter: &Sitter) {
    let (pose, hair) = (&sitter.pose, &sitter.who.hair);
    let radius = 0.30 + 0.16 * hair.hair_volume;
    let center = pose.at(0.12 * hair.hair_part, -1.38 - 0.55 * radius, -0.3);
    let path = discs([(center, pose.length(radius))]);
    painter.shape(Class::Hair, &path, ink(sitter, 0.12));
    let inside = painter.inside(&path);
    for bend in [-0.5, 0.0, 0.5] {
        let r = pose.length(radius);
        let line = curve(&[
            Point::from_xy(center.x - r, center.y + bend * r),
            Point::from_xy(center.x, center.y + (bend - 0.35) * r),
            Point::from_xy(center.x + r, center.y + bend * r),
        ]);
        painter.stroke(&line, 0.09 * r, sitter.hair.light(0.3).alpha(0.35), Some(&inside));
    }
}

/// Hair tied at the back, on the side that is seen.
fn tail(painter: &mut Painter, sitter: &Sitter) {
    let pose = &sitter.pose;
    let sign = if sitter.pose.turn.abs() > 0.05 {
        -sitter.pose.turn.signum()
    } else {
        sitter.who.hair.hair_part.signum()
    };
    let end = 0.9 + 1.4 * sitter.who.hair.hair_length;
    let wave = 0.16 * sitter.who.hair.hair_curl;
    let at = |x: f32, y: f32| pose.at(sign * x, y, BEHIND);
    let path = blob(&[
        at(0.55, -0.6),
        at(1.0, -0.75),
        at(1.32, -0.3),
        at(1.42 + wave, 0.4),
        at(1.36 - wave, 1.1),
        at(1.42 + wave, 0.8 * end),
        at(1.22, end),
        at(1.0 - wave, 0.8 * end),
        at(0.95, 0.8),
        at(0.9, 0.2),
    ]);
    painter.shape(Class::Hair, &path, ink(sitter, 0.2));
    let inside = painter.inside(&path);
    for dx in [-0.12, 0.02, 0.14] {
        let strand =
            [at(1.0 + dx, -0.5), at(1.22 + dx, 0.3), at(1.18 + dx - wave, 1.1), at(1.2 + dx, end)];
        let path = wisp(&strand, pose.length(0.07));
        painter.shade(&path, flat(sitter.hair.light(0.3).alpha(0.35)), Some(&inside));
    }
}

/// The shadow that the hair throws on the face.
pub(super) fn shadow(painter: &mut Painter, sitter: &Sitter) {
    if sitter.who.hair.hair_style == HairStyle::Bald {
        return;
    }
    let inside = painter.inside(&sitter.face);
    let drop = sitter.pose.length(0.07);
    let slide = -drop * 0.6 * sitter.who.scene.light;
    let moved = cap(sitter).transform(Transform::from_translate(slide, drop));
    if let Some(path) = moved {
        painter.shade(&path, flat(sitter.skin.dark(0.45).alpha(0.38)), Some(&inside));
    }
}

/// The hair on top of the head.
pub(super) fn top(painter: &mut Painter, sitter: &Sitter) {
    let hair = &sitter.who.hair;
    if hair.hair_style == HairStyle::Bald {
        if hair.baldness < 0.97 {
            for sign in [-1.0, 1.0] {
                painter.shape(Class::Hair, &bald_side(sitter, sign), ink(sitter, 0.1));
            }
        }
        return;
    }
    let path = cap(sitter);
    if hair.hair_style == HairStyle::Buzz {
        // The skull shines through.
        let mut cropped = ink(sitter, 0.0);
        cropped.apply_opacity(0.86);
        painter.shape(Class::Hair, &path, flat(sitter.skin.dark(0.3).solid()));
        painter.shade(&path, cropped, None);
        return;
    }
    painter.shape(Class::Hair, &path, ink(sitter, 0.0));
    if matches!(hair.hair_style, HairStyle::Curls | HairStyle::LongCurls) {
        let all = [crown(sitter), curls(sitter, 1.7), front_curls(sitter)].concat();
        curly(painter, sitter, &all, 0.0);
    } else {
        strands(painter, sitter, &path);
    }
}

/// Fine lines from the parting, and a sheen across.
fn strands(painter: &mut Painter, sitter: &Sitter, path: &Path) {
    let (pose, hair) = (&sitter.pose, &sitter.who.hair);
    let inside = painter.inside(path);
    let root = 0.5 * hair.hair_part;
    let (bright, deep) = (sitter.hair.light(0.34), sitter.hair.dark(0.4));
    for k in 0..12 {
        let off = jitter(sitter, k);
        let x = -1.05 + 0.19 * k as f32 + 0.06 * off;
        let away = x - root;
        let line = [
            rim(sitter, 0.6 * root + 0.12 * away, -0.02),
            rim(sitter, 0.6 * root + 0.55 * away, -0.10),
            pose.at(root + 0.86 * away, -0.86 + 0.12 * away * away, 0.05),
            pose.at(0.98 * x, -0.35, 0.05),
        ];
        let color =
            if k % 3 == 0 { bright.alpha(0.24 + 0.12 * off) } else { deep.alpha(0.2 + 0.1 * off) };
        painter.shade(&wisp(&line, pose.length(0.075 + 0.03 * off)), flat(color), Some(&inside));
    }
    let side = sitter.who.scene.light.signum();
    let sheen = [(-0.1, -1.15), (0.25, -1.12), (0.58, -0.96), (0.86, -0.66)]
        .map(|(x, y)| pose.at(x * side, y, 0.0));
    for (width, alpha) in [(0.24, 0.16), (0.12, 0.20)] {
        let path = wisp(&sheen, pose.length(width));
        painter.shade(&path, flat(bright.alpha(alpha)), Some(&inside));
    }
}

/// Hair that falls over the ears and in front of the shoulders.
pub(super) fn front(painter: &mut Painter, sitter: &Sitter) {
    let hair = &sitter.who.hair;
    if !hair.ears_covered {
        return;
    }
    if hair.hair_style == HairStyle::LongCurls {
        curly(painter, sitter, &hanging_curls(sitter, 1.04), 0.06);
        return;
    }
    for sign in [-1.0, 1.0] {
        lock(painter, sitter, sign);
    }
}

/// Straight or wavy hair beside a cheek.
fn lock(painter: &mut Painter, sitter: &Sitter, sign: f32) {
    let (pose, hair) = (&sitter.pose, &sitter.who.hair);
    let w = sitter.who.features.face_width;
    let (side, _) = volume(sitter);
    let wide = 1.03 * w + side;
    let bob = hair.hair_style == HairStyle::Bob;
    let inward = if bob { 0.74 } else { 0.92 };
    let outer = hanging(
        sitter,
        sign,
        [wide - 0.01, wide + 0.06, wide + 0.09, wide + 0.10, if bob { 0.9 } else { 1.12 }],
        BEHIND,
        0.5,
    );
    let mut inner =
        hanging(sitter, sign, [0.84 * w, 0.92 * w, 0.93 * w, 0.86 * w, inward * w], 0.12, 1.4);
    inner.reverse();
    let over = [
        pose.face(sign * 0.62 * w, hairline(hair, 0.62 * sign) - 0.12, 0.05),
        rim(sitter, sign * 1.1, -0.06),
        rim(sitter, sign * 1.5, 0.0),
    ];
    let path = outline(&[&outer, &inner, &over]);
    painter.shape(Class::Hair, &path, ink(sitter, 0.03));
    let inside = painter.inside(&path);
    for (k, x) in [0.94, 1.02, 1.1].into_iter().enumerate() {
        let color = if k == 1 {
            sitter.hair.dark(0.4).alpha(0.3)
        } else {
            sitter.hair.light(0.3).alpha(0.26)
        };
        let strand = hanging(sitter, sign, [x, x + 0.03, x + 0.04, x, x - 0.04], 0.0, 1.0);
        painter.shade(&wisp(&strand, pose.length(0.08)), flat(color), Some(&inside));
    }
}
