//! Conditions on `params` alone, which hold for a whole launch or not at all, such as a flag: a
//! kernel is followed once for each of their combinations, so that two tests of one flag agree.

use naga::{AddressSpace, Expression, Function, Handle, Module};

/// Conditions that are told apart; beyond them a test of a flag may disagree with the next.
const MOST: usize = 6;

/// What the conditions, by their text, are taken to be in one run.
#[derive(Debug, Default)]
pub(super) struct Choices(Vec<(String, bool)>);

impl Choices {
    pub(super) fn take(&mut self, condition: String) -> Option<bool> {
        if let Some((_, taken)) = self.0.iter().find(|(known, _)| *known == condition) {
            return Some(*taken);
        }
        (self.0.len() < MOST).then(|| {
            self.0.push((condition, true));
            true
        })
    }

    /// Goes on to the next combination, if there is one.
    pub(super) fn advance(&mut self) -> bool {
        while self.0.pop_if(|(_, taken)| !*taken).is_some() {}
        self.0.last_mut().map(|(_, taken)| *taken = false).is_some()
    }
}

/// The text of an expression of `params` and constants, the same wherever it stands; `None` for any
/// other.
pub(super) fn print(
    module: &Module,
    function: &Function,
    handle: Handle<Expression>,
) -> Option<String> {
    let part = |handle: &Handle<Expression>| print(module, function, *handle);
    let expression = &function.expressions[handle];
    Some(match expression {
        Expression::Literal(_) | Expression::Constant(_) => format!("{expression:?}"),
        Expression::GlobalVariable(global) => {
            let is_uniform = module.global_variables[*global].space == AddressSpace::Uniform;
            is_uniform.then(|| format!("{global:?}"))?
        }
        Expression::AccessIndex { base, index } => format!("{}.{index}", part(base)?),
        Expression::Load { pointer } => part(pointer)?,
        Expression::Unary { op, expr } => format!("{op:?}({})", part(expr)?),
        Expression::As { expr, kind, convert } => format!("{kind:?}{convert:?}({})", part(expr)?),
        Expression::Binary { op, left, right } => {
            format!("{op:?}({},{})", part(left)?, part(right)?)
        }
        _ => return None,
    })
}
