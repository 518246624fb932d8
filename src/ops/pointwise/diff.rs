//! Symbolic derivatives: the rule of every pointwise operation.

use std::collections::HashMap;

use super::expr::{Binary, Expr, Kind, Unary};

impl Unary {
    /// dy/dx from x and y; `None` where it is zero everywhere.
    fn diff(self, x: &Expr, y: &Expr) -> Option<Expr> {
        Some(match self {
            Self::Neg => Expr::number(-1.0),
            Self::Abs => x.sign(),
            Self::Exp => y.clone(),
            Self::Log => x.recip(),
            Self::Sqrt => 0.5 / y.clone(),
            Self::Rsqrt => -0.5 * y.clone() * y.clone() * y.clone(),
            Self::Recip => -(y.clone() * y.clone()),
            Self::Sigmoid => y.clone() * (1.0 - y.clone()),
            Self::Tanh => 1.0 - y.clone() * y.clone(),
            Self::Softplus => x.sigmoid(),
            Self::Sin => x.cos(),
            Self::Cos => -x.sin(),
            Self::Acos => -(1.0 - x.square()).max(1e-12).rsqrt(),
            Self::Sign | Self::Floor | Self::Round => return None,
        })
    }
}

impl Expr {
    /// Symbolic derivative with respect to an input; `None` where it is zero everywhere.
    pub fn diff(&self, input: usize) -> Option<Self> {
        self.diff_shared(input, &mut HashMap::new())
    }

    /// Whether inputs and numbers are multiplied and nothing else.
    pub(super) fn is_product(&self) -> bool {
        match self.kind() {
            Kind::Input(_) | Kind::Number(_) => true,
            Kind::Unary(Unary::Neg, x) => x.is_product(),
            Kind::Binary(Binary::Mul, a, b) => a.is_product() && b.is_product(),
            _ => false,
        }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        if let Kind::Number(value) = self.kind() { Some(*value) } else { None }
    }

    /// Two factors whose product the derivatives with respect to several inputs have in common, at
    /// one input alone: the value's slope along its smallest part that all of them enter by, and
    /// that part. `None` where that is the whole, or no input simply adds to it.
    pub(super) fn waist(&self, inputs: &[usize]) -> Option<(Self, Self)> {
        let mut parts = Vec::new();
        self.collect_parts(None, &mut parts);
        let enters_by = |part: &&Self| {
            let mut others = Vec::new();
            self.collect_parts(Some(part.address()), &mut others);
            !others.iter().any(|x| matches!(x.kind(), Kind::Input(k) if inputs.contains(k)))
        };
        let part = parts.iter().find(enters_by)?;
        let adds = |&k: &usize| part.diff(k).is_some_and(|slope| slope.is(1.0));
        if part.address() == self.address() || !inputs.iter().any(adds) {
            return None;
        }
        let place = Self::input(usize::MAX);
        let slope = self.replaced(part, &place).diff(usize::MAX)?;
        Some((slope.replaced(&place, part), part.clone()))
    }

    /// Appends every part once, operands before what is made of them, without what only a part at
    /// `stop` is made of.
    fn collect_parts(&self, stop: Option<*const Kind>, parts: &mut Vec<Self>) {
        let is_known = parts.iter().any(|x| x.address() == self.address());
        if stop == Some(self.address()) || is_known {
            return;
        }
        self.operands().into_iter().for_each(|x| x.collect_parts(stop, parts));
        parts.push(self.clone());
    }

    fn diff_shared(
        &self,
        input: usize,
        known: &mut HashMap<*const Kind, Option<Self>>,
    ) -> Option<Self> {
        if let Some(found) = known.get(&self.address()) {
            return found.clone();
        }
        let mut of = |x: &Self| x.diff_shared(input, known);
        let found = match self.kind() {
            Kind::Input(k) => (*k == input).then(|| Self::number(1.0)),
            Kind::Number(_) => None,
            Kind::Unary(f, x) => of(x).and_then(|dx| Some(f.diff(x, self)? * dx)),
            Kind::Binary(f, a, b) => self.diff_binary(*f, a, b, of(a), of(b)),
            Kind::Select(c, a, b) => match (of(a), of(b)) {
                (None, None) => None,
                (da, db) => {
                    let or_zero = |d: Option<Self>| d.unwrap_or_else(|| Self::number(0.0));
                    Some(c.select(or_zero(da), or_zero(db)))
                }
            },
        };
        known.insert(self.address(), found.clone());
        found
    }

    fn diff_binary(
        &self,
        f: Binary,
        a: &Self,
        b: &Self,
        da: Option<Self>,
        db: Option<Self>,
    ) -> Option<Self> {
        if da.is_none() && db.is_none() {
            return None;
        }
        let (fa, fb) = match f {
            Binary::Add => (Self::number(1.0), Self::number(1.0)),
            Binary::Sub => (Self::number(1.0), Self::number(-1.0)),
            Binary::Mul => (b.clone(), a.clone()),
            Binary::Div => (b.recip(), -(self.clone() / b.clone())),
            Binary::Max => (a.greater(b.clone()), 1.0 - a.greater(b.clone())),
            Binary::Min => (b.greater(a.clone()), 1.0 - b.greater(a.clone())),
            Binary::Greater | Binary::Equal => return None,
            Binary::Pow => {
                let Kind::Number(exponent) = *b.kind() else {
                    panic!("pow: the exponent has to be a number");
                };
                (exponent * a.powf(exponent - 1.0), Self::number(0.0))
            }
        };
        match (da.map(|d| fa * d), db.map(|d| fb * d)) {
            (Some(x), Some(y)) => Some(x + y),
            (x, y) => x.or(y),
        }
    }
}
