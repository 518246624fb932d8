//! How the kept and the summed axes of a reduction lie in its input.

use crate::tensor::Shape;

/// The axes of a reduction, neighbours of one kind merged: (size, stride) of the kept ones and of
/// those that are summed over, outermost first.
pub(super) struct Runs {
    pub(super) kept: Vec<(usize, usize)>,
    pub(super) summed: Vec<(usize, usize)>,
    /// Stride of the innermost summed axis.
    pub(super) inner: usize,
}

impl Runs {
    pub(super) fn new(shape: &Shape, axes: &[usize]) -> Self {
        let mut lists = [Vec::<(usize, usize)>::new(), Vec::new()];
        let strides = shape.strides();
        for k in 0..shape.len() {
            let list = &mut lists[usize::from(axes.contains(&k))];
            match list.last_mut() {
                Some(last) if last.1 == shape[k] * strides[k] => {
                    *last = (last.0 * shape[k], strides[k]);
                }
                _ => list.push((shape[k], strides[k])),
            }
        }
        let [kept, summed]: [Vec<(usize, usize)>; 2] =
            lists.map(|list| list.into_iter().filter(|a| a.0 != 1).collect());
        let inner = summed.split_last().map_or(1, |((_, stride), _): (&(usize, usize), _)| *stride);
        Self { kept, summed, inner }
    }

    /// Number of elements behind one output.
    pub(super) fn len(&self) -> usize {
        self.summed.iter().map(|a| a.0).product()
    }

    /// Neighbouring outputs whose elements are neighbours.
    pub(super) fn width(&self) -> usize {
        self.kept.last().filter(|a| a.1 == 1).map_or(1, |a| a.0)
    }

    /// Three axes of a kind at most remain of rank 6, the missing ones of size 1.
    pub(super) fn padded(axes: &[(usize, usize)]) -> [(usize, usize); 3] {
        assert!(axes.len() <= 3, "a reduction over more than six axes");
        let mut padded = [(1, 0); 3];
        padded[3 - axes.len()..].copy_from_slice(axes);
        padded
    }

    pub(super) fn offset(axes: &[(usize, usize)], mut index: usize) -> usize {
        let mut offset = 0;
        for (size, stride) in axes.iter().rev() {
            offset += index % size * stride;
            index /= size;
        }
        offset
    }
}
