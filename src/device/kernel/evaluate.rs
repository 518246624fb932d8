//! Expressions of a kernel, for all invocations of a workgroup, and their accesses to memory.

use std::collections::HashMap;
use std::rc::Rc;

use naga::{
    Binding, BuiltIn, EntryPoint, Expression, Handle, Literal, LocalVariable, MathFunction, Module,
    Scalar, ScalarKind, Span, Type, TypeInner,
};

use super::Broken;
use super::choices::print;
use super::lanes::{Mask, Place, Value, binary, convert, math, unary};
use super::race::{Group, Walk};
use super::state::State;
use super::translate::length;

/// Elements of workgroup memory that a type takes. A vector is one: a write to a component may write
/// all of it.
pub(super) fn leaves(module: &Module, ty: Handle<Type>) -> usize {
    match &module.types[ty].inner {
        TypeInner::Array { base, size, .. } => length(module, *size) * leaves(module, *base),
        TypeInner::Struct { members, .. } => members.iter().map(|m| leaves(module, m.ty)).sum(),
        _ => 1,
    }
}

impl Group<'_> {
    /// The arguments of `main`.
    pub(super) fn built_ins(&self, main: &EntryPoint) -> Vec<Value> {
        let [width, height, _] = main.workgroup_size.map(|n| n as usize);
        let lanes = |f: &dyn Fn(usize) -> usize| {
            Value::Lanes((0..self.lanes).map(|lane| Some(f(lane) as u32)).collect())
        };
        let value = |argument: &naga::FunctionArgument| match argument.binding {
            Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex)) => lanes(&|lane| lane),
            Some(Binding::BuiltIn(BuiltIn::LocalInvocationId)) => Value::Parts(vec![
                lanes(&|lane| lane % width),
                lanes(&|lane| lane / width % height),
                lanes(&|lane| lane / (width * height)),
            ]),
            _ => Value::Unknown,
        };
        main.function.arguments.iter().map(value).collect()
    }

    fn literal(&self, literal: Literal) -> Value {
        match literal {
            Literal::U32(bits) => Value::same(self.lanes, bits),
            Literal::I32(bits) => Value::same(self.lanes, bits as u32),
            Literal::Bool(bit) => Value::same(self.lanes, bit.into()),
            _ => Value::Unknown,
        }
    }

    fn zero(&self, ty: Handle<Type>) -> Value {
        match &self.module.types[ty].inner {
            TypeInner::Scalar(_) => Value::same(self.lanes, 0),
            TypeInner::Vector { size, .. } => {
                Value::Parts(vec![Value::same(self.lanes, 0); *size as usize])
            }
            TypeInner::Array { base, size, .. } => {
                Value::Parts(vec![self.zero(*base); length(self.module, *size)])
            }
            TypeInner::Struct { members, .. } => {
                Value::Parts(members.iter().map(|m| self.zero(m.ty)).collect())
            }
            _ => Value::Unknown,
        }
    }

    /// An expression outside of functions.
    fn global(&self, handle: Handle<Expression>) -> Value {
        match &self.module.global_expressions[handle] {
            Expression::Literal(literal) => self.literal(*literal),
            Expression::ZeroValue(ty) => self.zero(*ty),
            Expression::Constant(constant) => self.global(self.module.constants[*constant].init),
            Expression::Compose { ty, components } => {
                self.compose(*ty, components.iter().map(|&c| self.global(c)).collect())
            }
            _ => Value::Unknown,
        }
    }

    fn compose(&self, ty: Handle<Type>, components: Vec<Value>) -> Value {
        let TypeInner::Vector { size, .. } = self.module.types[ty].inner else {
            return Value::Parts(components);
        };
        let parts = components.into_iter().flat_map(|component| match component {
            Value::Parts(parts) => parts,
            scalar => vec![scalar],
        });
        let parts: Vec<Value> = parts.collect();
        // Fewer where a vector among them is unknown.
        if parts.len() == size as usize { Value::Parts(parts) } else { Value::Unknown }
    }
}

impl Walk<'_> {
    /// The function's variables at its start.
    pub(super) fn locals(&self) -> HashMap<Handle<LocalVariable>, Value> {
        let start = |local: &LocalVariable| match local.init {
            Some(init) => self.value(init),
            None => self.group.zero(local.ty),
        };
        self.function.local_variables.iter().map(|(handle, local)| (handle, start(local))).collect()
    }

    /// What was evaluated, or needs no evaluation.
    pub(super) fn value(&self, handle: Handle<Expression>) -> Value {
        match &self.function.expressions[handle] {
            Expression::Literal(literal) => self.group.literal(*literal),
            Expression::ZeroValue(ty) => self.group.zero(*ty),
            Expression::Constant(constant) => {
                self.group.global(self.group.module.constants[*constant].init)
            }
            Expression::FunctionArgument(k) => self.arguments[*k as usize].clone(),
            Expression::LocalVariable(local) => Value::Place(Place::Local(*local, Vec::new())),
            Expression::GlobalVariable(global)
                if self.group.module.global_variables[*global].space
                    == naga::AddressSpace::WorkGroup =>
            {
                let start = Value::same(self.group.lanes, 0);
                Value::Place(Place::Shared(*global, Box::new(start)))
            }
            _ => self.values.get(&handle).cloned().unwrap_or(Value::Unknown),
        }
    }

    /// The value of an expression, with its accesses noted.
    pub(super) fn evaluate(
        &self,
        handle: Handle<Expression>,
        state: &mut State,
        mask: &Mask,
    ) -> Result<Value, Broken> {
        let value = self.compute(handle, state, mask)?;
        let is_condition = *self.inner(handle) == TypeInner::Scalar(Scalar::BOOL);
        if !is_condition || value.uniform().is_some() {
            return Ok(value);
        }
        let condition = print(self.group.module, self.function, handle);
        let taken = condition.and_then(|text| self.group.choices.borrow_mut().take(text));
        Ok(taken.map_or(value, |bit| Value::same(self.group.lanes, bit.into())))
    }

    fn compute(
        &self,
        handle: Handle<Expression>,
        state: &mut State,
        mask: &Mask,
    ) -> Result<Value, Broken> {
        let value = |handle: &Handle<Expression>| self.value(*handle);
        Ok(match &self.function.expressions[handle] {
            Expression::Compose { ty, components } => {
                self.group.compose(*ty, components.iter().map(value).collect())
            }
            Expression::Access { base, index } => self.member(*base, &value(index)),
            Expression::AccessIndex { base, index } => {
                self.member(*base, &Value::same(self.group.lanes, *index))
            }
            Expression::Splat { size, value: one } => {
                Value::Parts(vec![value(one); *size as usize])
            }
            Expression::Swizzle { size, vector, pattern } => {
                let vector = value(vector);
                let parts = pattern[..*size as usize].iter().map(|&k| vector.part(k as usize));
                Value::Parts(parts.collect())
            }
            Expression::Load { pointer } => {
                let span = self.function.expressions.get_span(handle);
                self.read(*pointer, span, state, mask)?
            }
            Expression::Unary { op, expr } => {
                let kind = self.kind(*expr);
                value(expr).map(&|a| unary(*op, kind, a))
            }
            Expression::Binary { op, left, right } => {
                let kind = self.kind(*left);
                value(left).zip(&value(right), &|a, b| binary(*op, kind, a, b))
            }
            Expression::Select { condition, accept, reject } => {
                select(&value(condition), &value(accept), &value(reject), self.group.lanes)
            }
            Expression::Math { fun, arg, arg1: Some(other), arg2, .. } => {
                let kind = self.kind(*arg);
                let of = |fun, a: &Value, b: &Handle<Expression>| {
                    a.zip(&value(b), &|a, b| math(fun, kind, a?, b?))
                };
                match (fun, arg2) {
                    (MathFunction::Clamp, Some(most)) => {
                        of(MathFunction::Min, &of(MathFunction::Max, &value(arg), other), most)
                    }
                    _ => of(*fun, &value(arg), other),
                }
            }
            Expression::As { expr, kind, .. } => {
                let from = self.kind(*expr);
                value(expr).map(&|a| convert(from, *kind, a))
            }
            _ => Value::Unknown,
        })
    }

    fn kind(&self, handle: Handle<Expression>) -> ScalarKind {
        self.inner(handle).scalar_kind().unwrap_or(ScalarKind::Float)
    }

    fn inner(&self, handle: Handle<Expression>) -> &TypeInner {
        self.info[handle].ty.inner_with(&self.group.module.types)
    }

    /// What a pointer leads to; `None` for a component of a vector.
    fn pointee(&self, pointer: Handle<Expression>) -> Option<Handle<Type>> {
        let TypeInner::Pointer { base, .. } = self.inner(pointer) else { return None };
        Some(*base)
    }

    /// A member, component or element, or the pointer to it.
    fn member(&self, base: Handle<Expression>, index: &Value) -> Value {
        match self.value(base) {
            Value::Place(Place::Local(local, mut path)) => {
                path.push(index.uniform());
                Value::Place(Place::Local(local, path))
            }
            Value::Place(Place::Shared(variable, start)) => {
                let place = self.offset(base, index).zip(&start, &|a, b| a?.checked_add(b?));
                Value::Place(Place::Shared(variable, Box::new(place)))
            }
            whole => index.uniform().map_or(Value::Unknown, |k| whole.part(k as usize)),
        }
    }

    /// Elements of workgroup memory before a member of what `base` points to.
    fn offset(&self, base: Handle<Expression>, index: &Value) -> Value {
        let module = self.group.module;
        match self.pointee(base).map(|ty| &module.types[ty].inner) {
            Some(TypeInner::Array { base, .. }) => {
                let each = leaves(module, *base) as u32;
                index.map(&|k| k.checked_mul(each))
            }
            Some(TypeInner::Struct { members, .. }) => index.map(&|k| {
                Some(members[..k as usize].iter().map(|m| leaves(module, m.ty) as u32).sum())
            }),
            _ => Value::same(self.group.lanes, 0),
        }
    }

    pub(super) fn read(
        &self,
        pointer: Handle<Expression>,
        span: Span,
        state: &mut State,
        mask: &Mask,
    ) -> Result<Value, Broken> {
        match self.value(pointer) {
            Value::Place(Place::Local(local, path)) => {
                let step = |value: Value, k: &Option<u32>| match k {
                    Some(k) => value.part(*k as usize),
                    None => Value::Unknown,
                };
                return Ok(path.iter().fold(state.locals[&local].clone(), step));
            }
            Value::Place(place) => self.touch(pointer, &place, false, span, state, mask)?,
            _ => {}
        }
        Ok(Value::Unknown)
    }

    pub(super) fn store(
        &self,
        pointer: Handle<Expression>,
        value: Handle<Expression>,
        span: Span,
        state: &mut State,
        mask: &Mask,
    ) -> Result<(), Broken> {
        match self.value(pointer) {
            Value::Place(Place::Local(local, path)) => {
                let old = state.locals[&local].clone();
                let new = old.clone().with(&path, self.value(value));
                state.locals.insert(local, new.join(mask, &old, &mask.not()));
                Ok(())
            }
            Value::Place(place) => self.touch(pointer, &place, true, span, state, mask),
            _ => Ok(()),
        }
    }

    /// Notes the accesses of these invocations to workgroup memory.
    fn touch(
        &self,
        pointer: Handle<Expression>,
        place: &Place,
        writes: bool,
        span: Span,
        state: &mut State,
        mask: &Mask,
    ) -> Result<(), Broken> {
        let Place::Shared(variable, start) = place else { return Ok(()) };
        let module = self.group.module;
        let name = module.global_variables[*variable].name.as_deref().unwrap_or_default();
        let broken = |rule: String, cause| Err(Broken { span, rule, cause });
        let pointee = self.pointee(pointer);
        let count = pointee.map_or(1, |ty| leaves(module, ty));
        let is_atomic =
            pointee.is_some_and(|ty| matches!(module.types[ty].inner, TypeInner::Atomic(_)));
        let cells = Rc::make_mut(state.memory.get_mut(variable).expect("workgroup memory"));
        let (placed, unplaced): (Vec<_>, Vec<_>) =
            mask.lanes().partition(|&lane| start.bits(lane).is_some());
        if writes && unplaced.len() > 1 && !is_atomic {
            let rule =
                format!("where in `{name}` this writes does not follow from constants and lane");
            return broken(rule, None);
        }
        // Two that may touch everything stand for all that may.
        for lane in placed.into_iter().chain(unplaced.into_iter().take(2)) {
            let touched = match start.bits(lane) {
                Some(at) => at as usize..(at as usize + count).min(cells.len()),
                None => 0..cells.len(),
            };
            let Some(touched) = cells.get_mut(touched) else { continue };
            if !writes && !touched.is_empty() && !touched.iter().any(|cell| cell.is_filled) {
                return broken(format!("`{name}` is read before anything is written there"), None);
            }
            for cell in touched {
                if is_atomic {
                    cell.is_filled |= writes;
                } else if let Err(cause) = cell.touch(lane, writes, span) {
                    let rule = format!("no barrier parts this access to `{name}` from another's");
                    return broken(rule, Some(cause));
                }
            }
        }
        Ok(())
    }
}

fn select(condition: &Value, accept: &Value, reject: &Value, lanes: usize) -> Value {
    match (condition, accept, reject) {
        (Value::Parts(c), Value::Parts(a), Value::Parts(b)) => {
            let parts = c.iter().zip(a).zip(b);
            Value::Parts(parts.map(|((c, a), b)| select(c, a, b, lanes)).collect())
        }
        _ => {
            let all = Mask::new(lanes, true);
            let yes = all.filter(condition, |bits| bits != 0);
            let no = all.filter(condition, |bits| bits == 0);
            accept.join(&yes, reject, &no)
        }
    }
}
