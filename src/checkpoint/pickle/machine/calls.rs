//! Instructions that name code and would call it: what they say is kept, and nothing is called.

use std::borrow::Cow;

use super::super::names::{self, Makes};
use super::super::{Dict, Node, Value};
use super::data::pairs;
use super::{Machine, Result};

/// Names and calls.
impl<'a> Machine<'a> {
    pub(super) fn name(&mut self, code: u8) -> Result<()> {
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

    pub(super) fn pop_text(&mut self) -> Result<Cow<'a, str>> {
        let value = self.pop()?;
        match self.node(value) {
            Some(Node::Text(text)) => Ok(text.clone()),
            _ => Err("takes for a name what is no text".into()),
        }
    }

    pub(super) fn call(&mut self, code: u8) -> Result<()> {
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
    pub(super) fn made(
        &mut self,
        name: &'static str,
        makes: Makes,
        args: Vec<Value>,
    ) -> Result<Node<'a>> {
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
    pub(super) fn copied_entries(&mut self, from: Value) -> Result<Vec<(Value, Value)>> {
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
    pub(super) fn build(&mut self) -> Result<()> {
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

fn bytes_of_latin1(text: &str) -> Result<Vec<u8>> {
    let byte = |c: char| u8::try_from(c).map_err(|_| "bytes beyond 255".to_owned());
    text.chars().map(byte).collect()
}
