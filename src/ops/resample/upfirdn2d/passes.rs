//! The filter on the CPU: in one pass over a plane, or in two where it is a product of two lines.

use super::Axis;

/// One filtering of a plane, `taps` correlated along both axes.
pub(super) struct Pass {
    axes: [Axis; 2],
    taps: Vec<f32>,
}

/// The filter as one pass, or as a horizontal and a vertical one where it is their product.
pub(super) fn of(taps: &[f32], [vertical, horizontal]: [Axis; 2]) -> Vec<Pass> {
    let whole = || vec![Pass { axes: [vertical, horizontal], taps: taps.to_vec() }];
    if vertical.taps == 1 || horizontal.taps == 1 {
        return whole();
    }
    let width = horizontal.taps;
    let largest = (0..taps.len()).max_by(|&a, &b| taps[a].abs().total_cmp(&taps[b].abs()));
    let (row, col) = largest.map(|k| (k / width, k % width)).expect("a kernel has taps");
    let pivot = taps[row * width + col];
    if pivot == 0.0 {
        return whole();
    }
    let across: Vec<f32> = taps[row * width..][..width].iter().map(|t| t / pivot).collect();
    let down: Vec<f32> = taps[col..].iter().step_by(width).copied().collect();
    let is_product = |(k, tap): (usize, &f32)| {
        (tap - down[k / width] * across[k % width]).abs() <= 1e-6 * pivot.abs()
    };
    if !taps.iter().enumerate().all(is_product) {
        return whole();
    }
    vec![
        Pass { axes: [Axis::identity(vertical.size_in), horizontal], taps: across },
        Pass { axes: [vertical, Axis::identity(horizontal.size_out)], taps: down },
    ]
}

impl Pass {
    pub(super) fn len_out(&self) -> usize {
        self.axes[0].size_out * self.axes[1].size_out
    }

    /// Line by line and tap by tap, so that the inner loops run over neighbours: outputs that meet
    /// the same taps (a phase) are summed side by side, and put in their places where there are
    /// several phases.
    pub(super) fn run(&self, x: &[f32], y: &mut [f32], line: &mut [f32]) {
        let [vertical, horizontal] = self.axes;
        let [phases, step] = horizontal.steps();
        let meetings: Vec<_> = (0..horizontal.taps).map(|t| horizontal.meetings(t)).collect();
        for (oy, y) in y.chunks_exact_mut(horizontal.size_out).enumerate() {
            for phase in 0..phases.min(horizontal.size_out) {
                let len = (horizontal.size_out - phase).div_ceil(phases);
                let sums = if phases == 1 { &mut *y } else { &mut line[..len] };
                sums.fill(0.0);
                for (ty, taps) in self.taps.chunks_exact(horizontal.taps).enumerate() {
                    let Some(iy) = vertical.input(oy, ty) else { continue };
                    let x = &x[iy * horizontal.size_in..][..horizontal.size_in];
                    for (&tap, m) in taps.iter().zip(&meetings).filter(|(_, m)| m.phase == phase) {
                        add_scaled(tap, &x[m.input..], step, &mut sums[m.output..][..m.count]);
                    }
                }
                if phases > 1 {
                    let places = y.iter_mut().skip(phase).step_by(phases);
                    places.zip(&line[..len]).for_each(|(y, sum)| *y = *sum);
                }
            }
        }
    }
}

/// `y[k] += tap * x[k * step]`.
fn add_scaled(tap: f32, x: &[f32], step: usize, y: &mut [f32]) {
    if step == 1 {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += tap * x);
    } else {
        y.iter_mut().zip(x.iter().step_by(step)).for_each(|(y, x)| *y += tap * x);
    }
}
