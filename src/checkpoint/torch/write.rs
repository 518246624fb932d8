//! A zip file as `torch.save` writes it, of a tree of dictionaries, plain values and tensors.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use serde_json::Value as Json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::pickle::Writer;
use crate::Result;
use crate::files::create_atomically;

/// What a file is to hold.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) enum Tree<'a> {
    /// A dictionary with texts or, where they are written as digits, whole numbers as keys.
    Dict(Vec<(String, Tree<'a>)>),
    /// A state dictionary.
    Ordered(Vec<(String, Tree<'a>)>),
    /// Arguments of a command.
    Namespace(Vec<(String, Tree<'a>)>),
    /// Elements one after another.
    List(Vec<Tree<'a>>),
    /// None, a boolean, a number or a text; lists and dictionaries of them.
    Plain(Json),
    /// Sizes and numbers.
    Tensor(Vec<usize>, Cow<'a, [f32]>),
    /// Sizes and numbers in double precision.
    Double(Vec<usize>, Vec<f64>),
}

/// Storages start at multiples of this, as PyTorch's own do.
const ALIGNMENT: u16 = 64;

/// Writes a file atomically.
///
/// # Errors
/// When the system refuses.
pub(in crate::checkpoint) fn write(path: &Path, tree: &Tree) -> Result<()> {
    let folder = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    create_atomically(path, |file| {
        let (mut pickle, mut storages) = (Writer::new(), Vec::new());
        put(&mut pickle, tree, &mut storages);
        let mut zip = ZipWriter::new(std::io::BufWriter::new(file));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true)
            .with_alignment(ALIGNMENT);
        let mut member = |name: &str, bytes: &[u8]| {
            zip.start_file(format!("{folder}/{name}"), options)?;
            zip.write_all(bytes)
        };
        member("data.pkl", &pickle.finish())?;
        member("byteorder", b"little")?;
        for (key, bytes) in storages.iter().enumerate() {
            member(&format!("data/{key}"), bytes)?;
        }
        member("version", b"3\n")?;
        zip.finish()?.flush()
    })
}

/// Bytes of the storages, whose keys are their numbers.
type Storages<'a> = Vec<Cow<'a, [u8]>>;

fn put<'a>(pickle: &mut Writer, tree: &'a Tree, storages: &mut Storages<'a>) {
    match tree {
        Tree::Dict(entries) => pickle.dict(|p| put_entries(p, entries, storages)),
        Tree::Ordered(entries) => {
            pickle.call(("collections", "OrderedDict"), |_| {});
            pickle.entries(|p| put_entries(p, entries, storages));
        }
        Tree::Namespace(entries) => {
            pickle.object(("argparse", "Namespace"), |p| put_entries(p, entries, storages));
        }
        Tree::List(elements) => pickle.list(|p| {
            elements.iter().for_each(|element| put(p, element, storages));
        }),
        Tree::Plain(value) => put_plain(pickle, value),
        Tree::Tensor(shape, values) => {
            storages.push(bytemuck::cast_slice(values).into());
            put_tensor(pickle, shape, "FloatStorage", storages.len() - 1);
        }
        Tree::Double(shape, values) => {
            storages.push(bytemuck::cast_slice(values).into());
            put_tensor(pickle, shape, "DoubleStorage", storages.len() - 1);
        }
    }
}

fn put_entries<'a>(
    pickle: &mut Writer,
    entries: &'a [(String, Tree<'a>)],
    storages: &mut Storages<'a>,
) {
    for (key, value) in entries {
        match key.parse() {
            Ok(number) => pickle.int(number),
            Err(_) => pickle.text(key),
        }
        put(pickle, value, storages);
    }
}

fn put_plain(pickle: &mut Writer, value: &Json) {
    match value {
        Json::Null => pickle.none(),
        Json::Bool(value) => pickle.bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(n) => pickle.int(n),
            None => pickle.float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => pickle.text(text),
        Json::Array(elements) => {
            pickle.list(|p| elements.iter().for_each(|element| put_plain(p, element)));
        }
        Json::Object(entries) => pickle.dict(|p| {
            for (key, value) in entries {
                p.text(key);
                put_plain(p, value);
            }
        }),
    }
}

/// A contiguous tensor that fills storage `key`.
fn put_tensor(pickle: &mut Writer, shape: &[usize], class: &str, key: usize) {
    let count: usize = shape.iter().product();
    let mut strides: Vec<usize> = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let numbers = |p: &mut Writer, all: &[usize]| {
        p.tuple(|p| all.iter().for_each(|&n| p.int(n as i64)));
    };
    pickle.call(("torch._utils", "_rebuild_tensor_v2"), |p| {
        p.persistent(|p| {
            p.text("storage");
            p.name("torch", class);
            p.text(&key.to_string());
            p.text("cpu");
            p.int(count as i64);
        });
        p.int(0);
        numbers(p, shape);
        numbers(p, &strides);
        p.bool(false);
        p.call(("collections", "OrderedDict"), |_| {});
    });
}
