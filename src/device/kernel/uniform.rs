//! Whether all invocations of a workgroup reach a barrier together: WGSL's uniformity, by fixpoint.
//!
//! A value is *mixed* if it may differ between invocations of one workgroup. Flow is *parted* inside
//! what a mixed condition chooses, and behind a `break`, `continue` or `return` that only some take,
//! until the loop or function ends. A variable is mixed for its whole life if it ever is. Functions
//! are followed at each of their calls, once per kind of arguments.

use std::collections::{HashMap, HashSet};

use naga::{
    AddressSpace, Block, BuiltIn, Expression, Function, Handle, LocalVariable, Module, Span,
    Statement, StorageAccess, SwitchCase,
};

use super::Broken;

/// Conditions that may differ between invocations, by function (`None` for `main`).
pub(super) type Parting = HashSet<(Option<Handle<Function>>, Handle<Expression>)>;

/// Refuses barriers and subgroup operations in parted flow.
pub(super) fn check(module: &Module) -> Result<Parting, Broken> {
    let mut known = Known::default();
    let main = &module.entry_points[0].function;
    let arguments = main.arguments.iter().map(|argument| {
        let Some(naga::Binding::BuiltIn(built_in)) = argument.binding else { return true };
        !matches!(built_in, BuiltIn::WorkGroupId | BuiltIn::NumWorkGroups | BuiltIn::WorkGroupSize)
    });
    Walk::new(module, None, main, arguments.collect(), None).result(&mut known)?;
    Ok(known.parting)
}

/// What is known of all calls.
#[derive(Default)]
struct Known {
    parting: Parting,
    /// Whether a function's result is mixed, by its arguments' mixedness and the flow's.
    results: HashMap<(Handle<Function>, Vec<bool>, bool), bool>,
}

/// Where invocations parted, if they did.
type Parted = Option<Span>;

/// Why flow may be parted: conditions around, and exits behind that only some invocations took.
#[derive(Clone, Copy, Default, PartialEq)]
struct Flow {
    around: Parted,
    returned: Parted,
    broke: Parted,
    continued: Parted,
}

impl Flow {
    fn parted(&self) -> Parted {
        self.around.or(self.returned).or(self.broke).or(self.continued)
    }

    fn or(self, other: Self) -> Self {
        Self {
            around: self.around.or(other.around),
            returned: self.returned.or(other.returned),
            broke: self.broke.or(other.broke),
            continued: self.continued.or(other.continued),
        }
    }
}

/// One function, for one kind of arguments.
struct Walk<'a> {
    module: &'a Module,
    handle: Option<Handle<Function>>,
    function: &'a Function,
    arguments: Vec<bool>,
    mixed: HashSet<Handle<Expression>>,
    mixed_locals: HashSet<Handle<LocalVariable>>,
    mixed_result: bool,
    flow: Flow,
}

impl<'a> Walk<'a> {
    fn new(
        module: &'a Module,
        handle: Option<Handle<Function>>,
        function: &'a Function,
        arguments: Vec<bool>,
        around: Parted,
    ) -> Self {
        let flow = Flow { around, ..Flow::default() };
        let (mixed, mixed_locals) = Default::default();
        Self { module, handle, function, arguments, mixed, mixed_locals, mixed_result: false, flow }
    }

    /// Whether the result is mixed.
    fn result(mut self, known: &mut Known) -> Result<bool, Broken> {
        let start = self.flow;
        loop {
            let before = self.mixed_locals.len();
            self.flow = start;
            self.block(&self.function.body, known)?;
            if self.mixed_locals.len() == before {
                return Ok(self.mixed_result);
            }
        }
    }

    fn block(&mut self, block: &Block, known: &mut Known) -> Result<(), Broken> {
        block.span_iter().try_for_each(|(statement, span)| self.statement(statement, *span, known))
    }

    fn statement(&mut self, s: &Statement, span: Span, known: &mut Known) -> Result<(), Broken> {
        match s {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    if self.operands_are_mixed(handle) {
                        self.mixed.insert(handle);
                    }
                }
            }
            Statement::Block(block) => self.block(block, known)?,
            Statement::If { condition, accept, reject } => {
                self.branches(*condition, &[accept, reject], known)?;
            }
            Statement::Switch { selector, cases } => self.switch(*selector, cases, known)?,
            Statement::Loop { body, continuing, break_if } => {
                self.cycle([body, continuing], *break_if, known)?;
            }
            Statement::Break => self.flow.broke = self.flow.parted(),
            Statement::Continue => self.flow.continued = self.flow.parted(),
            Statement::Return { value } => {
                self.flow.returned = self.flow.parted();
                self.mixed_result |= self.flow.parted().is_some();
                self.mixed_result |= value.is_some_and(|v| self.is_mixed(v));
            }
            Statement::Store { pointer, value } => {
                let parts = self.flow.parted().is_some();
                if parts || self.is_mixed(*value) || self.is_mixed(*pointer) {
                    self.mix_target(*pointer);
                }
            }
            Statement::Call { function, arguments, result } => {
                self.call(*function, arguments, *result, known)?;
            }
            Statement::ControlBarrier(_) => self.together("a barrier", span)?,
            Statement::WorkGroupUniformLoad { .. } => {
                self.together("workgroupUniformLoad", span)?;
            }
            Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => {
                self.together("a subgroup operation", span)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Refuses what all invocations have to do together where they are not.
    fn together(&self, what: &str, span: Span) -> Result<(), Broken> {
        let Some(cause) = self.flow.parted() else { return Ok(()) };
        let rule = format!("{what} needs every invocation of the workgroup, but they part");
        Err(Broken { span, rule, cause: Some(cause) })
    }

    /// Follows each block from the same start and joins their ends.
    fn branches(
        &mut self,
        condition: Handle<Expression>,
        blocks: &[&Block],
        known: &mut Known,
    ) -> Result<(), Broken> {
        let outer = self.flow.around;
        self.flow.around = outer.or(self.parts(condition, known));
        let start = self.flow;
        let mut end = start;
        for block in blocks {
            self.flow = start;
            self.block(block, known)?;
            end = end.or(self.flow);
        }
        self.flow = Flow { around: outer, ..end };
        Ok(())
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &[SwitchCase],
        known: &mut Known,
    ) -> Result<(), Broken> {
        let outer = self.flow;
        let blocks: Vec<&Block> = cases.iter().map(|case| &case.body).collect();
        self.branches(selector, &blocks, known)?;
        self.flow.broke = outer.broke;
        Ok(())
    }

    /// The second pass sees what the first one's exits did to the flow.
    fn cycle(
        &mut self,
        blocks: [&Block; 2],
        break_if: Option<Handle<Expression>>,
        known: &mut Known,
    ) -> Result<(), Broken> {
        let outer = self.flow;
        for _ in 0..2 {
            for block in blocks {
                self.block(block, known)?;
            }
            if let Some(condition) = break_if {
                let parts = self.parts(condition, known);
                self.flow.broke = self.flow.broke.or(parts);
            }
        }
        self.flow = Flow { returned: self.flow.returned, ..outer };
        Ok(())
    }

    /// Where a condition parts invocations, if it does.
    fn parts(&self, condition: Handle<Expression>, known: &mut Known) -> Parted {
        self.is_mixed(condition).then(|| {
            known.parting.insert((self.handle, condition));
            self.function.expressions.get_span(condition)
        })
    }

    fn call(
        &mut self,
        handle: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
        known: &mut Known,
    ) -> Result<(), Broken> {
        let mut kinds = Vec::with_capacity(arguments.len());
        for &argument in arguments {
            // What a function writes through a pointer is not followed.
            let is_pointer = self.mix_target(argument);
            kinds.push(is_pointer || self.is_mixed(argument));
        }
        let parted = self.flow.parted();
        let key = (handle, kinds, parted.is_some());
        let is_mixed = if let Some(&is_mixed) = known.results.get(&key) {
            is_mixed
        } else {
            let function = &self.module.functions[handle];
            let walk = Walk::new(self.module, Some(handle), function, key.1.clone(), parted);
            let is_mixed = walk.result(known)?;
            known.results.insert(key, is_mixed);
            is_mixed
        };
        self.mixed.extend(result.filter(|_| is_mixed));
        Ok(())
    }

    /// Marks the variable that a pointer leads to; whether there is one.
    fn mix_target(&mut self, pointer: Handle<Expression>) -> bool {
        match self.function.expressions[pointer] {
            Expression::LocalVariable(local) => {
                self.mixed_locals.insert(local);
                true
            }
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.mix_target(base)
            }
            _ => false,
        }
    }

    /// A pointer is mixed if what it leads to is.
    fn is_mixed(&self, handle: Handle<Expression>) -> bool {
        match self.function.expressions[handle] {
            Expression::FunctionArgument(k) => self.arguments[k as usize],
            Expression::LocalVariable(local) => self.mixed_locals.contains(&local),
            Expression::GlobalVariable(global) => {
                match self.module.global_variables[global].space {
                    AddressSpace::Uniform | AddressSpace::Immediate => false,
                    AddressSpace::Storage { access } => access.contains(StorageAccess::STORE),
                    _ => true,
                }
            }
            Expression::AtomicResult { .. }
            | Expression::SubgroupBallotResult
            | Expression::SubgroupOperationResult { .. } => true,
            _ => self.mixed.contains(&handle),
        }
    }

    fn operands_are_mixed(&self, handle: Handle<Expression>) -> bool {
        let any = |operands: &[Handle<Expression>]| operands.iter().any(|&h| self.is_mixed(h));
        match &self.function.expressions[handle] {
            Expression::Literal(_)
            | Expression::Constant(_)
            | Expression::ZeroValue(_)
            | Expression::ArrayLength(_) => false,
            Expression::Compose { components, .. } => any(components),
            Expression::Access { base, index } => any(&[*base, *index]),
            Expression::AccessIndex { base: operand, .. }
            | Expression::Splat { value: operand, .. }
            | Expression::Swizzle { vector: operand, .. }
            | Expression::Load { pointer: operand }
            | Expression::Unary { expr: operand, .. }
            | Expression::Relational { argument: operand, .. }
            | Expression::As { expr: operand, .. } => any(&[*operand]),
            Expression::Binary { left, right, .. } => any(&[*left, *right]),
            Expression::Select { condition, accept, reject } => {
                any(&[*condition, *accept, *reject])
            }
            Expression::Math { arg, arg1, arg2, arg3, .. } => {
                any(&[*arg]) || [arg1, arg2, arg3].into_iter().flatten().any(|&h| self.is_mixed(h))
            }
            // Textures and rays, which no kernel has.
            _ => true,
        }
    }
}
