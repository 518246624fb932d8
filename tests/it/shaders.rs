//! Every kernel text without a GPU: it composes, validates, stays inside the portable limits, keeps
//! our rules, and translates to the languages of every backend. So does what codegen prints.

use std::path::{Path, PathBuf};

use semgan::device::Kernel;
use semgan::device::kernel::{self, Specialised};
use semgan::ops::pointwise::{self, Expr};

use crate::kernel_texts::{CHOSEN, all, hand_written};

const MAX_BUFFERS: usize = 8;
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_BYTES: u32 = 16 * 1024;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_kernel_keeps_the_rules_and_the_portable_limits() {
    for (k, overrides) in all() {
        let kernel = Specialised::new(&k, &overrides).unwrap_or_else(|e| panic!("{e}"));
        let interface = kernel::reflect(&k, &kernel.module).unwrap_or_else(|e| panic!("{e}"));
        assert!(interface.buffers.len() <= MAX_BUFFERS, "{}: too many buffers", k.name);
        let writes: Vec<bool> = interface.buffers.iter().map(|b| b.is_written).collect();
        assert!(writes.is_sorted(), "{}: inputs first, then outputs", k.name);
        let first = usize::from(!interface.params.is_empty());
        for (place, binding) in interface.buffers.iter().enumerate() {
            assert_eq!(binding.number as usize, place + first, "{}: binding numbers", k.name);
        }
        let invocations: u32 = kernel.module.entry_points[0].workgroup_size.iter().product();
        assert!(invocations <= MAX_INVOCATIONS, "{}: {invocations} invocations", k.name);
        let bytes = kernel.workgroup_bytes();
        assert!(bytes <= MAX_WORKGROUP_BYTES, "{}: {bytes} bytes per workgroup", k.name);
    }
}

#[test]
fn every_constant_that_an_operation_chooses_is_tried() {
    let mut pending = vec![root().join("src/ops")];
    let mut chosen = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(path.read_dir().expect("a folder").map(|e| e.expect("an entry").path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let names = text.split(".constant(").skip(1).map(|rest| {
            let quoted = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
            quoted.map_or_else(|| panic!("{}: no name", path.display()), |(name, _)| name)
        });
        chosen.extend(names.map(str::to_string));
    }
    chosen.sort_unstable();
    chosen.dedup();
    assert_eq!(chosen, CHOSEN.map(|(name, _)| name), "tests/it/kernel_texts.rs lists them");
    for name in chosen {
        let is_tried =
            |(_, overrides): &(_, Vec<(&str, f64)>)| overrides.iter().any(|o| o.0 == name);
        assert!(all().iter().any(is_tried), "no kernel declares {name}");
    }
}

#[test]
fn every_kernel_translates_to_every_backend() {
    for (k, overrides) in all() {
        let kernel = Specialised::new(&k, &overrides).unwrap_or_else(|e| panic!("{e}"));
        assert!(!kernel.spirv().unwrap_or_else(|e| panic!("{e}")).is_empty());
        for text in [kernel.msl(), kernel.hlsl(), kernel.glsl()] {
            assert!(text.unwrap_or_else(|e| panic!("{e}")).contains("main"), "{}", k.name);
        }
    }
}

#[test]
fn every_kernel_has_an_operation_of_its_path_or_says_why_not() {
    for k in hand_written() {
        let ops = root().join("src/ops");
        let path = Path::new(k.name.as_ref());
        let own = ops.join(path).with_extension("rs");
        // A folder of kernels may belong to the one operation of its name.
        let folder = path.parent().filter(|p| p.components().next().is_some());
        let family = folder.map(|p| ops.join(p).with_extension("rs"));
        let has_op = own.is_file() || family.is_some_and(|p| p.is_file());
        let says_where = k.source.lines().take_while(|l| l.starts_with("//")).any(|l| {
            let mut words = l.split_whitespace().map(|w| w.trim_end_matches(['.', ',', ';', ':']));
            words.any(|w| w.ends_with(".rs") && root().join(w).is_file())
        });
        assert!(has_op || says_where, "{}: no operation of its path, none in its head", k.name);
    }
}

#[test]
fn every_kernel_opens_with_a_comment_and_fits_100_columns() {
    for k in hand_written() {
        assert!(k.source.starts_with("// "), "{}: no head comment", k.name);
        let wide = k.source.lines().position(|l| l.chars().count() > 100);
        assert_eq!(wide.map(|line| line + 1), None, "{}: a line over 100 columns", k.name);
    }
}

#[test]
fn texts_depend_on_steps_and_never_on_numbers() {
    let text = |factor: f64| {
        let kernels = pointwise::kernels(&(Expr::input(0) * factor + 0.3).leaky_relu(factor));
        kernels.map(|k| k.source.into_owned())
    };
    assert_eq!(text(0.2), text(123.4));
}

#[test]
fn a_refused_kernel_names_its_file_and_line() {
    let refused = |source: &'static str| {
        let k = Kernel::new("broken", source);
        let checked = kernel::compose(&k)
            .and_then(|text| kernel::validate(&k, &text))
            .and_then(|(module, _)| kernel::reflect(&k, &module));
        checked.expect_err("refused").to_string()
    };
    let unknown = refused("@compute @workgroup_size(1)\nfn main() {\n    nothing();\n}\n");
    assert!(unknown.contains("broken.wgsl:3"), "{unknown}");
    assert!(refused("// uses: nothing\n").contains("shaders/common/nothing.wgsl"));
    assert!(refused("@compute @workgroup_size(1) fn start() {}").contains("`main`"));
    let wide = "struct Params { a: vec3<f32> }\n\
                @group(0) @binding(0) var<uniform> params: Params;\n\
                @compute @workgroup_size(1) fn main() { let a = params.a; }";
    assert!(refused(wide).contains("u32, i32 and f32 only"));
}
