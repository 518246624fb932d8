//! Every kernel text without a GPU: it composes, validates, stays inside the portable limits, keeps
//! our rules, and translates to the languages of every backend. So does what codegen prints.

use std::path::{Path, PathBuf};

use naga::back::{glsl, hlsl, msl, spv};
use naga::valid::ModuleInfo;
use semgan::device::{Kernel, kernel};
use semgan::ops::pointwise::{self, Expr};

const MAX_BUFFERS: usize = 8;
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_BYTES: u32 = 16 * 1024;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every kernel file below `shaders/`; helpers have no entry point of their own.
fn kernels() -> Vec<Kernel> {
    let folder = root().join("shaders");
    let mut pending = vec![folder.clone()];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = path.read_dir().expect("a folder").map(|e| e.expect("an entry").path());
            pending.extend(entries.filter(|p| *p != folder.join("common")));
        } else {
            let name = path.strip_prefix(&folder).expect("below").with_extension("");
            let name = name.to_str().expect("UTF-8").replace('\\', "/");
            let source = std::fs::read_to_string(&path).expect("readable");
            found.push(Kernel { name: name.into(), source: source.into() });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 4, "no kernels below {}", folder.display());
    found
}

/// Values, first and second derivatives of a wide sample of expressions.
fn generated() -> Vec<Kernel> {
    let [x, y, z] = Expr::inputs();
    let unary: [fn(&Expr) -> Expr; 17] = [
        |x| -x.clone(),
        Expr::abs,
        Expr::sign,
        Expr::exp,
        Expr::log,
        Expr::sqrt,
        Expr::rsqrt,
        Expr::recip,
        Expr::sigmoid,
        Expr::tanh,
        Expr::softplus,
        Expr::sin,
        Expr::cos,
        Expr::acos,
        Expr::floor,
        Expr::round,
        |x| x.powf(1.7),
    ];
    let mut sample: Vec<Expr> = unary.map(|f| f(&x)).to_vec();
    sample.extend(unary.map(|f| f(&(x.clone() * 0.3 + y.clone())) * z.clone()));
    sample.extend([
        x.clone() + y.clone(),
        x.clone() - y.clone(),
        x.clone() * y.clone(),
        x.clone() / y.clone(),
        x.max(y.clone()),
        x.min(y.clone()),
        x.greater(y.clone()),
        x.equal(y.clone()),
        x.greater(0.0).select(y.clone(), z.clone()),
        (x.clone() + y.clone() * 0.1 + z.clone()).leaky_relu(0.2) * 2f64.sqrt(),
        x.powf(-3.0) + 1.0,
        (0..7).map(|k| Expr::input(k) * (k as f64 + 0.5)).reduce(|a, b| a + b).expect("seven"),
    ]);
    let slopes = |all: &[Expr]| -> Vec<Expr> {
        all.iter().flat_map(|e| (0..3).filter_map(|k| e.diff(k))).collect()
    };
    let first = slopes(&sample);
    let second = slopes(&first);
    let all = sample.into_iter().chain(first).chain(second);
    all.flat_map(|e| pointwise::kernels(&e)).collect()
}

fn all() -> Vec<Kernel> {
    kernels().into_iter().chain(generated()).collect()
}

fn validated(k: &Kernel) -> (naga::Module, ModuleInfo) {
    let text = kernel::compose(k).unwrap_or_else(|e| panic!("{e}"));
    kernel::validate(k, &text).unwrap_or_else(|e| panic!("{e}"))
}

/// The module with its overrides at their defaults, which the writers need.
fn specialised(k: &Kernel) -> (naga::Module, ModuleInfo) {
    let (module, info) = validated(k);
    let constants = naga::back::PipelineConstants::default();
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, None, &constants)
            .unwrap_or_else(|e| panic!("{}: {e}", k.name));
    (module.into_owned(), info.into_owned())
}

#[test]
fn every_kernel_keeps_the_rules_and_the_portable_limits() {
    for k in all() {
        let (module, _) = specialised(&k);
        let interface = kernel::reflect(&k, &module).unwrap_or_else(|e| panic!("{e}"));
        assert!(interface.buffers.len() <= MAX_BUFFERS, "{}: too many buffers", k.name);
        let writes: Vec<bool> = interface.buffers.iter().map(|b| b.is_written).collect();
        assert!(writes.is_sorted(), "{}: inputs first, then outputs", k.name);
        let first = usize::from(!interface.params.is_empty());
        for (place, binding) in interface.buffers.iter().enumerate() {
            assert_eq!(binding.number as usize, place + first, "{}: binding numbers", k.name);
        }
        let invocations: u32 = module.entry_points[0].workgroup_size.iter().product();
        assert!(invocations <= MAX_INVOCATIONS, "{}: {invocations} invocations", k.name);
        let bytes = workgroup_bytes(&module);
        assert!(bytes <= MAX_WORKGROUP_BYTES, "{}: {bytes} bytes per workgroup", k.name);
    }
}

fn workgroup_bytes(module: &naga::Module) -> u32 {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("a valid module");
    let shared = |v: &naga::GlobalVariable| v.space == naga::AddressSpace::WorkGroup;
    let globals = module.global_variables.iter().map(|(_, v)| v);
    globals.filter(|v| shared(v)).map(|v| layouter[v.ty].size).sum()
}

#[test]
fn every_kernel_translates_to_every_backend() {
    for k in all() {
        let (module, info) = specialised(&k);
        let name = &k.name;
        let spirv = spv::write_vec(&module, &info, &spv::Options::default(), None);
        assert!(!spirv.unwrap_or_else(|e| panic!("{name}: SPIR-V: {e}")).is_empty());
        let options = msl::Options { fake_missing_bindings: true, ..Default::default() };
        msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
            .unwrap_or_else(|e| panic!("{name}: MSL: {e}"));
        write_hlsl(&k, &module, &info);
        write_glsl(&k, &module, &info);
    }
}

fn write_hlsl(k: &Kernel, module: &naga::Module, info: &ModuleInfo) {
    let options =
        hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..hlsl::Options::default() };
    let pipeline = hlsl::PipelineOptions::default();
    let mut out = String::new();
    hlsl::Writer::new(&mut out, &options, &pipeline)
        .write(module, info, None)
        .unwrap_or_else(|e| panic!("{}: HLSL: {e}", k.name));
}

fn write_glsl(k: &Kernel, module: &naga::Module, info: &ModuleInfo) {
    let options =
        glsl::Options { version: glsl::Version::new_gles(310), ..glsl::Options::default() };
    let pipeline = glsl::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: "main".into(),
        multiview: None,
    };
    let policies = naga::proc::BoundsCheckPolicies::default();
    let mut out = String::new();
    glsl::Writer::new(&mut out, module, info, &options, &pipeline, policies)
        .and_then(|mut writer| writer.write())
        .unwrap_or_else(|e| panic!("{}: GLSL: {e}", k.name));
}

#[test]
fn every_kernel_has_an_operation_of_its_path_or_says_why_not() {
    for k in kernels() {
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
    for k in kernels() {
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
        let k = Kernel { name: "broken".into(), source: source.into() };
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
