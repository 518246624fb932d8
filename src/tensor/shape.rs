//! Shapes: sizes of the axes, outermost first, contiguous and row-major.

use std::fmt;
use std::ops::Deref;

/// Sizes of a tensor's axes. Dereferences to `[usize]`; prints as `[2, 4, 8, 8]`.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// Number of elements; 1 for rank 0.
    ///
    /// # Panics
    /// When that is beyond what the processor can count.
    #[track_caller]
    pub fn numel(&self) -> usize {
        let product = self.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        product.unwrap_or_else(|| panic!("shape {self:?} has too many elements to count"))
    }

    /// The first axis whose size is not 1: its slices lie one behind the other.
    pub fn leading(&self) -> Option<usize> {
        self.iter().position(|&n| n != 1)
    }

    /// Distance in elements between neighbours along each axis.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.len()];
        for k in (1..self.len()).rev() {
            strides[k - 1] = strides[k] * self[k];
        }
        strides
    }

    /// Axis counted from the front; a negative one counts from the back.
    ///
    /// # Panics
    /// When the axis does not exist.
    #[track_caller]
    pub fn axis(&self, axis: isize) -> usize {
        let rank = self.len() as isize;
        let k = if axis < 0 { axis + rank } else { axis };
        assert!((0..rank).contains(&k), "axis {axis} of a tensor of shape {self:?}");
        k as usize
    }

    /// The same sizes with one of them replaced.
    pub fn with(&self, axis: usize, size: usize) -> Self {
        let mut sizes = self.0.clone();
        sizes[axis] = size;
        Self(sizes)
    }

    /// (product of the axes before, size of the axis, product of the axes behind).
    pub fn around(&self, axis: usize) -> (usize, usize, usize) {
        (self[..axis].iter().product(), self[axis], self[axis + 1..].iter().product())
    }

    /// NumPy's broadcast of two shapes, or `None` where they do not fit.
    pub fn broadcast(&self, other: &Self) -> Option<Self> {
        let rank = self.len().max(other.len());
        let size = |s: &Self, k: usize| (k + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
        (0..rank)
            .map(|k| match (size(self, k), size(other, k)) {
                (a, b) if a == b || b == 1 => Some(a),
                (1, b) => Some(b),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Self(sizes.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        Self(sizes)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        Self(sizes.to_vec())
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}
