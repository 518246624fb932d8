//! The stack machine.
//!
//! Every instruction checks what it takes from the stack: the operands' kinds, the marks, the memo.
//! Nothing is allocated by a length that the file states; what is made is bounded by
//! [`MAX_NODES`], the stack and the memo by [`MAX_SLOTS`].

mod calls;
mod data;

use super::{Document, Node, Value};

/// Most nodes; a checkpoint has some tens for each of a few thousand tensors.
const MAX_NODES: usize = 1 << 20;
/// Most values on the stack, in the memo, and in all containers together.
const MAX_SLOTS: usize = 1 << 21;
/// Newest protocol there is.
const MAX_PROTOCOL: u8 = 5;

/// What is wrong with a pickle, in words.
type Result<T> = std::result::Result<T, String>;

/// The data of the pickle at the beginning of `bytes`, and its length.
///
/// # Errors
/// Saying where it is broken, or what it asks for that a checkpoint has no need of.
pub(in crate::checkpoint) fn parse(bytes: &[u8]) -> Result<(Document<'_>, usize)> {
    let mut machine = Machine::new(bytes);
    loop {
        let start = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((Document { nodes: machine.nodes, root }, machine.at)),
            Err(reason) => return Err(format!("pickle, byte {start}: {reason}")),
        }
    }
}

/// The data of bytes that are one pickle.
///
/// # Errors
/// As [`parse`], and when bytes follow.
pub(in crate::checkpoint) fn parse_whole(bytes: &[u8]) -> Result<Document<'_>> {
    let (document, length) = parse(bytes)?;
    match bytes.len() - length {
        0 => Ok(document),
        rest => Err(format!("pickle: {rest} bytes follow its end")),
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    /// By their numbers, which files give in turn.
    memo: Vec<Option<Value>>,
    /// Values in containers.
    slots: usize,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (nodes, stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { bytes, at: 0, nodes, stack, marks, memo, slots: 0 }
    }

    /// Runs one instruction; gives the result at the last one.
    fn step(&mut self) -> Result<Option<Value>> {
        let code = self.byte()?;
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            0x95 => drop(self.take(8)?),
            b'(' => self.mark()?,
            b'0' => self.discard()?,
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.pop()?;
                self.push(top)?;
                self.push(top)?;
            }
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | b'G' | 0x8a | 0x8b => self.number(code)?,
            b'X' | 0x8c | 0x8d | b'T' | b'U' => self.text(code)?,
            b'B' | b'C' | 0x8e | 0x96 => self.byte_string(code)?,
            b')' | b't' | 0x85..=0x87 => self.tuple(code)?,
            b']' | b'l' | b'a' | b'e' | 0x8f | 0x90 | 0x91 => self.list(code)?,
            b'}' | b'd' | b's' | b'u' => self.dict(code)?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(code)?,
            b'c' | 0x93 => self.name(code)?,
            b'R' | 0x81 | 0x92 => self.call(code)?,
            b'b' => self.build()?,
            b'Q' => {
                let description = self.pop()?;
                self.push_node(Node::Persistent(description))?;
            }
            _ => return Err(format!("unknown instruction 0x{code:02x}")),
        }
        Ok(None)
    }
}

/// The program, the stack and the nodes.
impl<'a> Machine<'a> {
    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let end =
            end.ok_or_else(|| format!("the file ends within {n} bytes that should follow"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A number of up to eight bytes, the lowest first.
    fn unsigned(&mut self, bytes: usize) -> Result<u64> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn length(&mut self, bytes: usize) -> Result<usize> {
        let n = self.unsigned(bytes)?;
        usize::try_from(n).map_err(|_| format!("a length of {n}"))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&b| b == b'\n').ok_or("a line without an end")?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length]).map_err(|_| "a name that is no UTF-8".into())
    }

    fn push(&mut self, value: Value) -> Result<()> {
        if self.stack.len() >= MAX_SLOTS {
            return Err(format!("more than {MAX_SLOTS} values on the stack"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("takes a value from an empty stack".into());
        }
        Ok(self.stack.pop().expect("higher than its floor"))
    }

    fn top(&self) -> Result<Value> {
        self.stack.last().copied().ok_or_else(|| "looks at an empty stack".into())
    }

    fn mark(&mut self) -> Result<()> {
        if self.marks.len() >= MAX_SLOTS {
            return Err(format!("more than {MAX_SLOTS} marks"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// A value, or the mark where that was put last.
    fn discard(&mut self) -> Result<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    /// All values above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or("no mark")?;
        self.count(self.stack.len() - mark)?;
        Ok(self.stack.split_off(mark))
    }

    /// So many values are put into a container.
    fn count(&mut self, n: usize) -> Result<()> {
        self.slots += n;
        if self.slots > MAX_SLOTS {
            return Err(format!("more than {MAX_SLOTS} values"));
        }
        Ok(())
    }

    fn push_node(&mut self, node: Node<'a>) -> Result<()> {
        if self.nodes.len() >= MAX_NODES {
            return Err(format!("more than {MAX_NODES} objects"));
        }
        self.nodes.push(node);
        self.push(Value::Node(self.nodes.len() as u32 - 1))
    }

    fn node(&self, value: Value) -> Option<&Node<'a>> {
        match value {
            Value::Node(id) => self.nodes.get(id as usize),
            _ => None,
        }
    }

    fn node_mut(&mut self, value: Value) -> Option<&mut Node<'a>> {
        match value {
            Value::Node(id) => self.nodes.get_mut(id as usize),
            _ => None,
        }
    }

    /// The elements of a list or tuple, copied.
    fn elements(&mut self, value: Value) -> Result<Vec<Value>> {
        let elements = match self.node(value) {
            Some(Node::List(elements) | Node::Tuple(elements)) => elements.clone(),
            _ => return Err("takes for a list what is none".into()),
        };
        self.count(elements.len())?;
        Ok(elements)
    }
}
