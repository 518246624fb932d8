//! Where a point of the head lands in the picture: a small three-dimensional head, seen from afar.
//!
//! Head coordinates: the origin is between the eyes, x to the viewer's right, y down, z towards the
//! viewer; 1 is half the width of the face. The chin is at y = 1.3, the top of the skull at -1.3.

use tiny_skia::Point;

use super::attributes::View;

/// Half the width of a face, as a share of the picture.
const UNIT: f32 = 0.25;
/// Height of the eyes in the picture.
const EYE_LINE: f32 = 0.475;
/// What the head turns about when it leans, in head coordinates.
const NECK: f32 = 1.2;
/// How far the front of the face bulges.
const BULGE: f32 = 0.72;

pub(super) struct Pose {
    /// Of the yaw; positive to the right.
    pub(super) turn: f32,
    cos_yaw: f32,
    nod: f32,
    roll: (f32, f32),
    unit: f32,
    origin: Point,
}

impl Pose {
    pub(super) fn new(view: &View) -> Self {
        let yaw = view.yaw.to_radians();
        Self {
            turn: yaw.sin(),
            cos_yaw: yaw.cos(),
            nod: view.pitch.to_radians().sin(),
            roll: view.roll.to_radians().sin_cos(),
            unit: UNIT * view.zoom,
            origin: Point::from_xy(0.5 + view.shift - 0.05 * yaw.sin(), EYE_LINE),
        }
    }

    /// A point of an outline at depth `z`: it slides with the turn and keeps its width.
    pub(super) fn at(&self, x: f32, y: f32, z: f32) -> Point {
        let (x, y) = (x + z * self.turn, y - z * self.nod - NECK);
        let (sin, cos) = self.roll;
        self.body(x * cos - y * sin, x * sin + y * cos + NECK)
    }

    /// A point on the front of the face, `lift` above it: the far side gets narrower.
    pub(super) fn face(&self, x: f32, y: f32, lift: f32) -> Point {
        let z = BULGE * (1.0 - 0.75 * x * x - 0.12 * y * y).max(0.02).sqrt() + lift;
        self.at(x * self.cos_yaw, y, z)
    }

    /// A point of the body, which neither turns nor leans.
    pub(super) fn body(&self, x: f32, y: f32) -> Point {
        Point::from_xy(self.origin.x + x * self.unit, self.origin.y + y * self.unit)
    }

    /// A length of the head in the picture.
    pub(super) fn length(&self, length: f32) -> f32 {
        length * self.unit
    }

    /// Whether the side `sign` (-1 left, 1 right) is turned away.
    pub(super) fn is_far(&self, sign: f32) -> bool {
        sign * self.turn > 0.06
    }
}
