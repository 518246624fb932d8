//! A kernel's text before any driver sees it: helpers joined, checked by naga, and reflected, so
//! that the host binds by name and no list of bindings exists twice. Needs no GPU.
//!
//! What no driver and no validator objects to, and what then differs from GPU to GPU, [`check`]
//! finds: barriers that not every invocation reaches (`uniform.rs`), and workgroup memory that is
//! raced for or read before it is written (`race.rs` follows a kernel's statements, `evaluate.rs`
//! its expressions). [`translate`] writes a kernel in the language of each backend.

mod choices;
mod evaluate;
mod lanes;
mod race;
mod state;
pub mod translate;
mod uniform;
mod unroll;

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, ScalarKind, StorageAccess, TypeInner};

pub use self::translate::Specialised;
use super::{Dtype, Kernel, Param};
use crate::{Error, Result};

macro_rules! helpers {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/shaders/common/", $name, ".wgsl"
        )))),*]
    };
}

/// Files that a `// uses:` line may name.
const HELPERS: &[(&str, &str)] =
    helpers!("gemm" "index" "math" "patch" "philox" "reduce" "runs" "tile");

/// What a kernel wants from the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Fields of `params`, binding 0; empty where the kernel takes none.
    pub params: Vec<Field>,
    /// Bytes of `params`, 0 where there is none.
    pub params_bytes: u32,
    /// Storage bindings in the order of their numbers.
    pub buffers: Vec<Binding>,
}

/// A field of `Params`: always four bytes, so that layout rules never bite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name in the kernel.
    pub name: String,
    /// Bytes from the start of the struct.
    pub offset: u32,
    kind: ScalarKind,
}

/// A storage binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Name in the kernel.
    pub name: String,
    /// Binding number in group 0.
    pub number: u32,
    /// Declared `read_write`.
    pub is_written: bool,
    /// Element type: integers of either sign count as [`Dtype::I32`].
    pub dtype: Dtype,
}

impl Field {
    /// The value's bytes, or `None` where its type is not the field's.
    pub(super) fn encode(&self, value: Param) -> Option<[u8; 4]> {
        match (self.kind, value) {
            (ScalarKind::Uint, Param::U32(v)) => Some(v.to_le_bytes()),
            (ScalarKind::Sint, Param::I32(v)) => Some(v.to_le_bytes()),
            (ScalarKind::Float, Param::F32(v)) => Some(v.to_le_bytes()),
            _ => None,
        }
    }
}

fn refused(kernel: &Kernel, log: impl Into<String>) -> Error {
    Error::Shader { kernel: kernel.name.to_string(), log: log.into() }
}

/// The final text: the kernel's own lines first, so that messages carry its own line numbers, then
/// every helper that a `// uses:` line names, once. Marked loops are written out (`unroll.rs`).
///
/// # Errors
/// When a helper does not exist, or a marked loop is malformed.
pub fn compose(kernel: &Kernel) -> Result<String> {
    let mut text = unroll::expand(&kernel.source, kernel.subgroup)
        .map_err(|(line, rule)| refused(kernel, format!("{}.wgsl:{line}: {rule}", kernel.name)))?;
    let mut pending: Vec<&str> = uses(&kernel.source).collect();
    let mut joined: Vec<&str> = Vec::new();
    while let Some(name) = pending.pop() {
        if joined.contains(&name) {
            continue;
        }
        let Some((name, helper)) = HELPERS.iter().find(|(known, _)| *known == name) else {
            return Err(refused(kernel, format!("shaders/common/{name}.wgsl does not exist")));
        };
        joined.push(name);
        pending.extend(uses(helper));
        text.push('\n');
        text.push_str(helper);
    }
    Ok(text)
}

fn uses(source: &str) -> impl Iterator<Item = &str> {
    let lists = source.lines().filter_map(|line| line.strip_prefix("// uses:"));
    lists.flat_map(|list| list.split(',').map(str::trim))
}

/// Parses and validates a composed text, with everything allowed that some adapter offers.
///
/// # Errors
/// [`Error::Shader`] with naga's message.
pub fn validate(kernel: &Kernel, text: &str) -> Result<(naga::Module, ModuleInfo)> {
    let path = format!("{}.wgsl", kernel.name);
    let module = naga::front::wgsl::parse_str(text)
        .map_err(|e| refused(kernel, e.emit_to_string_with_path(text, &path)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|e| refused(kernel, e.emit_to_string_with_path(text, &path)))?;
    Ok((module, info))
}

/// A rule that a kernel breaks, and where in its composed text.
#[derive(Debug)]
struct Broken {
    span: naga::Span,
    rule: String,
    /// The other place that has to do with it.
    cause: Option<naga::Span>,
}

/// Checks what every GPU needs and hardly any compiler refuses, for the values that `overrides`
/// gives to the kernel's `override` constants:
///
/// - Barriers and subgroup operations stand where all invocations of a workgroup arrive together.
///   Whether they do may follow from constants, `params`, read-only buffers, the workgroup's number,
///   `workgroupUniformLoad`, and variables that hold nothing else.
/// - No element of workgroup memory that one invocation writes is read or written by another without
///   a `workgroupBarrier` between, and none is read that nothing has written.
/// - A helper of `shaders/common` may be called twice in a row.
///
/// The second rule is checked by following one workgroup through the kernel with every index that
/// the invocations' numbers and constants determine; any other index counts as every element. Both
/// ways of an unknown condition are followed, once per combination where it is one on `params`
/// alone, and a loop of unknown length for four rounds.
/// Storage buffers are not looked at, nor functions that `main` does not reach.
///
/// # Errors
/// [`Error::Shader`] with file, line and the broken rule.
pub fn check(kernel: &Kernel, overrides: &[(&str, f64)]) -> Result<()> {
    check_composed(kernel, compose(kernel)?, overrides)
}

/// As [`check`], of a text that [`compose`] gave.
///
/// # Errors
/// As [`check`].
pub fn check_composed(kernel: &Kernel, text: String, overrides: &[(&str, f64)]) -> Result<()> {
    let Specialised { text, module, info, .. } = Specialised::composed(kernel, text, overrides)?;
    reflect(kernel, &module)?;
    uniform::check(&module)
        .and_then(|parting| race::check(&module, &info, &parting, kernel.source.len()))
        .map_err(|broken| refused(kernel, describe(kernel, &text, &broken)))
}

/// File, line, rule and the line itself, as in a message of naga.
fn describe(kernel: &Kernel, text: &str, broken: &Broken) -> String {
    let place = broken.span.location(text);
    let line = text.lines().nth(place.line_number as usize - 1).unwrap_or_default().trim();
    let cause = broken.cause.map(|span| format!(" at {}", locate(kernel, text, span)));
    let rule = format!("{}{}", broken.rule, cause.unwrap_or_default());
    format!("{}: {rule}\n    {line}", locate(kernel, text, broken.span))
}

/// `file:line` of a place in a composed text.
fn locate(kernel: &Kernel, text: &str, span: naga::Span) -> String {
    let start = span.to_range().map_or(0, |range| range.start);
    let helper = HELPERS.iter().find_map(|(name, helper)| {
        let begin = kernel.source.len() + text.get(kernel.source.len()..)?.find(helper)?;
        (begin..begin + helper.len()).contains(&start).then_some((name, begin))
    });
    let line = |begin: usize| text[begin..start].matches('\n').count() + 1;
    match helper {
        Some((name, begin)) => format!("common/{name}.wgsl:{}", line(begin)),
        None => format!("{}.wgsl:{}", kernel.name, line(0)),
    }
}

/// Bindings and parameters of a validated module, which has to keep our rules: entry point `main`,
/// group 0, `params` at binding 0 with four-byte fields.
///
/// # Errors
/// [`Error::Shader`] naming the broken rule.
pub fn reflect(kernel: &Kernel, module: &naga::Module) -> Result<Interface> {
    if module.entry_points.len() != 1 || module.entry_points[0].name != "main" {
        return Err(refused(kernel, "a kernel has one entry point, `main`"));
    }
    let mut interface = Interface::default();
    for (_, global) in module.global_variables.iter() {
        let Some(place) = &global.binding else { continue };
        let name = global.name.clone().unwrap_or_default();
        let inner = &module.types[global.ty].inner;
        match (global.space, place.group, place.binding) {
            (AddressSpace::Uniform, 0, 0) if name == "params" => {
                (interface.params, interface.params_bytes) = fields(module, inner)
                    .ok_or_else(|| refused(kernel, "`params` holds u32, i32 and f32 only"))?;
            }
            (AddressSpace::Storage { access }, 0, number) => {
                let dtype = element(module, inner).ok_or_else(|| {
                    refused(kernel, format!("`{name}` is no array of f32, i32 or u32"))
                })?;
                let is_written = access.contains(StorageAccess::STORE);
                interface.buffers.push(Binding { name, number, is_written, dtype });
            }
            _ => return Err(refused(kernel, format!("`{name}` is bound against the rules"))),
        }
    }
    interface.buffers.sort_by_key(|b| b.number);
    Ok(interface)
}

fn fields(module: &naga::Module, inner: &TypeInner) -> Option<(Vec<Field>, u32)> {
    let TypeInner::Struct { members, span } = inner else { return None };
    let field = |m: &naga::StructMember| match module.types[m.ty].inner {
        TypeInner::Scalar(s) if s.width == 4 => {
            Some(Field { name: m.name.clone()?, offset: m.offset, kind: s.kind })
        }
        _ => None,
    };
    Some((members.iter().map(field).collect::<Option<_>>()?, span.next_multiple_of(16)))
}

/// Element type of a run-time array of scalars, vectors or atomics.
fn element(module: &naga::Module, inner: &TypeInner) -> Option<Dtype> {
    let TypeInner::Array { base, .. } = inner else { return None };
    let scalar = match module.types[*base].inner {
        TypeInner::Scalar(s) | TypeInner::Atomic(s) | TypeInner::Vector { scalar: s, .. } => s,
        _ => return None,
    };
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => Some(Dtype::F32),
        (ScalarKind::Sint | ScalarKind::Uint, 4) => Some(Dtype::I32),
        _ => None,
    }
}
