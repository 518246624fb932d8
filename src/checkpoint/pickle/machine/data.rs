//! Instructions that make data: numbers, text, bytes, containers, and the memo.

use std::borrow::Cow;

use super::super::{Dict, Node, Value};
use super::{MAX_NODES, MAX_PROTOCOL, Machine, Result};

/// Numbers, text, bytes.
impl<'a> Machine<'a> {
    pub(super) fn protocol(&mut self) -> Result<()> {
        match self.byte()? {
            0..=MAX_PROTOCOL => Ok(()),
            n => Err(format!("protocol {n}; this program reads up to {MAX_PROTOCOL}")),
        }
    }

    pub(super) fn number(&mut self, code: u8) -> Result<()> {
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
    pub(super) fn long(&mut self, code: u8) -> Result<()> {
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

    pub(super) fn text(&mut self, code: u8) -> Result<()> {
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

    pub(super) fn byte_string(&mut self, code: u8) -> Result<()> {
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
    pub(super) fn tuple(&mut self, code: u8) -> Result<()> {
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

    pub(super) fn list(&mut self, code: u8) -> Result<()> {
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

    pub(super) fn dict(&mut self, code: u8) -> Result<()> {
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
    pub(super) fn memory(&mut self, code: u8) -> Result<()> {
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

/// Keys and values in turn.
pub(super) fn pairs(values: &[Value]) -> Result<Vec<(Value, Value)>> {
    let (pairs, rest) = values.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err("a key without a value".into()),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}
