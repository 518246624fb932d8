//! Each judge notices the fault that is its own.

use std::ops::Range;

use semgan::ops::{Float, Op, Slice, SliceMut, apply, twin};
use semgan::verify::Judge;
use semgan::{Device, Shape, Tensor};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Native,
    Definition,
    Rule,
    Recording,
}

/// x³, with a fault.
struct Cube(Fault);

impl Cube {
    /// 1, or slightly more where this is the fault.
    fn factor(&self, fault: Fault) -> f64 {
        if self.0 == fault { 1.001 } else { 1.0 }
    }

    fn cubes<T: Float>(factor: f64, x: &Slice, y: &mut [T]) {
        let cube = |x: &T| T::from_f64(x.f64().powi(3) * factor);
        y.iter_mut().zip(T::of(x)).for_each(|(y, x)| *y = cube(x));
    }
}

impl Op for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }

    fn definition(&self, x: &[Tensor]) -> Option<Tensor> {
        Some(x[0].powf(3.0) * self.factor(Fault::Definition))
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        x[0].clone()
    }

    fn rows(&self, _y: &Shape) -> usize {
        1
    }

    fn twin(&self, x: &[Slice], y: SliceMut, _rows: Range<usize>) {
        twin!(y, |y| Self::cubes(1.0, &x[0], y));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        Self::cubes(self.factor(Fault::Native), &x[0], y);
        true
    }

    fn vjp(&self, x: &[Tensor], _y: &Tensor, g: &Tensor, _needs: &[bool]) -> Vec<Option<Tensor>> {
        let x = if self.0 == Fault::Recording { x[0].detach() } else { x[0].clone() };
        vec![Some(x.square() * (3.0 * self.factor(Fault::Rule)) * g)]
    }
}

/// What is named as wrong.
fn found(fault: Fault) -> Vec<String> {
    let judge = Judge::of(&[&[5]]);
    let checked = judge.check(&[Device::cpu()], |x| apply(Cube(fault), &[&x[0]]));
    let reasons = checked.err().map(|failure| failure.reasons).unwrap_or_default();
    reasons.iter().map(|r| r.split(':').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_is_right_passes() {
    assert_eq!(found(Fault::None), [""; 0]);
}

#[test]
fn a_device_that_computes_something_else_is_named() {
    assert_eq!(found(Fault::Native), ["y on cpu", "grad 0 on cpu", "gg 0 on cpu"]);
}

#[test]
fn a_definition_of_something_else_is_named() {
    let places = ["y by definition", "grad 0 by definition", "gg 0 by definition"];
    assert_eq!(found(Fault::Definition), places);
}

#[test]
fn a_wrong_rule_differs_from_differences_and_from_the_definition() {
    let orders = ["grad by central differences", "gg by central differences"];
    assert_eq!(found(Fault::Rule)[..2], orders);
    assert_eq!(found(Fault::Rule)[2..], ["grad 0 by definition", "gg 0 by definition"]);
}

#[test]
fn a_rule_that_is_not_recorded_has_a_wrong_second_order_only() {
    assert_eq!(found(Fault::Recording), ["gg by central differences", "gg 0 by definition"]);
}
