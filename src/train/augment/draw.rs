//! What StyleGAN2-ADA draws for the pictures of a batch, with the published strengths.
//!
//! Each transformation falls on a picture with probability p, for itself. What is drawn is a function
//! of the draw and the picture's number, so that it depends neither on the size of the batch nor on
//! what else is drawn.

use std::f64::consts::PI;
use std::str::FromStr;

use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;
use serde::{Deserialize, Serialize};

use super::filter::BANDS;
use super::{Augmentation, Color, Corruption, Geometry, margins};
use crate::device::Device;
use crate::ops::random::Draw;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Which transformations there are: a word of ADA's `--augpipe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pipeline {
    /// Flips, quarter turns, translations by whole pixels.
    Blit,
    /// Scalings, rotations, translations.
    Geom,
    /// Brightness, contrast, luma flips, hue, saturation.
    Color,
    /// Bands of frequencies.
    Filter,
    /// Noise.
    Noise,
    /// A rectangle that is cut out.
    Cutout,
    /// The first two of these.
    Bg,
    /// The first three.
    Bgc,
    /// The first four.
    Bgcf,
    /// The first five.
    Bgcfn,
    /// All six.
    Bgcfnc,
}

impl FromStr for Pipeline {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let parsed: Result<_, WordError> = Self::deserialize(word.into_deserializer());
        parsed.map_err(|e| Error::config("--augpipe", e.to_string()))
    }
}

impl Pipeline {
    /// Whether one of the first six is part of this.
    fn has(self, family: Self) -> bool {
        let [own, family, single] = [self, family, Self::Cutout].map(|word| word as usize);
        own == family || own > single && family <= own - single
    }

    /// What happens to `n` pictures of `channels` planes of [height, width] with probability `p` of
    /// each transformation. The stream of `draw` says which batch of the step they are
    /// ([`Stream`](crate::ops::random::Stream)).
    pub fn draw(
        self,
        p: f64,
        draw: Draw,
        n: usize,
        [h, w]: [usize; 2],
        channels: usize,
        device: &Device,
    ) -> Augmentation {
        let dice = |picture| Dice { pipeline: self, p, draw, picture };
        let geometry = changing((0..n).map(|i| dice(i).geometry()), Geometry::default());
        let geometry = geometry.map(|drawn| {
            let maps: Vec<_> = drawn.iter().map(|g| g.inverse(h, w)).collect();
            let margins = roomy(margins(&maps, h, w), h, w);
            (maps, margins)
        });
        let color = changing((0..n).map(|i| dice(i).color()), Color::default());
        let matrices = |drawn: Vec<Color>| drawn.iter().map(|c| c.matrix(channels)).collect();
        let shape = [n, channels, h, w];
        let corruption = changing((0..n).map(|i| dice(i).corruption()), Corruption::default());
        let with_noise = |drawn: Vec<Corruption>| {
            let noisy = drawn.iter().any(|c| c.sigma > 0.0);
            let values = Draw { stream: draw.stream + 1, ..draw };
            let noise = if noisy {
                values.normals(shape, device)
            } else {
                Tensor::full(0.0, shape, device)
            };
            (drawn, noise)
        };
        Augmentation {
            shape,
            geometry,
            color: color.map(matrices),
            gains: changing((0..n).map(|i| dice(i).gains()), [1.0; BANDS]),
            corruption: corruption.map(with_noise),
        }
    }
}

/// Margins rounded up to quarters of the picture, so that batches have few sizes and the pool of
/// buffers few classes of them. What lies beyond what is read does not count.
fn roomy(margins: [isize; 4], h: usize, w: usize) -> [isize; 4] {
    let up = |margin: isize, size: usize| {
        (margin.max(0) as usize).next_multiple_of(size.div_ceil(4)).min(size - 1) as isize
    };
    let [left, right, above, below] = margins;
    [up(left, w), up(right, w), up(above, h), up(below, h)]
}

/// What is drawn, unless it changes no picture.
fn changing<T: PartialEq>(drawn: impl Iterator<Item = T>, identity: T) -> Option<Vec<T>> {
    let drawn: Vec<T> = drawn.collect();
    drawn.iter().any(|d| *d != identity).then_some(drawn)
}

/// What a picture's numbers are for. Bands come last, one after the other.
#[derive(Clone, Copy)]
enum Kind {
    Xflip,
    Rotate90,
    Xint,
    Scale,
    RotatePre,
    Aniso,
    RotatePost,
    Xfrac,
    Brightness,
    Contrast,
    Lumaflip,
    Hue,
    Saturation,
    Noise,
    Cutout,
    Band,
}

/// Room for the transformations of one picture.
const KINDS: usize = 32;
/// Numbers of one transformation: whether it fires, three uniform ones, four normal ones.
const NUMBERS: usize = 8;

/// The draws of one picture.
#[derive(Clone, Copy)]
struct Dice {
    pipeline: Pipeline,
    p: f64,
    draw: Draw,
    picture: usize,
}

/// The numbers of a transformation that fires.
struct Numbers {
    draw: Draw,
    first: usize,
}

impl Numbers {
    /// In [0, 1).
    fn uniform(&self, k: usize) -> f64 {
        self.draw.uniform(self.first + 1 + k)
    }

    /// In [−1, 1).
    fn signed(&self, k: usize) -> f64 {
        2.0 * self.uniform(k) - 1.0
    }

    fn normal(&self, k: usize) -> f64 {
        self.draw.normal(self.first + NUMBERS / 2 + k)
    }

    /// 2 to a normal number of this deviation.
    fn factor(&self, deviation: f64) -> f64 {
        (deviation * self.normal(0)).exp2()
    }
}

impl Dice {
    /// The same for one family, which never fires where the pipeline does not have it.
    fn of(&self, family: Pipeline) -> Self {
        Self { p: if self.pipeline.has(family) { self.p } else { 0.0 }, ..*self }
    }

    /// What a transformation draws, or what changes nothing.
    fn drawn<T>(&self, kind: Kind, identity: T, value: impl FnOnce(&Numbers) -> T) -> T {
        self.numbered(kind as usize, identity, value)
    }

    fn numbered<T>(&self, kind: usize, identity: T, value: impl FnOnce(&Numbers) -> T) -> T {
        let first = (self.picture * KINDS + kind) * NUMBERS;
        let fires = self.draw.uniform(first) < self.p;
        if fires { value(&Numbers { draw: self.draw, first }) } else { identity }
    }

    fn geometry(&self) -> Geometry {
        let (blit, geom) = (self.of(Pipeline::Blit), self.of(Pipeline::Geom));
        // Of two rotations, one at least fires with probability p.
        let turn = Self { p: 1.0 - (1.0 - geom.p).max(0.0).sqrt(), ..geom };
        Geometry {
            xflip: blit.drawn(Kind::Xflip, false, |n| n.uniform(0) < 0.5),
            rotate90: blit.drawn(Kind::Rotate90, 0, |n| (4.0 * n.uniform(0)) as u32),
            xint: blit.drawn(Kind::Xint, [0.0; 2], |n| [0, 1].map(|k| n.signed(k) / 8.0)),
            scale: geom.drawn(Kind::Scale, 1.0, |n| n.factor(0.2)),
            rotate_pre: turn.drawn(Kind::RotatePre, 0.0, |n| PI * n.signed(0)),
            aniso: geom.drawn(Kind::Aniso, 1.0, |n| n.factor(0.2)),
            rotate_post: turn.drawn(Kind::RotatePost, 0.0, |n| PI * n.signed(0)),
            xfrac: geom.drawn(Kind::Xfrac, [0.0; 2], |n| [0, 1].map(|k| n.normal(k) / 8.0)),
        }
    }

    fn color(&self) -> Color {
        let dice = self.of(Pipeline::Color);
        Color {
            brightness: dice.drawn(Kind::Brightness, 0.0, |n| 0.2 * n.normal(0)),
            contrast: dice.drawn(Kind::Contrast, 1.0, |n| n.factor(0.5)),
            lumaflip: dice.drawn(Kind::Lumaflip, false, |n| n.uniform(0) < 0.5),
            hue: dice.drawn(Kind::Hue, 0.0, |n| PI * n.signed(0)),
            saturation: dice.drawn(Kind::Saturation, 1.0, |n| n.factor(1.0)),
        }
    }

    fn gains(&self) -> [f64; BANDS] {
        let dice = self.of(Pipeline::Filter);
        let gain = |band| dice.numbered(Kind::Band as usize + band, 1.0, |n| n.factor(1.0));
        std::array::from_fn(gain)
    }

    fn corruption(&self) -> Corruption {
        let (noise, cutout) = (self.of(Pipeline::Noise), self.of(Pipeline::Cutout));
        let sigma = noise.drawn(Kind::Noise, 0.0, |n| 0.1 * n.normal(0).abs());
        let rectangle = |n: &Numbers| (0.5, [0, 1].map(|k| n.uniform(k)));
        let (size, center) = cutout.drawn(Kind::Cutout, (0.0, [0.0; 2]), rectangle);
        Corruption { sigma, size, center }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::random::Stream;

    const PICTURES: usize = 4000;

    fn dice(pipeline: Pipeline, p: f64) -> impl Iterator<Item = Dice> {
        let draw = Draw { seed: 7, stream: Stream::AugmentRealsOfD as u32, step: 3 };
        (0..PICTURES).map(move |picture| Dice { pipeline, p, draw, picture })
    }

    type All = (Geometry, Color, [f64; BANDS], Corruption);

    fn all(pipeline: Pipeline, p: f64) -> Vec<All> {
        dice(pipeline, p).map(|d| (d.geometry(), d.color(), d.gains(), d.corruption())).collect()
    }

    #[test]
    fn each_transformation_fires_as_often_as_it_should() {
        let (p, drawn) = (0.3f64, all(Pipeline::Bgcfnc, 0.3));
        let check = |name: &str, expected: f64, fired: &dyn Fn(usize) -> bool| {
            let share = (0..PICTURES).filter(|&i| fired(i)).count() as f64 / PICTURES as f64;
            let sigma = (expected * (1.0 - expected) / PICTURES as f64).sqrt();
            assert!((share - expected).abs() < 4.0 * sigma, "{name}: {share}, not {expected}");
        };
        let (g, c) = (|i: usize| drawn[i].0, |i: usize| drawn[i].1);
        let turn = 1.0 - (1.0 - p).sqrt();
        // Of the flips half show nothing, of the quarter turns a quarter.
        check("xflip", p / 2.0, &|i| g(i).xflip);
        check("rotate90", p * 0.75, &|i| g(i).rotate90 > 0);
        (1..4).for_each(|k| check("turns", p / 4.0, &|i| g(i).rotate90 == k));
        check("xint", p, &|i| g(i).xint != [0.0; 2]);
        check("scale", p, &|i| g(i).scale != 1.0);
        check("rotate_pre", turn, &|i| g(i).rotate_pre != 0.0);
        check("rotate_post", turn, &|i| g(i).rotate_post != 0.0);
        check("rotate", p, &|i| [g(i).rotate_pre, g(i).rotate_post] != [0.0; 2]);
        check("aniso", p, &|i| g(i).aniso != 1.0);
        check("xfrac", p, &|i| g(i).xfrac != [0.0; 2]);
        check("brightness", p, &|i| c(i).brightness != 0.0);
        check("contrast", p, &|i| c(i).contrast != 1.0);
        check("lumaflip", p / 2.0, &|i| c(i).lumaflip);
        check("hue", p, &|i| c(i).hue != 0.0);
        check("saturation", p, &|i| c(i).saturation != 1.0);
        (0..BANDS).for_each(|k| check("band", p, &|i| drawn[i].2[k] != 1.0));
        check("noise", p, &|i| drawn[i].3.sigma != 0.0);
        check("cutout", p, &|i| drawn[i].3.size != 0.0);
        check("both", p * p, &|i| c(i).hue != 0.0 && g(i).scale != 1.0);
    }

    #[test]
    fn strengths_have_the_published_deviations() {
        let drawn = all(Pipeline::Bgcfnc, 1.0);
        let check = |name: &str, deviation: f64, value: &dyn Fn(usize) -> f64| {
            let power = (0..PICTURES).map(|i| value(i).powi(2)).sum::<f64>() / PICTURES as f64;
            let ratio = power.sqrt() / deviation;
            // Four deviations of the mean square of normal numbers.
            assert!((ratio - 1.0).abs() < 4.0 / (2.0 * PICTURES as f64).sqrt(), "{name}: {ratio}");
        };
        let uniform = |half: f64| half / 3f64.sqrt();
        for k in 0..2 {
            check("xint", uniform(0.125), &|i| drawn[i].0.xint[k]);
            check("xfrac", 0.125, &|i| drawn[i].0.xfrac[k]);
            check("center", uniform(0.5), &|i| drawn[i].3.center[k] - 0.5);
        }
        check("scale", 0.2, &|i| drawn[i].0.scale.log2());
        check("rotate_pre", uniform(PI), &|i| drawn[i].0.rotate_pre);
        check("aniso", 0.2, &|i| drawn[i].0.aniso.log2());
        check("rotate_post", uniform(PI), &|i| drawn[i].0.rotate_post);
        check("brightness", 0.2, &|i| drawn[i].1.brightness);
        check("contrast", 0.5, &|i| drawn[i].1.contrast.log2());
        check("hue", uniform(PI), &|i| drawn[i].1.hue);
        check("saturation", 1.0, &|i| drawn[i].1.saturation.log2());
        (0..BANDS).for_each(|k| check("band", 1.0, &|i| drawn[i].2[k].log2()));
        check("noise", 0.1, &|i| drawn[i].3.sigma);
        check("cutout", 0.5, &|i| drawn[i].3.size);
        // Numbers of different transformations do not go together.
        check("two", uniform(PI) * 2f64.sqrt(), &|i| drawn[i].0.rotate_pre + drawn[i].1.hue);
    }

    #[test]
    fn a_pipeline_draws_its_own_families_and_nothing_else() {
        let none = (Geometry::default(), Color::default(), [1.0; BANDS], Corruption::default());
        let changed = |pipeline| {
            let drawn = all(pipeline, 1.0);
            let any = |differs: &dyn Fn(&All) -> bool| u8::from(drawn.iter().any(differs));
            [
                any(&|d| d.0.xint != none.0.xint || d.0.xflip || d.0.rotate90 > 0),
                any(&|d| d.0.scale != 1.0 || d.0.rotate_pre != 0.0 || d.0.xfrac != none.0.xfrac),
                any(&|d| d.1 != none.1),
                any(&|d| d.2 != none.2),
                any(&|d| d.3.sigma != 0.0),
                any(&|d| d.3.size != 0.0),
            ]
        };
        for (word, families) in [
            ("blit", [1, 0, 0, 0, 0, 0]),
            ("geom", [0, 1, 0, 0, 0, 0]),
            ("color", [0, 0, 1, 0, 0, 0]),
            ("filter", [0, 0, 0, 1, 0, 0]),
            ("noise", [0, 0, 0, 0, 1, 0]),
            ("cutout", [0, 0, 0, 0, 0, 1]),
            ("bg", [1, 1, 0, 0, 0, 0]),
            ("bgc", [1, 1, 1, 0, 0, 0]),
            ("bgcf", [1, 1, 1, 1, 0, 0]),
            ("bgcfn", [1, 1, 1, 1, 1, 0]),
            ("bgcfnc", [1, 1, 1, 1, 1, 1]),
        ] {
            let pipeline: Pipeline = word.parse().expect("a word of ADA's");
            assert_eq!(changed(pipeline), families, "{word}");
            let json = serde_json::to_string(&pipeline).expect("a word");
            assert_eq!(json, format!("{word:?}"));
        }
        let error = "bgx".parse::<Pipeline>().expect_err("no such word").to_string();
        let words = ["--augpipe", "`bgx`", "`blit`", "`cutout`", "`bg`", "`bgcfnc`"];
        words.iter().for_each(|w| assert!(error.contains(w), "{error}"));
    }

    #[test]
    fn what_a_picture_gets_does_not_depend_on_those_behind_it() {
        let draw = Draw { seed: 1 << 40, stream: Stream::AugmentFakesOfG as u32, step: 1 << 35 };
        let of = |n| Pipeline::Bgcfnc.draw(0.7, draw, n, [6, 5], 3, &Device::cpu());
        let (few, all) = (of(3), of(8));
        assert_eq!(few.geometry.expect("moved").0, all.geometry.expect("moved").0[..3]);
        assert_eq!(few.color.expect("changed"), all.color.expect("changed")[..3]);
        assert_eq!(few.gains.expect("filtered"), all.gains.expect("filtered")[..3]);
        let [few, all] = [few.corruption, all.corruption].map(|c| c.expect("corrupted"));
        assert_eq!(few.0, all.0[..3]);
        let [few, all] = [few, all].map(|(_, noise)| noise.to_vec().expect("read"));
        assert_eq!(few, all[..few.len()]);
    }

    #[test]
    fn hue_and_saturation_keep_the_mean_of_the_channels() {
        for color in dice(Pipeline::Color, 1.0).map(|dice| dice.color()).take(100) {
            let plain = Color { hue: 0.0, saturation: 1.0, ..color };
            let [sums, wanted] = [color, plain].map(|c| {
                let [r, g, b, _] = c.matrix(3);
                std::array::from_fn::<f64, 4, _>(|j| r[j] + g[j] + b[j])
            });
            let off = sums.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-9, "{color:?}: {sums:?}, not {wanted:?}");
        }
    }
}
