//! The names that a checkpoint may refer to, and what an object of each is.

/// What a call of a name makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    /// A dictionary, from nothing, from a list of pairs or from another one.
    Dict,
    /// A dictionary whose first argument makes missing entries.
    DefaultDict,
    /// A dictionary whose attributes are its entries.
    Namespace,
    /// A list without an order, from a list.
    Set,
    /// A tuple, from a list.
    Tuple,
    /// Bytes, from text in Latin-1.
    Bytes,
    /// What the reader of tensors understands.
    Call,
    /// Nothing: it is only named.
    Nothing,
}

/// The name as it is spelled in the list.
pub(super) fn known(module: &str, name: &str) -> Option<&'static str> {
    let storage = || {
        let name = STORAGES.iter().find(|storage| **storage == name)?;
        matches!(module, "torch" | "torch.cuda").then_some(*name)
    };
    let entry = LIST.iter().find(|(m, n, _)| *m == module && *n == name);
    entry.map(|(_, name, _)| *name).or_else(storage)
}

/// What to say of a name that is not on the list.
pub(super) fn advice(module: &str) -> &'static str {
    match module.split('.').next() {
        Some("dnnlib") => {
            "is of a network of TensorFlow (legacy.py of stylegan2-ada-pytorch converts those)"
        }
        Some("torch" | "model" | "models" | "network" | "networks" | "training") => {
            "no checkpoint needs (of a whole model, save its state_dict)"
        }
        _ => "no checkpoint needs",
    }
}

/// What a call of a name of the list makes.
pub(super) fn makes(name: &str) -> Makes {
    LIST.iter().find(|(_, n, _)| *n == name).map_or(Nothing, |(.., makes)| *makes)
}

use Makes::{Bytes, Call, DefaultDict, Dict, Namespace, Nothing, Set, Tuple};

/// Module, name, what a call makes. Python 2 and 3 and several versions of NumPy call the same by
/// different modules.
static LIST: &[(&str, &str, Makes)] = &[
    ("collections", "OrderedDict", Dict),
    ("collections", "defaultdict", DefaultDict),
    ("collections", "Counter", Dict),
    ("dnnlib.util", "EasyDict", Namespace),
    ("argparse", "Namespace", Namespace),
    ("builtins", "dict", Dict),
    ("__builtin__", "dict", Dict),
    ("builtins", "set", Set),
    ("__builtin__", "set", Set),
    ("builtins", "frozenset", Set),
    ("__builtin__", "frozenset", Set),
    ("builtins", "list", Nothing),
    ("__builtin__", "list", Nothing),
    ("torch", "Size", Tuple),
    ("_codecs", "encode", Bytes),
    ("torch._utils", "_rebuild_tensor", Call),
    ("torch._utils", "_rebuild_tensor_v2", Call),
    ("torch._utils", "_rebuild_parameter", Call),
    ("torch.storage", "_load_from_bytes", Call),
    ("torch_utils.persistence", "_reconstruct_persistent_obj", Call),
    ("numpy.core.multiarray", "scalar", Call),
    ("numpy._core.multiarray", "scalar", Call),
    ("numpy.core.multiarray", "_reconstruct", Call),
    ("numpy._core.multiarray", "_reconstruct", Call),
    ("numpy", "ndarray", Nothing),
    ("numpy", "dtype", Call),
];

/// The classes of PyTorch's storages, each of one type of number.
static STORAGES: &[&str] = &[
    "DoubleStorage",
    "FloatStorage",
    "HalfStorage",
    "BFloat16Storage",
    "LongStorage",
    "IntStorage",
    "ShortStorage",
    "CharStorage",
    "ByteStorage",
    "BoolStorage",
];
