//! One painter for a picture and its label map: the same path goes to both.
//!
//! The picture is anti-aliased; in the label map a pixel is the class of the topmost shape at its
//! centre. Paths are in units of the picture's side, so that the resolution does not matter.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path,
    PathBuilder, Pixmap, Point, RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use super::palette::Tint;

/// What a pixel shows: the classes of SemanticStyleGAN for faces, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Background,
    Skin,
    Eyes,
    Brows,
    Mouth,
    Nose,
    Ears,
    Hair,
    Neck,
    Cloth,
    Eyeglasses,
    Hat,
    Earrings,
}

/// What a shape is filled with.
pub(super) type Ink = Shader<'static>;

/// A colour along the line from one point to another.
pub(super) fn along(from: Point, to: Point, stops: &[(f32, Color)]) -> Ink {
    LinearGradient::new(from, to, gradient(stops), SpreadMode::Pad, Transform::identity())
        .unwrap_or(Shader::SolidColor(stops[0].1))
}

/// A colour from a centre outwards.
pub(super) fn around(center: Point, radius: f32, stops: &[(f32, Color)]) -> Ink {
    let (gradient, identity) = (gradient(stops), Transform::identity());
    RadialGradient::new(center, 0.0, center, radius, gradient, SpreadMode::Pad, identity)
        .unwrap_or(Shader::SolidColor(stops[0].1))
}

fn gradient(stops: &[(f32, Color)]) -> Vec<GradientStop> {
    stops.iter().map(|&(at, color)| GradientStop::new(at, color)).collect()
}

/// One flat colour.
pub(super) fn flat(color: Color) -> Ink {
    Shader::SolidColor(color)
}

/// The inside of a path, for shades that must not leave it.
pub(super) struct Inside(Mask);

/// A picture with its label map.
pub(super) struct Painter {
    picture: Pixmap,
    labels: Pixmap,
    scale: Transform,
}

impl Painter {
    /// Black, and background everywhere.
    pub(super) fn new(res: u32) -> Self {
        let canvas = || {
            let mut canvas = Pixmap::new(res, res).expect("a picture has pixels");
            canvas.fill(Color::BLACK);
            canvas
        };
        let scale = Transform::from_scale(res as f32, res as f32);
        Self { picture: canvas(), labels: canvas(), scale }
    }

    /// A shape of a class, in both.
    pub(super) fn shape(&mut self, class: Class, path: &Path, ink: Ink) {
        self.label(class, path);
        self.shade(path, ink, None);
    }

    /// A line of a class, in both.
    pub(super) fn line(&mut self, class: Class, path: &Path, width: f32, color: Color) {
        if let Some(outline) = path.stroke(&round(width), self.picture.width() as f32) {
            self.shape(class, &outline, flat(color));
        }
    }

    /// The class alone, for what is seen only by its shade.
    pub(super) fn label(&mut self, class: Class, path: &Path) {
        let mut paint = Paint { anti_alias: false, ..Paint::default() };
        paint.set_color_rgba8(class as u8, 0, 0, 255);
        self.labels.fill_path(path, &paint, FillRule::Winding, self.scale, None);
    }

    /// Light or shade in the picture alone.
    pub(super) fn shade(&mut self, path: &Path, ink: Ink, inside: Option<&Inside>) {
        let paint = Paint { shader: ink, ..Paint::default() };
        let mask = inside.map(|i| &i.0);
        self.picture.fill_path(path, &paint, FillRule::Winding, self.scale, mask);
    }

    /// A soft line in the picture alone.
    pub(super) fn stroke(
        &mut self,
        path: &Path,
        width: f32,
        color: Color,
        inside: Option<&Inside>,
    ) {
        let paint = Paint { shader: flat(color), ..Paint::default() };
        let mask = inside.map(|i| &i.0);
        self.picture.stroke_path(path, &paint, &round(width), self.scale, mask);
    }

    /// A spot of colour that fades outwards, in the picture alone.
    pub(super) fn glow(
        &mut self,
        center: Point,
        radius: f32,
        color: Tint,
        alpha: f32,
        inside: Option<&Inside>,
    ) {
        let ink = around(center, radius, &[(0.0, color.alpha(alpha)), (1.0, color.alpha(0.0))]);
        self.shade(&discs([(center, radius)]), ink, inside);
    }

    /// The inside of `path`.
    pub(super) fn inside(&self, path: &Path) -> Inside {
        let side = self.picture.width();
        let mut mask = Mask::new(side, side).expect("a picture has pixels");
        mask.fill_path(path, FillRule::Winding, true, self.scale);
        Inside(mask)
    }

    /// `[res, res, 3]` and `[res, res]`.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<u8>) {
        let rgb = self.picture.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]);
        let labels = self.labels.pixels().iter().map(|p| p.red());
        (rgb.collect(), labels.collect())
    }
}

fn round(width: f32) -> Stroke {
    Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() }
}

/// Both sides of something symmetric as one run: `half` on the left, then on the right backwards.
pub(super) fn mirrored<Half>(half: impl Fn(f32) -> Half) -> Vec<Point>
where
    Half: IntoIterator<Item = Point, IntoIter: DoubleEndedIterator>,
{
    half(-1.0).into_iter().chain(half(1.0).into_iter().rev()).collect()
}

/// A closed path of runs: smooth within each, with corners where two meet.
pub(super) fn outline(runs: &[&[Point]]) -> Path {
    let mut pen = PathBuilder::new();
    for run in runs {
        match pen.last_point() {
            None => pen.move_to(run[0].x, run[0].y),
            Some(_) => pen.line_to(run[0].x, run[0].y),
        }
        spline(&mut pen, run, false);
    }
    pen.close();
    pen.finish().expect("an outline has points")
}

/// A smooth closed path.
pub(super) fn blob(points: &[Point]) -> Path {
    let mut pen = PathBuilder::new();
    pen.move_to(points[0].x, points[0].y);
    spline(&mut pen, points, true);
    pen.close();
    pen.finish().expect("a blob has points")
}

/// A smooth open path.
pub(super) fn curve(points: &[Point]) -> Path {
    let mut pen = PathBuilder::new();
    pen.move_to(points[0].x, points[0].y);
    spline(&mut pen, points, false);
    pen.finish().expect("a curve has points")
}

/// A strand along `points`, which is pointed at both ends.
pub(super) fn wisp(points: &[Point], width: f32) -> Path {
    let n = points.len();
    let edge = |k: usize, side: f32| {
        let along = points[(k + 1).min(n - 1)] - points[k.saturating_sub(1)];
        let thick = width * (std::f32::consts::PI * k as f32 / (n - 1) as f32).sin();
        let scale = 0.5 * side * thick / along.length().max(f32::MIN_POSITIVE);
        Point::from_xy(points[k].x - scale * along.y, points[k].y + scale * along.x)
    };
    let one: Vec<_> = (0..n).map(|k| edge(k, 1.0)).collect();
    let other: Vec<_> = (0..n).rev().map(|k| edge(k, -1.0)).collect();
    outline(&[&one, &other])
}

/// Catmull-Rom through `points`, the first of which is where the pen is.
fn spline(pen: &mut PathBuilder, points: &[Point], closed: bool) {
    let n = points.len() as isize;
    let at = |i: isize| points[if closed { i.rem_euclid(n) } else { i.clamp(0, n - 1) } as usize];
    for i in 0..if closed { n } else { n - 1 } {
        let [before, from, to, after] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        let (a, b) = ((to - before), (after - from));
        pen.cubic_to(
            from.x + a.x / 6.0,
            from.y + a.y / 6.0,
            to.x - b.x / 6.0,
            to.y - b.y / 6.0,
            to.x,
            to.y,
        );
    }
}

/// Discs as one path.
pub(super) fn discs(discs: impl IntoIterator<Item = (Point, f32)>) -> Path {
    let mut pen = PathBuilder::new();
    for (center, radius) in discs {
        pen.push_circle(center.x, center.y, radius);
    }
    pen.finish().expect("there are discs")
}

/// The whole picture.
pub(super) fn everywhere() -> Path {
    discs([(Point::from_xy(0.5, 0.5), 1.0)])
}
