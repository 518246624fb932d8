//! Pointwise operations: one [`Expr`] over up to seven broadcast inputs becomes one kernel; more
//! inputs become several.
//!
//! Everything elementwise is written with [`pointwise`]: operators, activations, bias + noise +
//! activation + gain, Adam, moving averages. The derivative is the symbolic derivative, again a
//! pointwise operation, so the family is closed at any order. Numbers reach kernels as run-time
//! scalars and sizes as strides, so that the number of pipelines depends on neither.

mod codegen;
mod deferred;
mod diff;
mod eval;
mod expr;
mod layout;
mod methods;
mod program;
mod sum;

use std::collections::HashMap;
use std::ops::Range;

pub use deferred::Deferred;
pub use expr::{Binary, Expr, Unary};
pub use sum::pointwise_sum;

use self::layout::Layout;
use self::program::Program;
use super::{Cut, Float, Op, Slice, SliceMut, apply, twin};
use crate::device::{Kernel, Launch};
use crate::tensor::{Shape, Tensor};

/// Inputs of one expression: with the output and the parameters they fill the portable limit of
/// eight storage buffers.
pub const MAX_INPUTS: usize = 7;

/// y = `expr` at every element, where the expression's input k reads `x[k]`, broadcast like NumPy.
///
/// # Panics
/// When the shapes do not broadcast, or the expression names an input that is not there.
#[track_caller]
pub fn pointwise(x: &[&Tensor], expr: &Expr) -> Tensor {
    let used = Program::new(expr).inputs();
    if used.is_empty() {
        return constant(x, expr);
    }
    if used.len() > MAX_INPUTS {
        return in_steps(x, expr);
    }
    let renumber: HashMap<usize, usize> = used.iter().enumerate().map(|(k, &i)| (i, k)).collect();
    let expr = expr.renumbered(&renumber);
    let x: Vec<&Tensor> = used.iter().map(|&k| x[k]).collect();
    if let expr::Kind::Input(_) = expr.kind() {
        return x[0].clone();
    }
    apply(Pointwise { program: Program::new(&expr), expr }, &x)
}

/// The sum of tensors of one shape, from the first to the last, in as few passes as their number
/// allows.
///
/// # Panics
/// When there is none, or the shapes do not broadcast.
#[track_caller]
pub fn sum_of(x: &[Tensor]) -> Tensor {
    scaled_sum_of(x, 1.0)
}

/// The sum times a number.
#[track_caller]
pub(crate) fn scaled_sum_of(x: &[Tensor], factor: f64) -> Tensor {
    let sum = (0..x.len()).map(Expr::input).reduce(|a, b| a + b).expect("something to add");
    pointwise(&x.iter().collect::<Vec<_>>(), &(sum * factor))
}

/// An expression of too many inputs: its parts that read the most, each an operation of its own,
/// then the rest over their results.
#[track_caller]
fn in_steps(x: &[&Tensor], expr: &Expr) -> Tensor {
    let part = expr.heaviest_part(MAX_INPUTS);
    let value = pointwise(x, &part);
    let rest = expr.replaced(&part, &Expr::input(x.len()));
    pointwise(&[x, &[&value]].concat(), &rest)
}

/// What is left of `x * 0.0`: one number under the inputs' broadcast shape.
#[track_caller]
fn constant(x: &[&Tensor], expr: &Expr) -> Tensor {
    let no_input = |_| unreachable!("an expression without inputs");
    let value = eval::element(&Program::new(expr), no_input, &mut Vec::new());
    let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
    Tensor::full(value as f32, broadcast(&shapes), x[0].device())
}

#[track_caller]
fn broadcast(x: &[&Shape]) -> Shape {
    x.iter().skip(1).fold(x[0].clone(), |y, x_k| {
        y.broadcast(x_k).unwrap_or_else(|| panic!("pointwise: shapes {x:?} do not broadcast"))
    })
}

/// The kernels that an expression becomes: for inputs that lie like the output, two for broadcast
/// ones, and that of its sum. For tools; [`pointwise`] chooses by itself.
pub fn kernels(expr: &Expr) -> [Kernel; 4] {
    let program = Program::new(expr);
    let inputs = program.inputs().last().map_or(0, |k| k + 1);
    [codegen::Form::Flat, codegen::Form::Rows(1), codegen::Form::Strided, codegen::Form::Sum]
        .map(|form| codegen::kernel(&program, inputs, form))
}

/// Number of elements of y that share one of the shapes' broadcast and one element of x.
fn spread(x: &Shape, shapes: &[&Shape], y: &Shape) -> usize {
    let product = broadcast(shapes);
    let from_back = |s: &Shape, k: usize| (k + s.len()).checked_sub(y.len()).map_or(1, |j| s[j]);
    let is_shared = |&k: &usize| from_back(x, k) == 1 && from_back(&product, k) == 1;
    (0..y.len()).filter(is_shared).map(|k| y[k]).product()
}

struct Pointwise {
    expr: Expr,
    program: Program,
}

impl Op for Pointwise {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn shape(&self, x: &[&Shape]) -> Shape {
        assert!(x.len() <= MAX_INPUTS, "pointwise: {} inputs, {MAX_INPUTS} at most", x.len());
        broadcast(x)
    }

    fn flops(&self, _x: &[&Shape], y: &Shape) -> usize {
        y.numel() * self.program.steps.len()
    }

    fn rows(&self, y: &Shape) -> usize {
        y.numel()
    }

    fn twin(&self, x: &[Slice], y: SliceMut, rows: Range<usize>) {
        twin!(y, |y| self.elements(x, y, rows));
    }

    fn native(&self, x: &[Slice], y: &mut [f32]) -> bool {
        let layout = self.layout(x);
        let x: Vec<&[f32]> = x.iter().map(Slice::f32).collect();
        eval::blocks(&self.program, &layout, &x, y);
        true
    }

    fn launch(&self, x: &[&Tensor], y: &Tensor) -> Vec<Launch> {
        let shapes: Vec<&Shape> = x.iter().map(|x| x.shape()).collect();
        let layout = Layout::new(y.shape(), &shapes);
        vec![codegen::launch(&self.program, &layout, x, y)]
    }

    fn cut(&self, x: &[&Shape], y: &Shape) -> Option<Cut> {
        let output = y.leading()?;
        let axis = |x: &&Shape| (output + x.len()).checked_sub(y.len()).filter(|&k| x[k] != 1);
        Some(Cut { inputs: x.iter().map(axis).collect(), output: Some(output) })
    }

    fn takes_broadcast(&self) -> bool {
        true
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        Deferred::compute_all(self.deferred_vjp(x, y, g, needs))
    }

    fn deferred_vjp(
        &self,
        x: &[Tensor],
        y: &Tensor,
        g: &Tensor,
        needs: &[bool],
    ) -> Vec<Option<Deferred>> {
        slopes(&self.expr, x, y.shape(), g, needs)
    }
}

/// The gradients of `<g, expr>`, of shape `whole`, with respect to the inputs that need one.
fn slopes(
    expr: &Expr,
    x: &[Tensor],
    whole: &Shape,
    g: &Tensor,
    needs: &[bool],
) -> Vec<Option<Deferred>> {
    // An input that is simply added takes g as it is.
    let is_added = |k: usize| expr.diff(k).is_some_and(|slope| slope.is(1.0));
    let entering: Vec<usize> = (0..x.len()).filter(|&k| needs[k] && !is_added(k)).collect();
    let waist = if entering.len() > 1 { expr.waist(&entering) } else { None };
    // What the gradients have in common is computed once, as the gradient of an input that is as
    // large as the whole, if there is one.
    let (part, of_part, unit) = match waist {
        Some((slope, part)) => {
            let full = entering.iter().filter(|&&k| x[k].shape() == whole);
            let unit = full.filter_map(|&k| part.diff(k)?.as_number()).next().unwrap_or(1.0);
            (part, slope_times(x, &(slope * unit), g).compute(), unit)
        }
        None => (expr.clone(), g.clone(), 1.0),
    };
    let of_input = |k: usize| {
        let (expr, g, unit) = if is_added(k) { (expr, g, 1.0) } else { (&part, &of_part, unit) };
        let slope = expr.diff(k)? * (1.0 / unit);
        let inputs: Vec<&Shape> = x.iter().chain([g]).map(Tensor::shape).collect();
        let product = slope.clone() * Expr::input(x.len());
        let used: Vec<&Shape> =
            Program::new(&product).inputs().iter().map(|&i| inputs[i]).collect();
        // Where neither slope nor g differs along an axis that spread the input, the sum over it
        // is a multiple.
        let times = if used.is_empty() { 1 } else { spread(x[k].shape(), &used, whole) };
        if let Some(sum) = multiple_summed(x, k, &slope, g, whole) {
            return Some(sum.into());
        }
        Some(slope_times(x, &(slope * times as f64), g))
    };
    needs.iter().enumerate().map(|(k, &n)| if n { of_input(k) } else { None }).collect()
}

/// `slope`, an expression over x, times g.
fn slope_times(x: &[Tensor], slope: &Expr, g: &Tensor) -> Deferred {
    let inputs: Vec<&Tensor> = x.iter().chain([g]).collect();
    Deferred::new(&inputs, &(slope.clone() * Expr::input(x.len())))
}

/// The gradient of input k where its slope is a multiple of another input z and k was spread: the
/// sum of z g over those axes, without a tensor of products. `None` where the shapes do not fit.
fn multiple_summed(x: &[Tensor], k: usize, slope: &Expr, g: &Tensor, y: &Shape) -> Option<Tensor> {
    let (factor, j) = slope.as_multiple()?;
    let aligned = |x: &Tensor| [&vec![1; y.len() - x.shape().len()], &x.shape()[..]].concat();
    let (own, of_z, of_g) = (aligned(&x[k]), aligned(&x[j]), aligned(g));
    let spread = (0..y.len()).filter(|&axis| own[axis] == 1 && y[axis] != 1);
    // Where z is the same all along an axis, g is summed first.
    let (varied, level): (Vec<usize>, Vec<usize>) = spread.partition(|&axis| of_z[axis] != 1);
    let fits = |axis: usize| of_z[axis] == of_g[axis] || level.contains(&axis);
    if varied.is_empty() || !(0..y.len()).all(fits) {
        return None;
    }
    let alike = level.iter().filter(|&&axis| of_g[axis] == 1).map(|&axis| y[axis]);
    let times: usize = alike.product();
    let g = g.reshape(of_g).sum(&level, true);
    Some(x[j].reshape(of_z).scaled_dot(&g, factor * times as f64, &varied, true))
}

impl Pointwise {
    fn layout(&self, x: &[Slice]) -> Layout {
        let shapes: Vec<&Shape> = x.iter().map(|x| x.shape).collect();
        Layout::new(&self.shape(&shapes), &shapes)
    }

    fn elements<T: Float>(&self, x: &[Slice], y: &mut [T], rows: Range<usize>) {
        let layout = self.layout(x);
        let x: Vec<&[T]> = x.iter().map(T::of).collect();
        let mut values = Vec::new();
        for (y, index) in y.iter_mut().zip(rows) {
            let input = |k: usize| x[k][layout.offset(k, index)].f64();
            *y = T::from_f64(eval::element(&self.program, input, &mut values));
        }
    }
}
