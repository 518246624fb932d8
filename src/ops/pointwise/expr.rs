//! Scalar expressions: what a pointwise kernel computes at each element.
//!
//! An [`Expr`] has three readings: evaluated in f64 (the twin), printed as WGSL (the kernel) and
//! differentiated symbolically (the rule). [`Unary`] and [`Binary`] are the table of functions;
//! each row carries all three. Functions that overflow as compositions (softplus, sigmoid, tanh)
//! are rows of their own, with stable derivatives.

use std::collections::HashMap;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use super::program::Program;

/// An expression over the inputs of one pointwise operation. Cheap to clone; sharing a clone shares
/// the computation.
#[derive(Clone, Debug)]
pub struct Expr(Arc<Kind>);

#[derive(Debug)]
pub(super) enum Kind {
    Input(usize),
    Number(f64),
    Unary(Unary, Expr),
    Binary(Binary, Expr, Expr),
    /// Second where the first is not zero, else third.
    Select(Expr, Expr, Expr),
}

/// Functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// -x
    Neg,
    /// |x|
    Abs,
    /// -1, 0 or 1
    Sign,
    /// e^x
    Exp,
    /// natural logarithm
    Log,
    /// square root
    Sqrt,
    /// 1 / square root
    Rsqrt,
    /// 1 / x
    Recip,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// hyperbolic tangent
    Tanh,
    /// log(1 + e^x)
    Softplus,
    /// sine
    Sin,
    /// cosine
    Cos,
    /// arc cosine, of 1 above 1 and of -1 below -1
    Acos,
    /// largest integer not above
    Floor,
    /// nearest integer, halves to even
    Round,
}

/// Functions of two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a * b
    Mul,
    /// a / b
    Div,
    /// larger of the two
    Max,
    /// smaller of the two
    Min,
    /// 1 where a > b, else 0
    Greater,
    /// 1 where a = b, else 0
    Equal,
    /// a to the power b, for positive a and constant b
    Pow,
}

impl Expr {
    fn new(kind: Kind) -> Self {
        Self(Arc::new(kind))
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }

    pub(super) fn address(&self) -> *const Kind {
        Arc::as_ptr(&self.0)
    }

    /// The k-th input.
    pub fn input(k: usize) -> Self {
        Self::new(Kind::Input(k))
    }

    /// The first `N` inputs.
    pub fn inputs<const N: usize>() -> [Self; N] {
        std::array::from_fn(Self::input)
    }

    /// A number. Everything but 0, 1, 2 and -1 reaches a kernel as a run-time scalar.
    pub fn number(value: f64) -> Self {
        Self::new(Kind::Number(value))
    }

    pub(super) fn is(&self, value: f64) -> bool {
        matches!(*self.0, Kind::Number(v) if v == value)
    }

    fn unary(&self, f: Unary) -> Self {
        Self::new(Kind::Unary(f, self.clone()))
    }

    fn binary(&self, f: Binary, other: impl Into<Self>) -> Self {
        Self::new(Kind::Binary(f, self.clone(), other.into()))
    }

    /// |x|
    pub fn abs(&self) -> Self {
        self.unary(Unary::Abs)
    }
    /// -1, 0 or 1
    pub fn sign(&self) -> Self {
        self.unary(Unary::Sign)
    }
    /// e^x
    pub fn exp(&self) -> Self {
        self.unary(Unary::Exp)
    }
    /// Natural logarithm.
    pub fn log(&self) -> Self {
        self.unary(Unary::Log)
    }
    /// Square root.
    pub fn sqrt(&self) -> Self {
        self.unary(Unary::Sqrt)
    }
    /// 1 / √x
    pub fn rsqrt(&self) -> Self {
        self.unary(Unary::Rsqrt)
    }
    /// 1 / x
    pub fn recip(&self) -> Self {
        self.unary(Unary::Recip)
    }
    /// x²
    pub fn square(&self) -> Self {
        self.clone() * self.clone()
    }
    /// 1 / (1 + e^-x)
    pub fn sigmoid(&self) -> Self {
        self.unary(Unary::Sigmoid)
    }
    /// Hyperbolic tangent.
    pub fn tanh(&self) -> Self {
        self.unary(Unary::Tanh)
    }
    /// log(1 + e^x), without overflow.
    pub fn softplus(&self) -> Self {
        self.unary(Unary::Softplus)
    }
    /// Sine.
    pub fn sin(&self) -> Self {
        self.unary(Unary::Sin)
    }
    /// Cosine.
    pub fn cos(&self) -> Self {
        self.unary(Unary::Cos)
    }
    /// Arc cosine, of x cut to [-1, 1]; its derivative at most 1e6 in size.
    pub fn acos(&self) -> Self {
        self.unary(Unary::Acos)
    }
    /// Largest integer not above x.
    pub fn floor(&self) -> Self {
        self.unary(Unary::Floor)
    }
    /// Nearest integer, halves to even.
    pub fn round(&self) -> Self {
        self.unary(Unary::Round)
    }
    /// Larger of two.
    pub fn max(&self, other: impl Into<Self>) -> Self {
        self.binary(Binary::Max, other)
    }
    /// Smaller of two.
    pub fn min(&self, other: impl Into<Self>) -> Self {
        self.binary(Binary::Min, other)
    }
    /// 1 where x > other, else 0.
    pub fn greater(&self, other: impl Into<Self>) -> Self {
        self.binary(Binary::Greater, other)
    }
    /// 1 where x = other, else 0.
    pub fn equal(&self, other: impl Into<Self>) -> Self {
        self.binary(Binary::Equal, other)
    }
    /// `a` where x is not zero, else `b`.
    pub fn select(&self, a: impl Into<Self>, b: impl Into<Self>) -> Self {
        Self::new(Kind::Select(self.clone(), a.into(), b.into()))
    }
    /// x where positive, slope · x elsewhere.
    pub fn leaky_relu(&self, slope: f64) -> Self {
        self.greater(0.0).select(self.clone(), slope * self.clone())
    }

    /// x to a constant power. Whole exponents are products, so that x may be negative.
    pub fn powf(&self, exponent: f64) -> Self {
        if exponent < 0.0 {
            return self.powf(-exponent).recip();
        }
        if exponent.fract() != 0.0 || exponent > 64.0 {
            return self.binary(Binary::Pow, exponent);
        }
        let mut product = Self::number(1.0);
        for bit in (0..7).rev() {
            product = product.square();
            if exponent as u32 >> bit & 1 == 1 {
                product = product * self.clone();
            }
        }
        product
    }

    /// The same expression with every input k replaced by input `to[k]`.
    pub(super) fn renumbered(&self, to: &HashMap<usize, usize>) -> Self {
        let known = &mut HashMap::new();
        self.rewritten(known, &|x| match x.kind() {
            Kind::Input(k) => Some(Self::input(to[k])),
            _ => None,
        })
    }

    /// The same expression with one part of it replaced.
    pub(super) fn replaced(&self, part: &Self, by: &Self) -> Self {
        let known = &mut HashMap::from([(part.address(), by.clone())]);
        self.rewritten(known, &|_| None)
    }

    /// The expression with new leaves; what is shared stays shared.
    fn rewritten(
        &self,
        known: &mut HashMap<*const Kind, Self>,
        leaf: &impl Fn(&Self) -> Option<Self>,
    ) -> Self {
        if let Some(found) = known.get(&self.address()) {
            return found.clone();
        }
        let mut of = |x: &Self| x.rewritten(known, leaf);
        let found = match self.kind() {
            Kind::Input(_) | Kind::Number(_) => leaf(self).unwrap_or_else(|| self.clone()),
            Kind::Unary(f, x) => of(x).unary(*f),
            Kind::Binary(f, a, b) => Self::new(Kind::Binary(*f, of(a), of(b))),
            Kind::Select(c, a, b) => Self::new(Kind::Select(of(c), of(a), of(b))),
        };
        known.insert(self.address(), found.clone());
        found
    }

    /// (a, k) where this is a times input k.
    pub(super) fn as_multiple(&self) -> Option<(f64, usize)> {
        let times = |number: f64, x: &Self| x.as_multiple().map(|(a, k)| (number * a, k));
        match self.kind() {
            Kind::Input(k) => Some((1.0, *k)),
            Kind::Unary(Unary::Neg, x) => times(-1.0, x),
            Kind::Binary(Binary::Mul, a, b) => match (a.kind(), b.kind()) {
                (Kind::Number(number), _) => times(*number, b),
                (_, Kind::Number(number)) => times(*number, a),
                _ => None,
            },
            _ => None,
        }
    }

    /// The operands, none for inputs and numbers.
    pub(super) fn operands(&self) -> Vec<&Self> {
        match self.kind() {
            Kind::Input(_) | Kind::Number(_) => vec![],
            Kind::Unary(_, x) => vec![x],
            Kind::Binary(_, a, b) => vec![a, b],
            Kind::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// Going down to the operand that reads the most inputs, the first part that reads `most` of
    /// them at most.
    pub(super) fn heaviest_part(&self, most: usize) -> Self {
        let reads = |x: &Self| Program::new(x).inputs().len();
        let mut part = self;
        while reads(part) > most {
            let operands = part.operands();
            part = operands.into_iter().max_by_key(|x| reads(x)).expect("inputs to read");
        }
        part.clone()
    }
}

impl From<f64> for Expr {
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

impl From<&Self> for Expr {
    fn from(expr: &Self) -> Self {
        expr.clone()
    }
}

impl Neg for Expr {
    type Output = Self;
    fn neg(self) -> Self {
        match self.kind() {
            Kind::Number(v) => Self::number(-v),
            Kind::Unary(Unary::Neg, x) => x.clone(),
            _ => self.unary(Unary::Neg),
        }
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, |$a:ident, $b:ident| $body:expr) => {
        impl<T: Into<Expr>> $trait<T> for Expr {
            type Output = Self;
            fn $method(self, other: T) -> Self {
                let ($a, $b): (Self, Self) = (self, other.into());
                $body
            }
        }
        impl $trait<Expr> for f64 {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                Expr::number(self).$method(other)
            }
        }
    };
}

operator!(Add, add, |a, b| {
    if a.is(0.0) {
        b
    } else if b.is(0.0) {
        a
    } else if a.is(1.0) && b.is(1.0) {
        Expr::number(2.0)
    } else if let Kind::Unary(Unary::Neg, b) = b.kind() {
        // Slopes are often negated: either form would be a kernel of its own.
        a.binary(Binary::Sub, b)
    } else {
        a.binary(Binary::Add, b)
    }
});
operator!(Sub, sub, |a, b| {
    if b.is(0.0) {
        a
    } else if a.is(0.0) {
        -b
    } else {
        a.binary(Binary::Sub, b)
    }
});
operator!(Mul, mul, |a, b| {
    if a.is(0.0) || b.is(1.0) {
        a
    } else if b.is(0.0) || a.is(1.0) {
        b
    } else if a.is(-1.0) {
        -b
    } else if b.is(-1.0) {
        -a
    } else if matches!(b.kind(), Kind::Number(_)) {
        // Numbers first: either order would be a kernel of its own.
        b.binary(Binary::Mul, a)
    } else {
        a.binary(Binary::Mul, b)
    }
});
operator!(Div, div, |a, b| {
    if b.is(1.0) {
        a
    } else if a.is(1.0) {
        b.recip()
    } else {
        a.binary(Binary::Div, b)
    }
});
