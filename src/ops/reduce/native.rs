//! Sums in f32 for the `cpu` device.

use rayon::prelude::*;

use super::runs::Runs;

/// Sums of x, or of products with z, whose innermost run of either kind of axis is contiguous.
pub(super) fn native_sum(runs: &Runs, x: &[f32], z: Option<&[f32]>, y: &mut [f32]) {
    let work = runs.len() * y.len();
    let width = if runs.inner == 1 { 1 } else { runs.width() };
    let one = |(row, y): (usize, &mut [f32])| {
        let base = Runs::offset(&runs.kept, row * width);
        if runs.inner == 1 {
            y[0] = sum_along(runs, base, x, z);
        } else {
            sum_across(runs, base, x, z, y);
        }
    };
    if work < 32 * 1024 {
        y.chunks_exact_mut(width).enumerate().for_each(one);
    } else {
        y.par_chunks_exact_mut(width).enumerate().for_each(one);
    }
}

/// One output: eight partial sums in f32 over at most 256 elements, the rest in f64.
fn sum_along(runs: &Runs, base: usize, x: &[f32], z: Option<&[f32]>) -> f32 {
    let (inner, outer) = runs.summed.split_last().map_or((1, &[][..]), |(a, rest)| (a.0, rest));
    let outer_len: usize = outer.iter().map(|a| a.0).product();
    let run = |k: usize| {
        let start = base + Runs::offset(outer, k);
        let x = &x[start..start + inner];
        match z {
            None => sum_of_run(x),
            Some(z) => (x.chunks(256).zip(z[start..].chunks(256)))
                .map(|(x, z)| f64::from(sum_of_lanes(x, |x, z| x * z, z)))
                .sum(),
        }
    };
    (0..outer_len).map(run).sum::<f64>() as f32
}

/// Neighbouring outputs, row after row of the elements behind them.
fn sum_across(runs: &Runs, base: usize, x: &[f32], z: Option<&[f32]>, y: &mut [f32]) {
    let mut sums = vec![0.0; y.len()];
    for k in 0..runs.len() {
        let at = base + Runs::offset(&runs.summed, k);
        let x = sums.iter_mut().zip(&x[at..]);
        match z {
            None => x.for_each(|(sum, &x)| *sum += f64::from(x)),
            Some(z) => x.zip(&z[at..]).for_each(|((sum, &x), &z)| *sum += f64::from(x * z)),
        }
    }
    y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum as f32);
}

/// The sum of a run: in f32 over 256 elements, the rest in f64.
pub(crate) fn sum_of_run(x: &[f32]) -> f64 {
    x.chunks(256).map(|x| f64::from(sum_of_lanes(x, |x, _| x, x))).sum()
}

fn sum_of_lanes(x: &[f32], value: impl Fn(f32, f32) -> f32, z: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let whole = x.len() / 8 * 8;
    for (x, z) in x[..whole].chunks_exact(8).zip(z.chunks_exact(8)) {
        lanes.iter_mut().zip(x.iter().zip(z)).for_each(|(sum, (&x, &z))| *sum += value(x, z));
    }
    let rest: f32 = x[whole..].iter().zip(&z[whole..]).map(|(&x, &z)| value(x, z)).sum();
    lanes.iter().sum::<f32>() + rest
}
