//! The stack machine.
//!
//! Every instruction checks what it takes from the stack: the operands' kinds, the marks, the memo.
//! Nothing is allocated by a length that the file states; what is made is bounded by
//! [`MAX_NODES`], the stack and the memo by [`MAX_SLOTS`].

use std::borrow::Cow;

use super::names::{self, Makes};
use super::{Dict, Document, Node, Value};

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

/// Numbers, text, bytes.
impl<'a> Machine<'a> {
    fn protocol(&mut self) -> Result<()> {
        match self.byte()? {
            0..=MAX_PROTOCOL => Ok(()),
            n => Err(format!("protocol {n}; this program reads up to {MAX_PROTOCOL}")),
        }
    }

    fn number(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b'N' => Value::None,
            0x88 | 0x89 => Value::Bool(code == 0x88),
            b'J' => Value::Int(i64::from(self.unsigned(4)? as u32 as i32)),
            b'K' => Value::Int(self.unsigned(1)? as i64),
            b'M' => Value::Int(self.unsigned(2)? as i64),
            b'G' => Value::Float(f64::from_bits(self.unsigned(8)?.swap_bytes())),
            _ => return self.long(code),
        };
        self.push(value)
    }

    /// Two's complement of any length, the lowest byte first.
    fn long(&mut self, code: u8) -> Result<()> {
        let length = self.length(if code == 0x8a { 1 } else { 4 })?;
        let bytes = self.take(length)?;
        if length > 16 {
            return Err(format!("a whole number of {length} bytes"));
        }
        let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut all = [fill; 16];
        all[..length].copy_from_slice(bytes);
        let n = i128::from_le_bytes(all);
        match i64::try_from(n) {
            Ok(n) => self.push(Value::Int(n)),
            Err(_) => self.push_node(Node::Big(n)),
        }
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let length = self.length(match code {
            0x8c | b'U' => 1,
            0x8d => 8,
            _ => 4,
        })?;
        let bytes = self.take(length)?;
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // Strings of Python 2 are bytes.
            Err(_) if matches!(code, b'T' | b'U') => Cow::Owned(latin1(bytes)),
            Err(_) => return Err("text that is no UTF-8".into()),
        };
        self.push_node(Node::Text(text))
    }

    fn byte_string(&mut self, code: u8) -> Result<()> {
        let length = self.length(match code {
            b'C' => 1,
            b'B' => 4,
            _ => 8,
        })?;
        let bytes = self.take(length)?;
        self.push_node(Node::Bytes(Cow::Borrowed(bytes)))
    }
}

/// Containers.
impl<'a> Machine<'a> {
    fn tuple(&mut self, code: u8) -> Result<()> {
        let elements = match code {
            b')' => Vec::new(),
            b't' => self.pop_mark()?,
            _ => {
                let n = usize::from(code - 0x84);
                self.count(n)?;
                let mut elements = (0..n).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                elements.reverse();
                elements
            }
        };
        self.push_node(Node::Tuple(elements))
    }

    fn list(&mut self, code: u8) -> Result<()> {
        let new = match code {
            b']' | 0x8f => return self.push_node(Node::List(Vec::new())),
            b'l' | 0x91 => {
                let elements = self.pop_mark()?;
                return self.push_node(Node::List(elements));
            }
            b'a' => {
                self.count(1)?;
                vec![self.pop()?]
            }
            _ => self.pop_mark()?,
        };
        let list = self.top()?;
        match self.node_mut(list) {
            Some(Node::List(elements)) => elements.extend(new),
            _ => return Err("adds elements to what is no list".into()),
        }
        Ok(())
    }

    fn dict(&mut self, code: u8) -> Result<()> {
        if code == b'}' {
            return self.push_node(Node::Dict(Dict::default()));
        }
        let new = if code == b's' {
            self.count(2)?;
            let value = self.pop()?;
            vec![self.pop()?, value]
        } else {
            self.pop_mark()?
        };
        let entries = pairs(&new)?;
        if code == b'd' {
            return self.push_node(Node::Dict(Dict { entries, has_attributes: false }));
        }
        let dict = self.top()?;
        match self.node_mut(dict) {
            Some(Node::Dict(dict)) => dict.entries.extend(entries),
            _ => return Err("adds entries to what is no dictionary".into()),
        }
        Ok(())
    }

    /// Remembers the top of the stack, or brings back what is remembered.
    fn memory(&mut self, code: u8) -> Result<()> {
        let key = match code {
            b'q' | b'h' => self.length(1)?,
            b'r' | b'j' => self.length(4)?,
            _ => self.memo.len(),
        };
        if matches!(code, b'h' | b'j') {
            let value = self.memo.get(key).copied().flatten();
            return self.push(value.ok_or_else(|| format!("nothing was remembered as {key}"))?);
        }
        if key >= MAX_NODES {
            return Err(format!("remembers more than {MAX_NODES} objects"));
        }
        let top = self.top()?;
        self.memo.resize(self.memo.len().max(key + 1), None);
        self.memo[key] = Some(top);
        Ok(())
    }
}

/// Names and calls.
impl<'a> Machine<'a> {
    fn name(&mut self, code: u8) -> Result<()> {
        let (module, name) = if code == b'c' {
            (Cow::Borrowed(self.line()?), Cow::Borrowed(self.line()?))
        } else {
            let name = self.pop_text()?;
            (self.pop_text()?, name)
        };
        let Some(known) = names::known(&module, &name) else {
            let shown = |text: &str| text.chars().take(60).collect::<String>();
            let code = format!("{}.{}", shown(&module), shown(&name));
            let advice = names::advice(&module);
            return Err(format!("refers to the code {code:?}, which {advice}; nothing was run"));
        };
        self.push_node(Node::Name(known))
    }

    fn pop_text(&mut self) -> Result<Cow<'a, str>> {
        let value = self.pop()?;
        match self.node(value) {
            Some(Node::Text(text)) => Ok(text.clone()),
            _ => Err("takes for a name what is no text".into()),
        }
    }

    fn call(&mut self, code: u8) -> Result<()> {
        if code == 0x92 {
            let keywords = self.pop()?;
            if !matches!(self.node(keywords), Some(Node::Dict(dict)) if dict.entries.is_empty()) {
                return Err("calls with keywords".into());
            }
        }
        let args = self.pop()?;
        let args = self.elements(args)?;
        let callee = self.pop()?;
        let Some(Node::Name(name)) = self.node(callee) else {
            return Err("calls what is no name".into());
        };
        let name = *name;
        let node = self.made(name, names::makes(name), args)?;
        self.push_node(node)
    }

    /// What a call stands for.
    fn made(&mut self, name: &'static str, makes: Makes, args: Vec<Value>) -> Result<Node<'a>> {
        let strange = || format!("calls {name} with arguments that it does not take");
        match (makes, args.as_slice()) {
            (Makes::Dict | Makes::Namespace, []) | (Makes::DefaultDict, _) => {
                let has_attributes = makes == Makes::Namespace;
                Ok(Node::Dict(Dict { entries: Vec::new(), has_attributes }))
            }
            (Makes::Dict | Makes::Namespace, [from]) => {
                let entries = self.copied_entries(*from)?;
                Ok(Node::Dict(Dict { entries, has_attributes: makes == Makes::Namespace }))
            }
            (Makes::Set, []) => Ok(Node::List(Vec::new())),
            (Makes::Set, [from]) => Ok(Node::List(self.elements(*from)?)),
            (Makes::Tuple, [from]) => Ok(Node::Tuple(self.elements(*from)?)),
            (Makes::Bytes, [text, ..]) => match self.node(*text) {
                Some(Node::Text(text)) => Ok(Node::Bytes(Cow::Owned(bytes_of_latin1(text)?))),
                _ => Err(strange()),
            },
            (Makes::Call, _) => Ok(Node::Call(name, args)),
            _ => Err(strange()),
        }
    }

    /// Entries from another dictionary or from a list of pairs.
    fn copied_entries(&mut self, from: Value) -> Result<Vec<(Value, Value)>> {
        if let Some(Node::Dict(dict)) = self.node(from) {
            let entries = dict.entries.clone();
            self.count(2 * entries.len())?;
            return Ok(entries);
        }
        let mut entries = Vec::new();
        for pair in self.elements(from)? {
            entries.extend(pairs(&self.elements(pair)?)?);
        }
        Ok(entries)
    }

    /// Gives an object its state.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let object = self.top()?;
        let attributes = match self.node(state) {
            Some(Node::Dict(dict)) => Some(dict.entries.clone()),
            _ => None,
        };
        self.count(1 + attributes.as_ref().map_or(0, Vec::len) * 2)?;
        match self.node_mut(object) {
            Some(Node::Dict(dict)) => {
                let entries = attributes.filter(|_| dict.has_attributes);
                dict.entries.extend(entries.unwrap_or_default());
                Ok(())
            }
            Some(Node::Call(_, args)) => {
                args.push(state);
                Ok(())
            }
            _ => Err("gives a state to what has none".into()),
        }
    }
}

/// Keys and values in turn.
fn pairs(values: &[Value]) -> Result<Vec<(Value, Value)>> {
    let (pairs, rest) = values.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err("a key without a value".into()),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

fn bytes_of_latin1(text: &str) -> Result<Vec<u8>> {
    let byte = |c: char| u8::try_from(c).map_err(|_| "bytes beyond 255".to_owned());
    text.chars().map(byte).collect()
}
