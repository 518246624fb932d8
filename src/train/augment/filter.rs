//! Bands of frequencies, amplified or weakened.

use crate::ops::conv::Conv2d;
use crate::ops::resample::pad::Pad;
use crate::tensor::Tensor;

/// Bands of the image filter.
pub const BANDS: usize = 4;
/// Taps of the image filter.
pub const FILTER_TAPS: usize = 43;
/// Low-pass of the wavelet sym2.
const SYM2: [f64; 4] =
    [-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025];

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; a.len() + b.len() - 1];
    for (i, a) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(j, b)| y[i + j] += a * b);
    }
    y
}

/// One filter per band, from the lowest to the highest; they add up to the identity.
pub fn filter_bank() -> [[f64; FILTER_TAPS]; BANDS] {
    let half = |taps: [f64; 4]| -> Vec<f64> {
        let mut reversed = taps;
        reversed.reverse();
        convolved(&taps, &reversed).iter().map(|v| v / 2.0).collect()
    };
    let low = half(SYM2);
    let high = half(std::array::from_fn(|k| if k % 2 == 0 { SYM2[k] } else { -SYM2[k] }));
    let mut rows = [vec![1.0], vec![0.0], vec![0.0], vec![0.0]];
    for i in 1..BANDS {
        for row in &mut rows {
            // A zero between all neighbours.
            let spread: Vec<f64> = row.iter().flat_map(|&v| [v, 0.0]).collect();
            *row = convolved(&spread[..spread.len() - 1], &low);
        }
        let start = (rows[i].len() - high.len()) / 2;
        high.iter().enumerate().for_each(|(k, v)| rows[i][start + k] += v);
    }
    rows.map(|row| row.try_into().expect("43 taps"))
}

/// Pictures `[N, C, H, W]` with their bands amplified by one gain each, as drawn for each picture;
/// borders reflected.
///
/// # Panics
/// When there are not gains for every picture.
#[track_caller]
pub fn imgfilter(x: &Tensor, gains: &[[f64; BANDS]]) -> Tensor {
    let [n, c, h, w] = [0, 1, 2, 3].map(|k| x.size(k));
    assert_eq!(gains.len(), n, "imgfilter: gains for pictures of shape {:?}", x.shape());
    let bank = filter_bank();
    let mut taps = Vec::new();
    for gains in gains {
        let total = normalized(gains);
        let tap = |k: usize| (0..BANDS).map(|band| total[band] * bank[band][k]).sum::<f64>();
        let filter: Vec<f32> = (0..FILTER_TAPS).map(|k| tap(k) as f32).collect();
        (0..c).for_each(|_| taps.extend(&filter));
    }
    let taps = Tensor::from_slice(&taps, [n * c, 1, 1, FILTER_TAPS], x.device());
    let side = (FILTER_TAPS / 2) as isize;
    let conv = Conv2d { groups: n * c, ..Conv2d::default() };
    let padded = x.pad2d([side; 4], Pad::Reflect);
    let planes = padded.reshape([1, n * c, padded.size(2), padded.size(3)]);
    let across = planes.conv2d(&taps, &conv);
    across.conv2d(&taps.reshape([n * c, 1, FILTER_TAPS, 1]), &conv).reshape([n, c, h, w])
}

/// The gains, one band after the other, each brought to the same expected power.
fn normalized(gains: &[f64; BANDS]) -> [f64; BANDS] {
    const POWER: [f64; BANDS] = [10.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0];
    let mut total = [1.0; BANDS];
    for (band, &amplified) in gains.iter().enumerate() {
        let gain = |k: usize| if k == band { amplified } else { 1.0 };
        let power = (0..BANDS).map(|k| POWER[k] * gain(k) * gain(k)).sum::<f64>();
        (0..BANDS).for_each(|k| total[k] *= gain(k) / power.sqrt());
    }
    total
}
