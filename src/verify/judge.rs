//! Judges of an operation at any shapes, where no golden case is. Of value, gradient and second
//! order, each device is compared with the twins in f64, and the operation's definition too; the
//! twins' gradients of both orders are compared with central differences of the order below.
//!
//! The loss is <g, y² / 2> with random g, so that linear operations have a second derivative; its
//! gradient is `grad`. Second order is the gradient `gg` of P, half the squared norm of `grad`.

use super::Failure;
use super::compare::compare;
use super::run::{gradients, half_square};
use crate::Result;
use crate::device::{Device, Dtype};
use crate::ops::random::Draw;
use crate::ops::with_definitions;
use crate::tensor::{Shape, Tensor};

/// Value, gradient and second order.
const KINDS: [&str; 3] = ["y", "grad", "gg"];
/// Streams of random numbers besides those of the inputs, which are numbered from 0.
const COTANGENT: u32 = 1 << 20;
const DIRECTION: u32 = 1 << 21;

/// Step of the central differences.
const STEP: f64 = 1e-5;
/// How far central differences may be off, as a part of the gradient's norm.
const DIFFERENCE: f64 = 1e-6;
/// How far a definition may be off in f64, as a part of the largest element.
const DEFINITION: f64 = 1e-9;
/// Where all elements are below this, they are compared as if the largest were this.
const SMALLEST: f64 = 1e-3;

/// What an operation is tried with.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Shapes of the inputs.
    pub shapes: Vec<Shape>,
    /// Inputs are drawn between these two numbers, no two elements of one equal.
    pub range: (f64, f64),
    /// Inputs from this one on are constants.
    pub constants_from: usize,
    /// Which numbers to draw.
    pub seed: u64,
    /// How far a device may be off, as a part of the largest element.
    pub tolerance: f64,
}

type Function<'a> = &'a dyn Fn(&[Tensor]) -> Tensor;

/// The value, then gradient and second order of each input that is no constant.
type Orders = [Vec<Tensor>; 3];

impl Judge {
    /// Inputs between −1 and 1, and a tolerance for sums of some hundred products.
    pub fn of(shapes: &[&[usize]]) -> Self {
        let shapes: Vec<Shape> = shapes.iter().map(|&s| s.into()).collect();
        let constants_from = shapes.len();
        Self { shapes, range: (-1.0, 1.0), constants_from, seed: 0, tolerance: 2e-5 }
    }

    /// Tries a function of the inputs on devices.
    ///
    /// # Errors
    /// What differs, and what could not be read back.
    pub fn check(
        &self,
        devices: &[Device],
        f: impl Fn(&[Tensor]) -> Tensor,
    ) -> Result<(), Failure> {
        let reasons = self.reasons(devices, &f).unwrap_or_else(|error| vec![error.to_string()]);
        let case = format!("inputs {:?}, seed {}", self.shapes, self.seed);
        if reasons.is_empty() { Ok(()) } else { Err(Failure { case, reasons }) }
    }

    fn reasons(&self, devices: &[Device], f: Function) -> Result<Vec<String>> {
        let reference = Device::reference();
        let x = self.inputs(&reference);
        let orders = self.orders(f, &x);
        let mut reasons = self.differences(f, &x, &orders)?;
        let defined = self.orders(&|x| with_definitions(|| f(x)), &x);
        reasons.extend(differing("by definition", &defined, &orders, DEFINITION)?);
        for device in devices {
            let found = self.orders(f, &self.inputs(device));
            let place = format!("on {}", device.kind());
            reasons.extend(differing(&place, &found, &orders, self.tolerance)?);
        }
        Ok(reasons)
    }

    fn inputs(&self, device: &Device) -> Vec<Tensor> {
        let draw =
            |(k, shape): (usize, &Shape)| drawn(self.seed, k as u32, shape, self.range, device);
        self.shapes.iter().enumerate().map(draw).collect()
    }

    /// Numbers between −1 and 1 for what looks like x.
    fn weights(&self, stream: u32, x: &Tensor) -> Tensor {
        drawn(self.seed, stream, x.shape(), (-1.0, 1.0), x.device())
    }

    fn orders(&self, f: Function, x: &[Tensor]) -> Orders {
        let mut x = x.to_vec();
        let wanted = self.constants_from.min(x.len());
        x[..wanted].iter_mut().for_each(|x| *x = x.tracked());
        let y = f(&x);
        if !y.is_tracked() || y.dtype() == Dtype::I32 {
            return [vec![y.detach()], vec![], vec![]];
        }
        let loss = (y.square() * 0.5, Some(self.weights(COTANGENT, &y)));
        let grads = gradients(&[loss], &x[..wanted], true);
        let p = half_square(grads.iter()).expect("a tracked output has a tracked input");
        let gg = gradients(&[(p, None)], &x[..wanted], false);
        [vec![y], grads, gg].map(|order| order.iter().map(Tensor::detach).collect())
    }

    /// The loss, and P.
    fn energies(&self, f: Function, x: &[Tensor]) -> Result<[f64; 2]> {
        let [y, grads, _] = self.orders(f, x);
        let loss = y[0].square() * 0.5 * self.weights(COTANGENT, &y[0]);
        Ok([number(&loss.sum_all())?, number(&half_square(grads.iter()).expect("an input"))?])
    }

    /// Central differences along a random direction: of the loss against `grad`, of P against `gg`.
    fn differences(&self, f: Function, x: &[Tensor], orders: &Orders) -> Result<Vec<String>> {
        if orders[1].is_empty() {
            return Ok(Vec::new());
        }
        let direction = |(k, x): (usize, &Tensor)| self.weights(DIRECTION + k as u32, x);
        let directions: Vec<Tensor> = x.iter().enumerate().map(direction).collect();
        let at = |step: f64| -> Result<[f64; 2]> {
            let mut moved = x.to_vec();
            let pairs = moved.iter_mut().zip(&directions).take(self.constants_from);
            pairs.for_each(|(x, d)| *x = &*x + d * step);
            self.energies(f, &moved)
        };
        let (above, below) = (at(STEP)?, at(-STEP)?);
        let mut reasons = Vec::new();
        for (k, kind) in KINDS[1..].iter().enumerate() {
            let want = (above[k] - below[k]) / (2.0 * STEP);
            let (mut got, mut squares) = (0.0, 0.0);
            for (g, d) in orders[k + 1].iter().zip(&directions) {
                got += number(&(g * d).sum_all())?;
                squares += number(&g.square().sum_all())?;
            }
            let limit = DIFFERENCE * squares.sqrt().max(SMALLEST);
            let difference = compare(&[got], &[want], 0.0, limit);
            reasons.extend(difference.map(|d| format!("{kind} by central differences: {d}")));
        }
        Ok(reasons)
    }
}

/// Numbers at equal distances in random order, so that no maximum is undecided.
fn drawn(
    seed: u64,
    stream: u32,
    shape: &Shape,
    (low, high): (f64, f64),
    device: &Device,
) -> Tensor {
    let (draw, n) = (Draw { seed, stream, step: 0 }, shape.numel());
    let mut places: Vec<usize> = (0..n).collect();
    places.sort_by_key(|&k| draw.integer(k));
    let value = |k: usize| low + (high - low) * (k as f64 + draw.uniform(n)) / n as f64;
    let values: Vec<f32> = places.into_iter().map(|k| value(k) as f32).collect();
    Tensor::from_slice(&values, shape, device)
}

/// The number of a tensor that has one.
fn number(x: &Tensor) -> Result<f64> {
    Ok(x.to_vec_f64()?[0])
}

/// What lies outside `tolerance`, as a part of the largest element of its order: a sum that cancels
/// is as good as its terms. Indices have to be equal.
fn differing(place: &str, found: &Orders, wanted: &Orders, tolerance: f64) -> Result<Vec<String>> {
    let mut reasons = Vec::new();
    for ((kind, found), wanted) in KINDS.iter().zip(found).zip(wanted) {
        let shapes = |order: &[Tensor]| order.iter().map(|x| x.shape().clone()).collect::<Vec<_>>();
        let (got, want) = (shapes(found), shapes(wanted));
        if got != want {
            reasons.push(format!("{kind} {place}: shapes {got:?}, not {want:?}"));
            continue;
        }
        let values = wanted.iter().map(Tensor::to_vec_f64).collect::<Result<Vec<_>>>()?;
        let largest = values.iter().flatten().fold(SMALLEST, |m, v| m.max(v.abs()));
        for (k, (got, want)) in found.iter().zip(&values).enumerate() {
            let limit = if got.dtype() == Dtype::I32 { 0.0 } else { tolerance * largest };
            let difference = compare(&got.to_vec_f64()?, want, 0.0, limit);
            let name = if *kind == "y" { kind.to_string() } else { format!("{kind} {k}") };
            reasons.extend(difference.map(|d| format!("{name} {place}: {d}")));
        }
    }
    Ok(reasons)
}
