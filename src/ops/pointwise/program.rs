//! An expression as a list of steps, shared subexpressions once: what the evaluators walk and what
//! the kernel's text is printed from.

use std::collections::HashMap;

use super::expr::{Binary, Expr, Kind, Unary};

/// One step; operands are numbers of earlier steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Input(usize),
    /// 0, 1, 2 or -1, which kernels carry in their text.
    Literal(i8),
    /// Slot in [`Program::scalars`].
    Scalar(usize),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    Select(usize, usize, usize),
}

/// The steps of an expression; the last one is its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// Values of the run-time scalars.
    pub(super) scalars: Vec<f64>,
}

impl Program {
    pub(super) fn new(expr: &Expr) -> Self {
        let mut builder = Builder::default();
        builder.visit(expr);
        builder.program
    }

    /// Which of the inputs occur, ascending.
    pub(super) fn inputs(&self) -> Vec<usize> {
        let mut inputs: Vec<usize> = self
            .steps
            .iter()
            .filter_map(|s| if let Step::Input(k) = s { Some(*k) } else { None })
            .collect();
        inputs.sort_unstable();
        inputs
    }

    /// For each step the last step that reads it (itself where none does).
    pub(super) fn last_uses(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.steps.len()).collect();
        for (k, step) in self.steps.iter().enumerate() {
            for operand in step.operands().into_iter().flatten() {
                last[operand] = k;
            }
        }
        last
    }
}

impl Step {
    pub(super) fn operands(self) -> [Option<usize>; 3] {
        match self {
            Self::Input(_) | Self::Literal(_) | Self::Scalar(_) => [None; 3],
            Self::Unary(_, a) => [Some(a), None, None],
            Self::Binary(_, a, b) => [Some(a), Some(b), None],
            Self::Select(c, a, b) => [Some(c), Some(a), Some(b)],
        }
    }
}

#[derive(Default)]
struct Builder {
    program: Program,
    by_step: HashMap<Step, usize>,
    by_address: HashMap<*const Kind, usize>,
}

impl Builder {
    fn visit(&mut self, expr: &Expr) -> usize {
        if let Some(&k) = self.by_address.get(&expr.address()) {
            return k;
        }
        let step = match expr.kind() {
            Kind::Input(k) => Step::Input(*k),
            Kind::Number(v) => match *v {
                v if v == 0.0 || v == 1.0 || v == 2.0 || v == -1.0 => Step::Literal(v as i8),
                // A slot per occurrence, not per value: the text must not depend on values.
                v => {
                    self.program.scalars.push(v);
                    Step::Scalar(self.program.scalars.len() - 1)
                }
            },
            Kind::Unary(f, x) => Step::Unary(*f, self.visit(x)),
            Kind::Binary(f, a, b) => Step::Binary(*f, self.visit(a), self.visit(b)),
            Kind::Select(c, a, b) => Step::Select(self.visit(c), self.visit(a), self.visit(b)),
        };
        let k = *self.by_step.entry(step).or_insert_with(|| {
            self.program.steps.push(step);
            self.program.steps.len() - 1
        });
        self.by_address.insert(expr.address(), k);
        k
    }
}
