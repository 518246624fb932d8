//! Whether invocations race for workgroup memory: one workgroup is followed through the kernel, all
//! its invocations at once, with the values that their numbers and constants determine.
//!
//! Between two barriers every order of accesses is possible, so it is enough to follow one: an
//! element that one invocation wrote must not be touched by another before the next barrier.

use std::cell::{Cell as Counter, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, Barrier, Block, Expression, Function, GlobalVariable, Handle, Module, Span,
    Statement, SwitchCase, SwitchValue,
};

use super::Broken;
use super::choices::Choices;
use super::evaluate::leaves;
use super::lanes::{Mask, Place, Value};
use super::state::{Cell, State, Ways, settle};
use super::uniform::Parting;

/// Rounds that a loop of unknown length is followed.
const ROUNDS: usize = 4;
/// Statements that a kernel may take, far above any that is fit for one dispatch.
const STEPS: usize = 1 << 19;

/// Refuses races, and reads of what nothing has written. Functions that start behind the first
/// `own_bytes` of the text are helpers.
pub(super) fn check(
    module: &Module,
    info: &ModuleInfo,
    parting: &Parting,
    own_bytes: usize,
) -> Result<(), Broken> {
    let shared = |variable: &GlobalVariable| variable.space == AddressSpace::WorkGroup;
    let variables = module.global_variables.iter().filter(|(_, variable)| shared(variable));
    let memory: HashMap<_, _> = variables
        .map(|(handle, v)| (handle, Rc::new(vec![Cell::default(); leaves(module, v.ty)])))
        .collect();
    if memory.is_empty() {
        return Ok(());
    }
    let main = &module.entry_points[0];
    let lanes = main.workgroup_size.iter().product::<u32>() as usize;
    let (steps, choices) = Default::default();
    let group = Group { module, info, parting, own_bytes, lanes, steps, choices };
    loop {
        let arguments = group.built_ins(main);
        let mut walk = Walk::new(&group, None, &main.function, info.get_entry_point(0), arguments);
        let mut state = State { locals: walk.locals(), memory: memory.clone() };
        walk.block(&main.function.body, &mut state, Mask::new(lanes, true))?;
        if !group.choices.borrow_mut().advance() {
            return Ok(());
        }
        group.steps.set(0);
    }
}

/// What is the same in every function.
pub(super) struct Group<'a> {
    pub(super) module: &'a Module,
    info: &'a ModuleInfo,
    parting: &'a Parting,
    own_bytes: usize,
    pub(super) lanes: usize,
    steps: Counter<usize>,
    pub(super) choices: RefCell<Choices>,
}

/// The states that leave a loop's body or a `switch`.
#[derive(Default)]
struct Exits {
    breaks: Ways,
    /// `None` in a `switch`.
    continues: Option<Ways>,
}

/// One call of one function.
pub(super) struct Walk<'a> {
    pub(super) group: &'a Group<'a>,
    handle: Option<Handle<Function>>,
    pub(super) function: &'a Function,
    pub(super) info: &'a FunctionInfo,
    pub(super) arguments: Vec<Value>,
    pub(super) values: HashMap<Handle<Expression>, Value>,
    exits: Vec<Exits>,
    returns: Ways,
    result: Option<(Value, Mask)>,
}

impl<'a> Walk<'a> {
    fn new(
        group: &'a Group<'a>,
        handle: Option<Handle<Function>>,
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<Value>,
    ) -> Self {
        let (values, exits, returns) = Default::default();
        Self { group, handle, function, info, arguments, values, exits, returns, result: None }
    }

    /// Follows these invocations through a block; those that reach its end.
    fn block(&mut self, block: &Block, state: &mut State, mut mask: Mask) -> Result<Mask, Broken> {
        for (statement, span) in block.span_iter() {
            if mask.is_empty() {
                break;
            }
            mask = self.statement(statement, *span, state, mask)?;
        }
        Ok(mask)
    }

    fn statement(
        &mut self,
        statement: &Statement,
        span: Span,
        state: &mut State,
        mask: Mask,
    ) -> Result<Mask, Broken> {
        self.count(span)?;
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    let value = self.evaluate(handle, state, &mask)?;
                    self.values.insert(handle, value);
                }
            }
            Statement::Block(block) => return self.block(block, state, mask),
            Statement::If { condition, accept, reject } => {
                let value = self.value(*condition);
                let yes = mask.filter(&value, |bits| bits != 0);
                let no = mask.filter(&value, |bits| bits == 0);
                return self.fork(*condition, vec![(accept, yes), (reject, no)], state);
            }
            Statement::Switch { selector, cases } => {
                return self.switch(*selector, cases, state, &mask);
            }
            Statement::Loop { body, continuing, break_if } => {
                return self.cycle([body, continuing], *break_if, state, mask);
            }
            Statement::Break | Statement::Continue | Statement::Return { .. } => {
                self.leave(statement, state, &mask);
                return Ok(Mask::new(self.group.lanes, false));
            }
            Statement::ControlBarrier(flags) if flags.contains(Barrier::WORK_GROUP) => {
                settle(&mut state.memory);
            }
            Statement::Store { pointer, value } => {
                self.store(*pointer, *value, span, state, &mask)?
            }
            Statement::Atomic { pointer, .. } => {
                self.read(*pointer, span, state, &mask)?;
            }
            Statement::WorkGroupUniformLoad { pointer, .. } => {
                settle(&mut state.memory);
                self.read(*pointer, span, state, &mask)?;
                settle(&mut state.memory);
            }
            Statement::Call { function, arguments, result } => {
                let value = self.call(*function, arguments, state, &mask)?;
                self.values.extend(result.map(|result| (result, value)));
            }
            _ => {}
        }
        Ok(mask)
    }

    fn count(&self, span: Span) -> Result<(), Broken> {
        let steps = self.group.steps.get() + 1;
        self.group.steps.set(steps);
        let rule = || format!("the kernel does not end within {STEPS} statements");
        if steps > STEPS { Err(Broken { span, rule: rule(), cause: None }) } else { Ok(()) }
    }

    /// Follows each block with its invocations. Where they are disjoint, one after the other; where
    /// some invocation may take either, each from the start. If all take the same one, the accesses
    /// of the others never happen; else they do beside its own.
    fn fork(
        &mut self,
        condition: Handle<Expression>,
        mut branches: Vec<(&Block, Mask)>,
        state: &mut State,
    ) -> Result<Mask, Broken> {
        branches.retain(|(_, mask)| !mask.is_empty());
        let meets = |k: usize| branches[..k].iter().any(|(_, mask)| mask.meets(&branches[k].1));
        if !(1..branches.len()).any(meets) {
            let mut end = Mask::new(self.group.lanes, false);
            for (block, mask) in branches {
                end = end.or(&self.block(block, state, mask)?);
            }
            return Ok(end);
        }
        let is_mixed = self.group.parting.contains(&(self.handle, condition));
        let mut ways = Ways::default();
        let mut memory = state.memory.clone();
        for (block, mask) in branches {
            let mut way = state.clone();
            if is_mixed {
                way.memory = memory;
            }
            let end = self.block(block, &mut way, mask)?;
            ways.add(&way, &end);
            memory = way.memory;
        }
        let end = ways.arrive(state, self.group.lanes);
        if is_mixed {
            state.memory = memory;
        }
        Ok(end)
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &[SwitchCase],
        state: &mut State,
        mask: &Mask,
    ) -> Result<Mask, Broken> {
        let value = self.value(selector);
        let bits = |case: &SwitchCase| match case.value {
            SwitchValue::I32(k) => Some(k as u32),
            SwitchValue::U32(k) => Some(k),
            SwitchValue::Default => None,
        };
        let named: Vec<u32> = cases.iter().filter_map(bits).collect();
        let mut fallen = Mask::new(self.group.lanes, false);
        let mut branches = Vec::new();
        for case in cases {
            let own = match bits(case) {
                Some(k) => mask.filter(&value, |bits| bits == k),
                None => mask.filter(&value, |bits| !named.contains(&bits)),
            };
            // `case 1, 2` is two cases, the first of them empty.
            fallen = fallen.or(&own);
            if !case.fall_through {
                branches.push((&case.body, fallen));
                fallen = Mask::new(self.group.lanes, false);
            }
        }
        self.exits.push(Exits::default());
        let end = self.fork(selector, branches, state)?;
        let mut ways = self.exits.pop().expect("pushed above").breaks;
        ways.add(state, &end);
        Ok(ways.arrive(state, self.group.lanes))
    }

    fn cycle(
        &mut self,
        [body, continuing]: [&Block; 2],
        break_if: Option<Handle<Expression>>,
        state: &mut State,
        mut mask: Mask,
    ) -> Result<Mask, Broken> {
        let start = state.clone();
        let mut ends = Ways::default();
        let mut guesses = 0;
        while !mask.is_empty() {
            self.exits.push(Exits { continues: Some(Ways::default()), ..Exits::default() });
            let end = self.block(body, state, mask)?;
            let exits = self.exits.pop().expect("pushed above");
            let mut ways = exits.continues.expect("a loop's");
            ways.add(state, &end);
            mask = ways.arrive(state, self.group.lanes);
            mask = self.block(continuing, state, mask)?;
            if let Some(condition) = break_if {
                let value = self.value(condition);
                ends.add(state, &mask.filter(&value, |bits| bits != 0));
                mask = mask.filter(&value, |bits| bits == 0);
            }
            ends.append(exits.breaks);
            guesses += usize::from(ends.meets(&mask));
            if guesses == ROUNDS {
                state.fill_what_grew(&start);
                ends.add(state, &mask);
                break;
            }
        }
        Ok(ends.arrive(state, self.group.lanes))
    }

    fn leave(&mut self, statement: &Statement, state: &State, mask: &Mask) {
        match statement {
            Statement::Break => {
                self.exits.last_mut().expect("inside a loop").breaks.add(state, mask);
            }
            Statement::Continue => {
                let mut loops = self.exits.iter_mut().rev().filter_map(|e| e.continues.as_mut());
                loops.next().expect("inside a loop").add(state, mask);
            }
            Statement::Return { value } => {
                let value = value.map_or(Value::Unknown, |value| self.value(value));
                self.result = Some(match self.result.take() {
                    Some((old, known)) => (old.join(&known, &value, mask), known.or(mask)),
                    None => (value, mask.clone()),
                });
                self.returns.add(state, mask);
            }
            _ => {}
        }
    }

    /// Follows a call, and a helper's a second time.
    fn call(
        &mut self,
        handle: Handle<Function>,
        arguments: &[Handle<Expression>],
        state: &mut State,
        mask: &Mask,
    ) -> Result<Value, Broken> {
        let values: Vec<Value> = arguments.iter().map(|&a| self.pass(a, state)).collect();
        let result = self.follow(handle, values.clone(), state, mask)?;
        let span = self.group.module.functions.get_span(handle);
        if span.to_range().is_some_and(|range| range.start >= self.group.own_bytes) {
            self.follow(handle, values, &mut state.clone(), mask).map_err(|broken| {
                let rule = format!("called twice in a row, {}", broken.rule);
                Broken { rule, ..broken }
            })?;
        }
        Ok(result)
    }

    /// An argument; what a pointer to a variable leads to is unknown from here on.
    fn pass(&self, argument: Handle<Expression>, state: &mut State) -> Value {
        let value = self.value(argument);
        if let Value::Place(Place::Local(local, _)) = value {
            state.locals.insert(local, Value::Unknown);
            return Value::Unknown;
        }
        value
    }

    fn follow(
        &self,
        handle: Handle<Function>,
        arguments: Vec<Value>,
        state: &mut State,
        mask: &Mask,
    ) -> Result<Value, Broken> {
        let function = &self.group.module.functions[handle];
        let info = &self.group.info[handle];
        let mut walk = Walk::new(self.group, Some(handle), function, info, arguments);
        let memory = std::mem::take(&mut state.memory);
        let mut inner = State { locals: walk.locals(), memory };
        let end = walk.block(&function.body, &mut inner, mask.clone())?;
        walk.returns.add(&inner, &end);
        walk.returns.arrive(&mut inner, self.group.lanes);
        state.memory = inner.memory;
        Ok(walk.result.map_or(Value::Unknown, |(value, _)| value))
    }
}
