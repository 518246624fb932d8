//! How the inputs of a pointwise operation lie under its output: broadcast strides, with axes that
//! behave alike merged.

use crate::tensor::Shape;

/// Strides of each input over the merged axes of the output.
#[derive(Debug)]
pub(super) struct Layout {
    /// Sizes of the merged axes, outermost first; at least one.
    pub(super) sizes: Vec<usize>,
    /// Per input and merged axis; 0 where the input is broadcast.
    pub(super) strides: Vec<Vec<usize>>,
}

impl Layout {
    pub(super) fn new(output: &Shape, inputs: &[&Shape]) -> Self {
        let strides: Vec<Vec<usize>> =
            inputs.iter().map(|x| broadcast_strides(x, output)).collect();
        let mut layout = Self { sizes: vec![1], strides: vec![vec![0]; inputs.len()] };
        for axis in (0..output.len()).rev().filter(|&k| output[k] != 1) {
            // `layout` grows from the innermost axis; its first entry is the axis to merge into.
            let merges = layout.sizes[0] == 1
                || (layout.strides.iter().zip(&strides))
                    .all(|(merged, s)| s[axis] == merged[0] * layout.sizes[0]);
            if !merges {
                layout.sizes.insert(0, output[axis]);
                layout.strides.iter_mut().zip(&strides).for_each(|(m, s)| m.insert(0, s[axis]));
            } else if layout.sizes[0] == 1 {
                layout.sizes[0] = output[axis];
                layout.strides.iter_mut().zip(&strides).for_each(|(m, s)| m[0] = s[axis]);
            } else {
                layout.sizes[0] *= output[axis];
            }
        }
        layout
    }

    /// The layout of a sum over some axes of `whole`, the kept axes ahead of the summed ones, and how
    /// many there are of the former.
    pub(super) fn of_sum(whole: &Shape, inputs: &[&Shape], axes: &[usize]) -> (Self, usize) {
        let kept = axes.iter().fold(whole.clone(), |kept, &k| kept.with(k, 1));
        let mut layout = Self::new(whole, &[inputs, &[&kept]].concat());
        let places = layout.strides.pop().expect("the sum's own");
        let (mut order, summed): (Vec<usize>, Vec<usize>) =
            (0..places.len()).partition(|&k| places[k] != 0);
        let n = order.len();
        order.extend(summed);
        let ordered = |list: &Vec<usize>| order.iter().map(|&k| list[k]).collect();
        let strides = layout.strides.iter().map(ordered).collect();
        (Self { sizes: ordered(&layout.sizes), strides }, n)
    }

    /// Whether every input has exactly the output's elements in the output's order.
    pub(super) fn is_flat(&self) -> bool {
        self.sizes.len() == 1 && self.strides.iter().all(|s| s[0] == 1)
    }

    /// Where rows, along the innermost axis, are of whole vectors of `lanes`: the inputs, by their
    /// bits, that have vectors too. `None` unless each other one is the same along a row.
    pub(super) fn vectors(&self, lanes: usize) -> Option<u8> {
        let width = *self.sizes.last().expect("at least one axis");
        let outer = self.sizes.len() - 1;
        let is_vector = |strides: &Vec<usize>| match strides[outer] {
            0 => Some(false),
            1 => strides[..outer].iter().all(|s| s.is_multiple_of(lanes)).then_some(true),
            _ => None,
        };
        let bit = |(k, strides)| is_vector(strides).map(|set| u8::from(set) << k);
        let mut bits = self.strides.iter().enumerate().map(bit);
        let vectors = bits.try_fold(0, |all, bit| Some(all | bit?));
        vectors.filter(|_| width.is_multiple_of(lanes))
    }

    /// Position in input `k` of the output's element `index`.
    pub(super) fn offset(&self, k: usize, mut index: usize) -> usize {
        let mut offset = 0;
        for (size, stride) in self.sizes.iter().zip(&self.strides[k]).rev() {
            offset += index % size * stride;
            index /= size;
        }
        offset
    }

    /// Copies what input `k` holds under the output's elements from `start` on.
    pub(super) fn read<T: Copy>(&self, k: usize, x: &[T], start: usize, out: &mut [T]) {
        let width = *self.sizes.last().expect("at least one axis");
        let stride = *self.strides[k].last().expect("at least one axis");
        let mut done = 0;
        while done < out.len() {
            let at = start + done;
            let run = (width - at % width).min(out.len() - done);
            let from = self.offset(k, at);
            let out = &mut out[done..done + run];
            match stride {
                0 => out.fill(x[from]),
                1 => out.copy_from_slice(&x[from..from + run]),
                _ => out.iter_mut().enumerate().for_each(|(i, y)| *y = x[from + i * stride]),
            }
            done += run;
        }
    }
}

/// Strides of `x` over the axes of `output`, 0 where `x` is broadcast.
fn broadcast_strides(x: &Shape, output: &Shape) -> Vec<usize> {
    let own = x.strides();
    let missing = output.len() - x.len();
    (0..output.len())
        .map(|k| match k.checked_sub(missing) {
            Some(j) if x[j] != 1 => own[j],
            _ => 0,
        })
        .collect()
}
