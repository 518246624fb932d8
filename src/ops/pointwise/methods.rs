//! The pointwise functions of [`Tensor`].

use super::{Expr, pointwise, pointwise_sum};
use crate::tensor::Tensor;

impl Tensor {
    /// Any expression of this tensor alone: `x.map(|x| x.square() + 1.0)`.
    #[track_caller]
    pub fn map(&self, f: impl FnOnce(Expr) -> Expr) -> Self {
        pointwise(&[self], &f(Expr::input(0)))
    }

    /// Any expression of two tensors, broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Self, f: impl FnOnce(Expr, Expr) -> Expr) -> Self {
        pointwise(&[self, other], &f(Expr::input(0), Expr::input(1)))
    }

    /// The sum of any expression of this tensor and another one, broadcast, over everything.
    #[track_caller]
    pub fn zip_sum(&self, other: &Self, f: impl FnOnce(Expr, Expr) -> Expr) -> Self {
        let x = [self, other];
        let rank = self.shape().len().max(other.shape().len());
        let axes: Vec<usize> = (0..rank).collect();
        pointwise_sum(&x, &f(Expr::input(0), Expr::input(1)), &axes).reshape([])
    }

    /// The mean of any expression of this tensor alone over everything.
    #[track_caller]
    pub fn map_mean(&self, f: impl FnOnce(Expr) -> Expr) -> Self {
        let axes: Vec<usize> = (0..self.shape().len()).collect();
        let share = 1.0 / self.numel() as f64;
        pointwise_sum(&[self], &(f(Expr::input(0)) * share), &axes).reshape([])
    }

    /// |x|, with derivative 0 at 0. PyTorch: `torch.abs`.
    pub fn abs(&self) -> Self {
        self.map(|x| x.abs())
    }
    /// e^x. PyTorch: `torch.exp`.
    pub fn exp(&self) -> Self {
        self.map(|x| x.exp())
    }
    /// Natural logarithm. PyTorch: `torch.log`.
    pub fn log(&self) -> Self {
        self.map(|x| x.log())
    }
    /// √x. PyTorch: `torch.sqrt`.
    pub fn sqrt(&self) -> Self {
        self.map(|x| x.sqrt())
    }
    /// 1 / √x. PyTorch: `torch.rsqrt`.
    pub fn rsqrt(&self) -> Self {
        self.map(|x| x.rsqrt())
    }
    /// x². PyTorch: `torch.square`.
    pub fn square(&self) -> Self {
        self.map(|x| x.square())
    }
    /// 1 / (1 + e^-x). PyTorch: `torch.sigmoid`.
    pub fn sigmoid(&self) -> Self {
        self.map(|x| x.sigmoid())
    }
    /// Hyperbolic tangent. PyTorch: `torch.tanh`.
    pub fn tanh(&self) -> Self {
        self.map(|x| x.tanh())
    }
    /// log(1 + e^x), without overflow. PyTorch: `F.softplus`.
    pub fn softplus(&self) -> Self {
        self.map(|x| x.softplus())
    }
    /// max(x, 0). PyTorch: `F.relu`.
    pub fn relu(&self) -> Self {
        self.map(|x| x.max(0.0))
    }
    /// x where positive, `slope` · x elsewhere. PyTorch: `F.leaky_relu`.
    pub fn leaky_relu(&self, slope: f64) -> Self {
        self.map(|x| x.leaky_relu(slope))
    }
    /// x cut to [`min`, `max`]; derivative 1 inside, 0 outside. PyTorch: `torch.clamp`.
    pub fn clamp(&self, min: f64, max: f64) -> Self {
        self.map(|x| x.max(min).min(max))
    }
    /// x to a constant power; negative x only with a whole exponent. PyTorch: `torch.pow`.
    pub fn powf(&self, exponent: f64) -> Self {
        self.map(|x| x.powf(exponent))
    }
    /// Nearest integer, halves to even; derivative 0. PyTorch: `torch.round`.
    pub fn round(&self) -> Self {
        self.map(|x| x.round())
    }
    /// Larger of two tensors, broadcast. PyTorch: `torch.maximum`.
    #[track_caller]
    pub fn maximum(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a.max(b))
    }
    /// Smaller of two tensors, broadcast. PyTorch: `torch.minimum`.
    #[track_caller]
    pub fn minimum(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a.min(b))
    }
    /// A broadcast copy of the given shape. PyTorch: `Tensor.expand`.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<crate::tensor::Shape>) -> Self {
        super::super::movement::expand(self, shape.into())
    }
}
