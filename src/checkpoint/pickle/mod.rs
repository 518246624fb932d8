//! Python pickles, read without running them.
//!
//! A pickle is a program for a stack machine whose instructions may call any function by name. This
//! machine ([`machine`]) knows the instructions that build data; a name ([`names`]) has to be on a
//! short list, and a call of one is kept as what it says ([`Node::Call`]) and never made. What comes
//! out is a [`Document`]: nodes in one flat list that refer to each other by number, so that neither
//! cycles nor deep nesting nor lists shared a thousand times cost more than their bytes.
//!
//! Reference: the instruction table of Python's `pickletools`, protocols 1 to 5.

mod machine;
mod names;
mod write;

use std::borrow::Cow;

pub(super) use machine::{parse, parse_whole};
pub(super) use write::Writer;

/// A value of the document: a small one itself, or the number of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// `None`
    None,
    /// `True` and `False`
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// Anything else.
    Node(u32),
}

/// What a value stands for that does not fit in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    /// A whole number beyond 64 bits.
    Big(i128),
    /// `str`
    Text(Cow<'a, str>),
    /// `bytes` and `bytearray`
    Bytes(Cow<'a, [u8]>),
    /// `list` and `set`
    List(Vec<Value>),
    /// `tuple`
    Tuple(Vec<Value>),
    /// `dict` and what is like one.
    Dict(Dict),
    /// A class or a function of the list of names.
    Name(&'static str),
    /// What the file calls: a name and its arguments.
    Call(&'static str, Vec<Value>),
    /// What lies outside the pickle, by its description.
    Persistent(Value),
}

/// A dictionary's entries, in the order of the file. Of equal keys the last one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dict {
    entries: Vec<(Value, Value)>,
    /// Whether what the file gives the object as its attributes are entries, too.
    has_attributes: bool,
}

/// The data of a pickle.
#[derive(Debug)]
pub(super) struct Document<'a> {
    nodes: Vec<Node<'a>>,
    pub(super) root: Value,
}

impl<'a> Document<'a> {
    /// What a value stands for, where it is a node.
    pub(super) fn node(&self, value: Value) -> Option<&Node<'a>> {
        match value {
            Value::Node(id) => self.nodes.get(id as usize),
            _ => None,
        }
    }

    /// Descriptions of everything that lies outside the pickle.
    pub(super) fn persistent(&self) -> impl Iterator<Item = Value> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Persistent(description) => Some(*description),
            _ => None,
        })
    }

    /// The text of a string.
    pub(super) fn text(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a byte string.
    pub(super) fn bytes(&self, value: Value) -> Option<&[u8]> {
        match self.node(value)? {
            Node::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub(super) fn elements(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(elements) | Node::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The entries of a dictionary.
    pub(super) fn entries(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value)? {
            Node::Dict(dict) => Some(&dict.entries),
            _ => None,
        }
    }

    /// The entry of a dictionary under a text.
    pub(super) fn get(&self, dict: Value, key: &str) -> Option<Value> {
        let mut entries = self.entries(dict)?.iter().rev();
        entries.find(|(name, _)| self.text(*name) == Some(key)).map(|(_, value)| *value)
    }

    /// Arguments of a call of a name.
    pub(super) fn call(&self, value: Value) -> Option<(&'static str, &[Value])> {
        match self.node(value)? {
            Node::Call(name, args) => Some((name, args)),
            _ => None,
        }
    }

    /// A whole number that is a size, an offset or a count.
    pub(super) fn size(&self, value: Value) -> Option<usize> {
        match value {
            Value::Int(n) => usize::try_from(n).ok(),
            _ => None,
        }
    }
}
