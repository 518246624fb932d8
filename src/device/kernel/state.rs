//! Variables and workgroup memory at one place of a kernel, and how two ways to it are joined.

use std::collections::HashMap;
use std::rc::Rc;

use naga::{GlobalVariable, Handle, LocalVariable, Span};

use super::lanes::{Mask, Value};

/// Who touched an element since the last barrier, and where: one invocation, or several (`None`).
type Touch = Option<(Option<usize>, Span)>;

/// An element of workgroup memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cell {
    reader: Touch,
    writer: Touch,
    /// Written at any time, on some way to here.
    pub(super) is_filled: bool,
}

impl Cell {
    /// Notes an access; where another invocation's stands against it, the place of that.
    pub(super) fn touch(&mut self, lane: usize, writes: bool, span: Span) -> Result<(), Span> {
        let others = |touch: Touch| touch.filter(|(by, _)| *by != Some(lane)).map(|(_, at)| at);
        let clash = others(self.writer).or(others(self.reader).filter(|_| writes));
        if let Some(span) = clash {
            return Err(span);
        }
        let note = if writes { &mut self.writer } else { &mut self.reader };
        *note = both(*note, Some((Some(lane), span)));
        self.is_filled |= writes;
        Ok(())
    }

    fn join(&mut self, other: &Self) {
        self.reader = both(self.reader, other.reader);
        self.writer = both(self.writer, other.writer);
        self.is_filled |= other.is_filled;
    }

    fn settle(&mut self) {
        *self = Self { is_filled: self.is_filled, ..Self::default() };
    }
}

fn both(a: Touch, b: Touch) -> Touch {
    match (a, b) {
        (Some((a, span)), Some((b, _))) => Some((a.filter(|_| a == b), span)),
        _ => a.or(b),
    }
}

/// Workgroup memory, by variable.
pub(super) type Memory = HashMap<Handle<GlobalVariable>, Rc<Vec<Cell>>>;

/// A barrier: all accesses before it are over.
pub(super) fn settle(memory: &mut Memory) {
    for cells in memory.values_mut() {
        Rc::make_mut(cells).iter_mut().for_each(Cell::settle);
    }
}

/// What either way may have left.
pub(super) fn join(memory: &mut Memory, other: &Memory) {
    for (variable, cells) in memory {
        let others = &other[variable];
        if !Rc::ptr_eq(cells, others) {
            let cells = Rc::make_mut(cells).iter_mut();
            cells.zip(others.iter()).for_each(|(cell, other)| cell.join(other));
        }
    }
}

/// Everything that changes.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) locals: HashMap<Handle<LocalVariable>, Value>,
    pub(super) memory: Memory,
}

impl State {
    /// Takes variables that were written to since `start` as written everywhere: a loop that is not
    /// followed to its end may write further on.
    pub(super) fn fill_what_grew(&mut self, start: &Self) {
        let filled = |cells: &[Cell]| cells.iter().filter(|cell| cell.is_filled).count();
        for (variable, cells) in &mut self.memory {
            if filled(cells) > filled(&start.memory[variable]) {
                Rc::make_mut(cells).iter_mut().for_each(|cell| cell.is_filled = true);
            }
        }
    }
}

/// The ways that lead to one place: their invocations, and their states joined.
#[derive(Debug, Default)]
pub(super) struct Ways(Option<(State, Mask)>);

impl Ways {
    /// Another way, if some invocation takes it.
    pub(super) fn add(&mut self, state: &State, mask: &Mask) {
        if mask.is_empty() {
            return;
        }
        let Some((joined, known)) = &mut self.0 else {
            self.0 = Some((state.clone(), mask.clone()));
            return;
        };
        join(&mut joined.memory, &state.memory);
        for (local, value) in &mut joined.locals {
            *value = value.join(known, &state.locals[local], mask);
        }
        *known = known.or(mask);
    }

    pub(super) fn append(&mut self, other: Self) {
        if let Some((state, mask)) = other.0 {
            self.add(&state, &mask);
        }
    }

    /// Puts the joined state in place and gives its invocations; none leave the state as it is.
    pub(super) fn arrive(self, state: &mut State, lanes: usize) -> Mask {
        let Some((joined, mask)) = self.0 else { return Mask::new(lanes, false) };
        *state = joined;
        mask
    }

    pub(super) fn meets(&self, mask: &Mask) -> bool {
        self.0.as_ref().is_some_and(|(_, known)| known.meets(mask))
    }
}
