//! Evaluation on the CPU: element by element in f64 for the twin, step by step over blocks in f32
//! for the native form.

use rayon::prelude::*;

use super::expr::{Binary, Unary};
use super::layout::Layout;
use super::program::{Program, Step};
use crate::ops::reduce::sum_of_run;

/// Elements that one step handles before the next step runs; a few registers of this size stay in
/// the first cache level.
const BLOCK: usize = 1024;

/// The functions of the table, for f32 and f64 alike.
macro_rules! functions {
    ($unary:ident, $binary:ident, $t:ty) => {
        #[inline(always)]
        pub(super) fn $unary(f: Unary, x: $t) -> $t {
            match f {
                Unary::Neg => -x,
                Unary::Abs => x.abs(),
                Unary::Sign if x == 0.0 => 0.0,
                Unary::Sign => x.signum(),
                Unary::Exp => x.exp(),
                Unary::Log => x.ln(),
                Unary::Sqrt => x.sqrt(),
                Unary::Rsqrt => x.sqrt().recip(),
                Unary::Recip => x.recip(),
                Unary::Sigmoid => ((-x).exp() + 1.0).recip(),
                Unary::Tanh => x.tanh(),
                Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
                Unary::Sin => x.sin(),
                Unary::Cos => x.cos(),
                Unary::Acos => x.clamp(-1.0, 1.0).acos(),
                Unary::Floor => x.floor(),
                Unary::Round => x.round_ties_even(),
            }
        }

        #[inline(always)]
        pub(super) fn $binary(f: Binary, a: $t, b: $t) -> $t {
            match f {
                Binary::Add => a + b,
                Binary::Sub => a - b,
                Binary::Mul => a * b,
                Binary::Div => a / b,
                // Written so that a NaN on either side survives.
                Binary::Max => {
                    if a > b || a.is_nan() {
                        a
                    } else {
                        b
                    }
                }
                Binary::Min => {
                    if a < b || a.is_nan() {
                        a
                    } else {
                        b
                    }
                }
                Binary::Greater => {
                    if a > b {
                        1.0
                    } else {
                        0.0
                    }
                }
                Binary::Equal => {
                    if a == b {
                        1.0
                    } else {
                        0.0
                    }
                }
                Binary::Pow => a.powf(b),
            }
        }
    };
}
functions!(unary_f64, binary_f64, f64);
functions!(unary_f32, binary_f32, f32);

/// Value of a program at one element, given its inputs there. `values` is scratch.
pub(super) fn element(
    program: &Program,
    inputs: impl Fn(usize) -> f64,
    values: &mut Vec<f64>,
) -> f64 {
    values.clear();
    for step in &program.steps {
        let value = match *step {
            Step::Input(k) => inputs(k),
            Step::Literal(v) => f64::from(v),
            Step::Scalar(slot) => program.scalars[slot],
            Step::Unary(f, a) => unary_f64(f, values[a]),
            Step::Binary(f, a, b) => binary_f64(f, values[a], values[b]),
            Step::Select(c, a, b) => values[if values[c] != 0.0 { a } else { b }],
        };
        values.push(value);
    }
    *values.last().expect("a program has steps")
}

/// Elements of one task.
const CHUNK: usize = BLOCK * 8;

/// The whole output in f32, by blocks, from all threads.
pub(super) fn blocks(program: &Program, layout: &Layout, x: &[&[f32]], y: &mut [f32]) {
    let plan = Plan::new(program);
    if y.len() <= CHUNK {
        plan.run(program, layout, x, 0, y);
    } else {
        let work = |(k, y): (usize, &mut [f32])| plan.run(program, layout, x, k * CHUNK, y);
        y.par_chunks_mut(CHUNK).enumerate().for_each(work);
    }
}

/// Sums of `total` neighbours each, in f32 by blocks.
pub(super) fn sums(program: &Program, layout: &Layout, x: &[&[f32]], total: usize, y: &mut [f32]) {
    let plan = Plan::new(program);
    let values = |start: usize, n: usize| {
        let mut values = vec![0.0; n];
        plan.run(program, layout, x, start, &mut values);
        values
    };
    if total > CHUNK {
        for (k, y) in y.iter_mut().enumerate() {
            let (first, end) = (k * total, (k + 1) * total);
            let piece = |j: usize| {
                let start = first + j * CHUNK;
                sum_of_run(&values(start, CHUNK.min(end - start)))
            };
            let pieces: Vec<f64> = (0..total.div_ceil(CHUNK)).into_par_iter().map(piece).collect();
            *y = pieces.iter().sum::<f64>() as f32;
        }
        return;
    }
    let outputs = CHUNK / total;
    y.par_chunks_mut(outputs).enumerate().for_each(|(k, y)| {
        let values = values(k * outputs * total, y.len() * total);
        let sums = values.chunks_exact(total).map(sum_of_run);
        y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum as f32);
    });
}

/// Which register each step writes: registers are reused after the last reader.
struct Plan {
    register: Vec<usize>,
    registers: usize,
}

impl Plan {
    fn new(program: &Program) -> Self {
        let last = program.last_uses();
        let mut free = Vec::new();
        let mut plan = Self { register: Vec::new(), registers: 0 };
        for (k, step) in program.steps.iter().enumerate() {
            // Taken before the operands are freed: a step never writes what it reads.
            let r = free.pop().unwrap_or_else(|| {
                plan.registers += 1;
                plan.registers - 1
            });
            plan.register.push(r);
            let mut dead: Vec<usize> =
                step.operands().into_iter().flatten().filter(|&a| last[a] == k).collect();
            dead.sort_unstable();
            dead.dedup();
            free.extend(dead.into_iter().map(|a| plan.register[a]));
        }
        plan
    }

    /// The elements from `start` on.
    fn run(&self, program: &Program, layout: &Layout, x: &[&[f32]], start: usize, y: &mut [f32]) {
        let mut registers = vec![vec![0.0; BLOCK]; self.registers];
        for (k, y) in y.chunks_mut(BLOCK).enumerate() {
            self.block(program, layout, x, start + k * BLOCK, &mut registers, y);
        }
    }

    fn block(
        &self,
        program: &Program,
        layout: &Layout,
        x: &[&[f32]],
        start: usize,
        registers: &mut [Vec<f32>],
        y: &mut [f32],
    ) {
        let n = y.len();
        for (k, step) in program.steps.iter().enumerate() {
            // Taken out, so that the operands can be read while it is written.
            let mut out = std::mem::take(&mut registers[self.register[k]]);
            let at = |a: usize| &registers[self.register[a]][..n];
            match *step {
                Step::Input(k) => layout.read(k, x[k], start, &mut out[..n]),
                Step::Literal(v) => out.fill(f32::from(v)),
                Step::Scalar(slot) => out.fill(program.scalars[slot] as f32),
                Step::Unary(f, a) => unary_block(f, at(a), &mut out[..n]),
                Step::Binary(f, a, b) => binary_block(f, at(a), at(b), &mut out[..n]),
                Step::Select(c, a, b) => {
                    for (((y, &c), &a), &b) in out.iter_mut().zip(at(c)).zip(at(a)).zip(at(b)) {
                        *y = if c != 0.0 { a } else { b };
                    }
                }
            }
            registers[self.register[k]] = out;
        }
        y.copy_from_slice(&registers[self.register[program.steps.len() - 1]][..n]);
    }
}

/// One loop per function, so that each is vectorised.
fn unary_block(f: Unary, x: &[f32], y: &mut [f32]) {
    macro_rules! rows {
        ($($name:ident)*) => {
            match f {
                $(Unary::$name => {
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = unary_f32(Unary::$name, x);
                    }
                })*
            }
        };
    }
    rows!(Neg Abs Sign Exp Log Sqrt Rsqrt Recip Sigmoid Tanh Softplus Sin Cos Acos Floor Round);
}

fn binary_block(f: Binary, a: &[f32], b: &[f32], y: &mut [f32]) {
    macro_rules! rows {
        ($($name:ident)*) => {
            match f {
                $(Binary::$name => {
                    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                        *y = binary_f32(Binary::$name, a, b);
                    }
                })*
            }
        };
    }
    rows!(Add Sub Mul Div Max Min Greater Equal Pow);
}
