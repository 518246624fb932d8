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

/// Step of the central differences.
const STEP: f64 = 1e-5;
/// How far central differences may be off, as a part of the gradient's norm.
const DIFFERENCE: f64 = 1e-6;
/// How far a definition may be off in f64, as a part of the largest element.
const DEFINITION: f64 = 1e-9;
/// Elements below this are compared as if the largest were this.
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
        let draw = |(k, shape): (usize, &Shape)| self.drawn(k as u32, shape, device);
        self.shapes.iter().enumerate().map(draw).collect()
    }

    /// Numbers at equal distances in random order.
    fn drawn(&self, stream: u32, shape: &Shape, device: &Device) -> Tensor {
        let (draw, n) = (Draw { seed: self.seed, stream, step: 0 }, shape.numel());
        let mut places: Vec<usize> = (0..n).collect();
        places.sort_by_key(|&k| draw.integer(k));
        let (low, high) = self.range;
        let value = |k: usize| low + (high - low) * (k as f64 + draw.uniform(n)) / n as f64;
        let values: Vec<f32> = places.into_iter().map(|k| value(k) as f32).collect();
        Tensor::from_slice(&values, shape, device)
    }

    /// <g, y² / 2>.
    fn loss(&self, y: &Tensor) -> (Tensor, Option<Tensor>) {
        let g = Self { range: (-1.0, 1.0), ..self.clone() };
        (y.square() * 0.5, Some(g.drawn(u32::MAX, y.shape(), y.device())))
    }

    /// y, then `grad` and `gg` of each input that is no constant.
    fn orders(&self, f: Function, x: &[Tensor]) -> Vec<(String, Tensor)> {
        let mut x = x.to_vec();
        let wanted = self.constants_from.min(x.len());
        x[..wanted].iter_mut().for_each(|x| *x = x.tracked());
        let y = f(&x);
        let mut orders = vec![("y".to_owned(), y.detach())];
        if !y.is_tracked() || y.dtype() == Dtype::I32 {
            return orders;
        }
        let grads = gradients(&[self.loss(&y)], &x[..wanted], true);
        let p = half_square(grads.iter()).expect("a tracked output has a tracked input");
        let gg = gradients(&[(p, None)], &x[..wanted], false);
        for (kind, gradients) in [("grad", grads), ("gg", gg)] {
            let named = |(k, g): (usize, Tensor)| (format!("{kind} {k}"), g.detach());
            orders.extend(gradients.into_iter().enumerate().map(named));
        }
        orders
    }

    /// Central differences along a random direction: of the loss against `grad`, of P against `gg`.
    fn differences(
        &self,
        f: Function,
        x: &[Tensor],
        orders: &[(String, Tensor)],
    ) -> Result<Vec<String>> {
        let [first, second] = ["grad", "gg"].map(|kind| of_kind(orders, kind));
        if first.is_empty() {
            return Ok(Vec::new());
        }
        let direction = Self { range: (-1.0, 1.0), ..self.clone() };
        let direction =
            |k: usize| direction.drawn(u32::MAX / 2 + k as u32, x[k].shape(), x[k].device());
        let directions: Vec<Tensor> = (0..first.len()).map(direction).collect();
        let at = |step: f64| -> Result<[f64; 2]> {
            let mut moved = x.to_vec();
            moved.iter_mut().zip(&directions).for_each(|(x, d)| *x = &*x + d * step);
            let orders = self.orders(f, &moved);
            let (energy, g) = self.loss(&orders[0].1);
            let loss = energy * g.expect("a cotangent");
            let p = half_square(of_kind(&orders, "grad").into_iter()).expect("a gradient");
            Ok([sum(&loss.sum_all())?, sum(&p)?])
        };
        let (above, below) = (at(STEP)?, at(-STEP)?);
        let mut reasons = Vec::new();
        for (k, (kind, gradients)) in [("grad", first), ("gg", second)].into_iter().enumerate() {
            let want = (above[k] - below[k]) / (2.0 * STEP);
            let (mut got, mut squares) = (0.0, 0.0);
            for (g, d) in gradients.iter().zip(&directions) {
                got += sum(&(*g * d).sum_all())?;
                squares += sum(&g.square().sum_all())?;
            }
            let limit = DIFFERENCE * squares.sqrt().max(SMALLEST);
            let difference = compare(&[got], &[want], 0.0, limit);
            reasons.extend(difference.map(|d| format!("{kind} by central differences: {d}")));
        }
        Ok(reasons)
    }
}

/// The number of a tensor that has one.
fn sum(x: &Tensor) -> Result<f64> {
    Ok(x.to_vec_f64()?[0])
}

fn of_kind<'a>(orders: &'a [(String, Tensor)], kind: &str) -> Vec<&'a Tensor> {
    orders.iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, x)| x).collect()
}

/// What lies outside `tolerance`, as a part of the largest element; indices have to be equal.
fn differing(
    place: &str,
    found: &[(String, Tensor)],
    wanted: &[(String, Tensor)],
    tolerance: f64,
) -> Result<Vec<String>> {
    let mut reasons = Vec::new();
    for ((name, got), (_, want)) in found.iter().zip(wanted) {
        if got.shape() != want.shape() {
            reasons.push(format!(
                "{name} {place}: shape {:?}, not {:?}",
                got.shape(),
                want.shape()
            ));
            continue;
        }
        let tolerance = if want.dtype() == Dtype::I32 { 0.0 } else { tolerance };
        let (got, want) = (got.to_vec_f64()?, want.to_vec_f64()?);
        let largest = want.iter().fold(SMALLEST, |m, v| m.max(v.abs()));
        let difference = compare(&got, &want, 0.0, tolerance * largest);
        reasons.extend(difference.map(|d| format!("{name} {place}: {d}")));
    }
    Ok(reasons)
}
