//! Pointwise results that are not computed yet: gradients, which their sum computes in one pass.

use std::collections::HashMap;

use super::program::Program;
use super::{Expr, MAX_INPUTS, broadcast, pointwise, pointwise_sum};
use crate::tensor::{Shape, Tensor};

/// Inputs of a sum. More would make a kernel for each of many sums, and save few passes.
const MOST: usize = 3;

/// A tensor, or the expression that makes one.
#[derive(Clone, Debug)]
pub struct Deferred {
    x: Vec<Tensor>,
    value: Expr,
}

impl From<Tensor> for Deferred {
    fn from(x: Tensor) -> Self {
        Self { x: vec![x], value: Expr::input(0) }
    }
}

impl Deferred {
    /// What [`pointwise`] makes of the same; inputs that the expression does not read are dropped.
    ///
    /// # Panics
    /// As [`pointwise`].
    #[track_caller]
    pub fn new(x: &[&Tensor], value: &Expr) -> Self {
        let used = Program::new(value).inputs();
        if used.is_empty() || used.len() > MAX_INPUTS {
            return pointwise(x, value).into();
        }
        let places: HashMap<usize, usize> = used.iter().enumerate().map(|(k, &i)| (i, k)).collect();
        let x = used.iter().map(|&k| x[k].clone()).collect();
        Self { x, value: value.renumbered(&places) }
    }

    /// Of the tensor.
    pub fn shape(&self) -> Shape {
        broadcast(&self.x.iter().map(Tensor::shape).collect::<Vec<_>>())
    }

    /// The tensor.
    pub fn compute(&self) -> Tensor {
        pointwise(&self.x.iter().collect::<Vec<_>>(), &self.value)
    }

    /// The same under another shape; `None` where an input is broadcast.
    pub fn reshaped(&self, shape: &Shape) -> Option<Self> {
        let n = shape.numel();
        let reshape = |x: &Tensor| match x.numel() {
            numel if numel == n => Some(x.reshape(shape)),
            1 => Some(x.reshape(vec![1; shape.len()])),
            _ => None,
        };
        let x = self.x.iter().map(reshape).collect::<Option<_>>()?;
        Some(Self { x, value: self.value.clone() })
    }

    /// The sum over axes, which stay with size 1.
    ///
    /// # Panics
    /// When an axis does not exist.
    #[track_caller]
    pub fn sum(&self, axes: &[usize]) -> Tensor {
        match (self.value.as_multiple(), &self.x[..]) {
            (Some((factor, _)), [x]) => x.scaled_sum(factor, axes, true),
            _ => pointwise_sum(&self.x.iter().collect::<Vec<_>>(), &self.value, axes),
        }
    }

    /// Products can wait to be added to others; other expressions would make many kernels and are
    /// computed.
    #[must_use]
    pub fn settled(self) -> Self {
        if self.value.is_product() { self } else { self.compute().into() }
    }

    /// The tensors that are there.
    pub fn compute_all(all: Vec<Option<Self>>) -> Vec<Option<Tensor>> {
        all.into_iter().map(|one| one.map(|one| one.compute())).collect()
    }

    /// The sum as one expression; `None` where that reads too many inputs.
    fn plus(&self, other: &Self) -> Option<Self> {
        let mut x = self.x.clone();
        let mut place = |new: &Tensor| {
            x.iter().position(|old| old.is_same(new)).unwrap_or_else(|| {
                x.push(new.clone());
                x.len() - 1
            })
        };
        let places = other.x.iter().enumerate().map(|(k, new)| (k, place(new))).collect();
        let value = self.value.clone() + other.value.renumbered(&places);
        (x.len() <= MOST).then_some(Self { x, value })
    }

    /// The sum of tensors in as few passes as their inputs allow. What is computed comes first: other
    /// orders would be kernels of their own.
    ///
    /// # Panics
    /// When there is none, or the shapes do not broadcast.
    #[track_caller]
    pub fn sum_of(parts: &[Self]) -> Tensor {
        let mut parts: Vec<&Self> = parts.iter().collect();
        parts.sort_by_key(|part| part.x.len() > 1);
        let mut sum = parts[0].clone();
        for part in &parts[1..] {
            sum = sum.plus(part).unwrap_or_else(|| {
                let before = Self::from(sum.compute());
                before.plus(part).unwrap_or_else(|| (before.compute() + part.compute()).into())
            });
        }
        sum.compute()
    }
}
