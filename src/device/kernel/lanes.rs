//! What the invocations of one workgroup hold, as far as their numbers and constants determine it:
//! integers and truth values per invocation. Numbers of other kinds, and whatever comes from
//! memory, are unknown.

use std::rc::Rc;

use naga::{
    BinaryOperator, GlobalVariable, Handle, LocalVariable, MathFunction, ScalarKind, UnaryOperator,
};

/// Which invocations take part.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mask(Vec<bool>);

impl Mask {
    pub(super) fn new(lanes: usize, value: bool) -> Self {
        Self(vec![value; lanes])
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    pub(super) fn has(&self, lane: usize) -> bool {
        self.0[lane]
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len()).filter(|&lane| self.0[lane])
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.lanes().any(|lane| other.has(lane))
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    pub(super) fn not(&self) -> Self {
        Self(self.0.iter().map(|a| !a).collect())
    }

    /// Those that may hold what `test` accepts.
    pub(super) fn filter(&self, value: &Value, test: impl Fn(u32) -> bool) -> Self {
        let may = |lane| value.bits(lane).is_none_or(&test);
        Self((0..self.0.len()).map(|lane| self.has(lane) && may(lane)).collect())
    }
}

/// Where a pointer leads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// Into a variable of the function, by these members.
    Local(Handle<LocalVariable>, Vec<Option<u32>>),
    /// Into workgroup memory, this many elements from its start.
    Shared(Handle<GlobalVariable>, Box<Value>),
}

/// A value of each invocation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Anything.
    Unknown,
    /// The bits of a scalar; unknown for some.
    Lanes(Rc<[Option<u32>]>),
    /// A vector, or a struct's members.
    Parts(Vec<Self>),
    /// A pointer.
    Place(Place),
}

impl Value {
    pub(super) fn same(lanes: usize, bits: u32) -> Self {
        Self::Lanes(vec![Some(bits); lanes].into())
    }

    pub(super) fn bits(&self, lane: usize) -> Option<u32> {
        match self {
            Self::Lanes(bits) => bits[lane],
            _ => None,
        }
    }

    /// The bits that all invocations hold.
    pub(super) fn uniform(&self) -> Option<u32> {
        let Self::Lanes(bits) = self else { return None };
        bits.iter().all(|b| *b == bits[0]).then_some(bits[0])?
    }

    /// Component or member `k`.
    pub(super) fn part(&self, k: usize) -> Self {
        match self {
            Self::Parts(parts) => parts.get(k).cloned().unwrap_or(Self::Unknown),
            _ => Self::Unknown,
        }
    }

    /// The value with the part that `path` names replaced; unknown where that is.
    pub(super) fn with(self, path: &[Option<u32>], part: Self) -> Self {
        let Some((first, rest)) = path.split_first() else { return part };
        let Self::Parts(mut all) = self else { return Self::Unknown };
        let Some(old) = first.and_then(|k| all.get_mut(k as usize)) else { return Self::Unknown };
        *old = std::mem::replace(old, Self::Unknown).with(rest, part);
        Self::Parts(all)
    }

    /// `self` where `mine` has an invocation and `other` where `theirs` has; where both do and
    /// differ, unknown.
    pub(super) fn join(&self, mine: &Mask, other: &Self, theirs: &Mask) -> Self {
        match (self, other) {
            _ if self == other => self.clone(),
            (Self::Parts(a), Self::Parts(b)) if a.len() == b.len() => {
                Self::Parts(a.iter().zip(b).map(|(a, b)| a.join(mine, b, theirs)).collect())
            }
            (Self::Parts(a), Self::Unknown) => {
                Self::Parts(a.iter().map(|a| a.join(mine, other, theirs)).collect())
            }
            (Self::Unknown, Self::Parts(b)) => {
                Self::Parts(b.iter().map(|b| self.join(mine, b, theirs)).collect())
            }
            (Self::Lanes(_) | Self::Unknown, Self::Lanes(_) | Self::Unknown) => {
                let choose = |lane| match (mine.has(lane), theirs.has(lane)) {
                    (true, true) => self.bits(lane).filter(|_| self.bits(lane) == other.bits(lane)),
                    (false, true) => other.bits(lane),
                    _ => self.bits(lane),
                };
                Self::Lanes((0..mine.0.len()).map(choose).collect())
            }
            _ => Self::Unknown,
        }
    }

    /// Component by component; a scalar goes with each.
    pub(super) fn map(&self, f: &impl Fn(u32) -> Option<u32>) -> Self {
        match self {
            Self::Lanes(a) => Self::Lanes(a.iter().map(|a| f((*a)?)).collect()),
            Self::Parts(a) => Self::Parts(a.iter().map(|a| a.map(f)).collect()),
            _ => Self::Unknown,
        }
    }

    /// As [`Value::map`], of two, either of which may be unknown.
    pub(super) fn zip(
        &self,
        other: &Self,
        f: &impl Fn(Option<u32>, Option<u32>) -> Option<u32>,
    ) -> Self {
        match (self, other) {
            (Self::Parts(a), Self::Parts(b)) => {
                Self::Parts(a.iter().zip(b).map(|(a, b)| a.zip(b, f)).collect())
            }
            (Self::Parts(a), b) => Self::Parts(a.iter().map(|a| a.zip(b, f)).collect()),
            (a, Self::Parts(b)) => Self::Parts(b.iter().map(|b| a.zip(b, f)).collect()),
            (Self::Lanes(a), Self::Lanes(b)) => {
                Self::Lanes(a.iter().zip(b.iter()).map(|(a, b)| f(*a, *b)).collect())
            }
            (Self::Lanes(a), _) => Self::Lanes(a.iter().map(|a| f(*a, None)).collect()),
            (_, Self::Lanes(b)) => Self::Lanes(b.iter().map(|b| f(None, *b)).collect()),
            _ => Self::Unknown,
        }
    }
}

pub(super) fn unary(op: UnaryOperator, kind: ScalarKind, a: u32) -> Option<u32> {
    Some(match op {
        UnaryOperator::Negate => a.wrapping_neg(),
        UnaryOperator::LogicalNot => u32::from(a == 0),
        UnaryOperator::BitwiseNot => !a,
    })
    .filter(|_| is_whole(kind))
}

/// Of operands of one kind, as WGSL defines it.
pub(super) fn binary(
    op: BinaryOperator,
    kind: ScalarKind,
    a: Option<u32>,
    b: Option<u32>,
) -> Option<u32> {
    use BinaryOperator as Op;
    if !is_whole(kind) {
        return None;
    }
    let (left, right) = match (op, a, b) {
        (Op::And | Op::LogicalAnd, Some(0), _) | (Op::And | Op::LogicalAnd, _, Some(0)) => {
            return Some(0);
        }
        (Op::LogicalOr, Some(1), _) | (Op::LogicalOr, _, Some(1)) => return Some(1),
        _ => (a?, b?),
    };
    let is_signed = kind == ScalarKind::Sint;
    // Signed order becomes unsigned order when the sign bit is flipped.
    let flip = if is_signed { 1 << 31 } else { 0 };
    let order = (left ^ flip).cmp(&(right ^ flip));
    Some(match op {
        Op::Add => left.wrapping_add(right),
        Op::Subtract => left.wrapping_sub(right),
        Op::Multiply => left.wrapping_mul(right),
        Op::Divide if is_signed => (left as i32).checked_div(right as i32)? as u32,
        Op::Divide => left.checked_div(right)?,
        Op::Modulo if is_signed => (left as i32).checked_rem(right as i32)? as u32,
        Op::Modulo => left.checked_rem(right)?,
        Op::Equal => order.is_eq().into(),
        Op::NotEqual => order.is_ne().into(),
        Op::Less => order.is_lt().into(),
        Op::LessEqual => order.is_le().into(),
        Op::Greater => order.is_gt().into(),
        Op::GreaterEqual => order.is_ge().into(),
        Op::And | Op::LogicalAnd => left & right,
        Op::ExclusiveOr => left ^ right,
        Op::InclusiveOr | Op::LogicalOr => left | right,
        Op::ShiftLeft => left.wrapping_shl(right),
        Op::ShiftRight if is_signed => (left as i32).wrapping_shr(right) as u32,
        Op::ShiftRight => left.wrapping_shr(right),
    })
}

/// Of two operands; no other function decides where a kernel writes.
pub(super) fn math(fun: MathFunction, kind: ScalarKind, a: u32, b: u32) -> Option<u32> {
    let is_less = binary(BinaryOperator::Less, kind, Some(a), Some(b))? != 0;
    match fun {
        MathFunction::Min => Some(if is_less { a } else { b }),
        MathFunction::Max => Some(if is_less { b } else { a }),
        _ => None,
    }
}

/// A value of one kind as another; the same bits, or unknown.
pub(super) fn convert(from: ScalarKind, to: ScalarKind, a: u32) -> Option<u32> {
    match (is_whole(from), to) {
        (true, ScalarKind::Bool) => Some(u32::from(a != 0)),
        (true, ScalarKind::Uint | ScalarKind::Sint) => Some(a),
        _ => None,
    }
}

fn is_whole(kind: ScalarKind) -> bool {
    matches!(kind, ScalarKind::Uint | ScalarKind::Sint | ScalarKind::Bool)
}
