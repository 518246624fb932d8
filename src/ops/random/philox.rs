//! The generator, and the operation that fills a tensor with it.

use std::f64::consts::TAU;
use std::ops::Range;

use crate::device::{Device, Dtype, Launch, Param};
use crate::kernel;
use crate::ops::{Float, Op, Slice, SliceMut, apply, twin};
use crate::tensor::{Shape, Tensor};

/// Ten rounds on a counter of four words with a key of two.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Which numbers to draw: a point in the space of all draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Seed of the run or of the picture.
    pub seed: u64,
    /// Purpose: [`super::Stream`].
    pub stream: u32,
    /// Training step, or what the stream says.
    pub step: u64,
}

impl Draw {
    fn group(self, index: usize) -> [u32; 4] {
        let counter = [index as u32, self.stream, self.step as u32, (self.step >> 32) as u32];
        philox4x32(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// The index-th integer.
    pub fn integer(self, index: usize) -> u32 {
        self.group(index / 4)[index % 4]
    }

    /// The index-th uniform number in [0, 1).
    pub fn uniform(self, index: usize) -> f64 {
        f64::from(self.integer(index) >> 8) * 2f64.powi(-24)
    }

    /// The index-th standard normal number.
    pub fn normal(self, index: usize) -> f64 {
        let group = self.group(index / 4);
        let pair = index % 4 / 2 * 2;
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = 1.0 - f64::from(group[pair] >> 8) * 2f64.powi(-24);
        let angle = TAU * (f64::from(group[pair + 1] >> 8) * 2f64.powi(-24));
        let length = (-2.0 * radius.ln()).sqrt();
        length * if index.is_multiple_of(2) { angle.cos() } else { angle.sin() }
    }

    /// Standard normal numbers on a device.
    pub fn normals(self, shape: impl Into<Shape>, device: &Device) -> Tensor {
        self.filled(Kind::Normal, shape.into(), device)
    }

    /// Uniform numbers in [0, 1) on a device.
    pub fn uniforms(self, shape: impl Into<Shape>, device: &Device) -> Tensor {
        self.filled(Kind::Uniform, shape.into(), device)
    }

    /// Standard normal numbers of several draws of one seed and step, in one pass.
    ///
    /// # Panics
    /// When seeds or steps differ.
    #[track_caller]
    pub fn normals_of_each(draws: &[(Self, Shape)], device: &Device) -> Vec<Tensor> {
        let mut ends = vec![0];
        for (_, shape) in draws {
            ends.push((ends[ends.len() - 1] + shape.numel()).next_multiple_of(ALIGNMENT));
        }
        let parts: Vec<(Self, usize)> = draws.iter().map(|d| d.0).zip(ends.clone()).collect();
        let shape = Shape::from([ends[draws.len()]]);
        let all = Random { kind: Kind::Normal, parts, shape };
        let all = apply(all, &[&Tensor::scalar(0.0, device)]);
        draws.iter().zip(ends).map(|((_, shape), start)| all.segment(start, shape)).collect()
    }

    fn filled(self, kind: Kind, shape: Shape, device: &Device) -> Tensor {
        let parts = vec![(self, 0)];
        apply(Random { kind, parts, shape }, &[&Tensor::scalar(0.0, device)])
    }
}

/// The first `n` normal numbers of a draw, on the host.
pub fn normals(draw: Draw, n: usize) -> Vec<f32> {
    (0..n).map(|k| draw.normal(k) as f32).collect()
}

/// The first `n` uniform numbers of a draw, on the host.
pub fn uniforms(draw: Draw, n: usize) -> Vec<f32> {
    (0..n).map(|k| draw.uniform(k) as f32).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uniform,
    Normal,
}

/// Draws start at multiples of this many elements: 256 bytes, an offset that every adapter binds.
const ALIGNMENT: usize = 64;
/// Draws of one launch.
const PARTS: usize = 8;

/// Takes a tensor only to learn the device.
struct Random {
    kind: Kind,
    /// Draws of one seed and step, and where each starts.
    parts: Vec<(Draw, usize)>,
    shape: Shape,
}

impl Op for Random {
    fn name(&self) -> &'static str {
        "philox"
    }

    fn shape(&self, _x: &[&Shape]) -> Shape {
        let Some((first, _)) = self.parts.first() else { return self.shape.clone() };
        let is_alike =
            |(draw, _): &(Draw, usize)| (draw.seed, draw.step) == (first.seed, first.step);
        assert!(self.parts.iter().all(is_alike), "philox: draws of several seeds or steps");
        self.shape.clone()
    }

    fn dtype(&self, device: &Device) -> Dtype {
        device.float()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, _x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(y, rows));
    }

    fn launch(&self, _x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let start = |k: usize| self.parts.get(k).map_or(y.numel(), |(_, start)| *start);
        let some = |(k, parts): (usize, &[(Draw, usize)])| {
            let ((draw, first), end) = (parts[0], start((k + 1) * PARTS));
            let mut launch = Launch::new(kernel!("random/philox"))
                .bind("y", y)
                .param("normal", usize::from(self.kind == Kind::Normal))
                .param("first", first)
                .param("end", end)
                .param("step_low", Param::U32(draw.step as u32))
                .param("step_high", Param::U32((draw.step >> 32) as u32))
                .param("seed_low", Param::U32(draw.seed as u32))
                .param("seed_high", Param::U32((draw.seed >> 32) as u32));
            for k in 0..PARTS {
                // The first stands in for those that are missing.
                let (draw, start) = parts.get(k).copied().unwrap_or((draw, end));
                launch = launch.param(format!("stream{k}"), Param::U32(draw.stream));
                launch = launch.param(format!("start{k}"), start);
            }
            launch.elements((end - first).div_ceil(4), 64)
        };
        self.parts.chunks(PARTS).enumerate().map(some).collect()
    }

    /// Draws depend on no tensor.
    fn vjp(&self, _x: &[Tensor], _y: &Tensor, _g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        vec![None]
    }
}

impl Random {
    fn elements<T: Float>(&self, y: &mut [T], rows: Range<usize>) {
        for (y, k) in y.iter_mut().zip(rows) {
            let part = self.parts.partition_point(|(_, start)| *start <= k) - 1;
            let (draw, start) = self.parts[part];
            *y = T::from_f64(match self.kind {
                Kind::Uniform => draw.uniform(k - start),
                Kind::Normal => draw.normal(k - start),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_test_vectors() {
        // Random123, kat_vectors: philox4x32 10.
        assert_eq!(
            philox4x32([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let expected = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
        assert_eq!(philox4x32(counter, [0xa409_3822, 0x299f_31d0]), expected);
    }

    #[test]
    fn normals_have_mean_zero_and_deviation_one() {
        let values = normals(Draw { seed: 3, stream: 1, step: 0 }, 40_000);
        let mean = values.iter().sum::<f32>() / 40_000.0;
        let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 40_000.0;
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.03, "mean {mean}, variance {var}");
    }
}
