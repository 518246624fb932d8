//! Numbers that an independent program computed, on every device; and that the runner which
//! compares them lets nothing pass.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use semgan::Device;
use semgan::device::Family;
use semgan::verify::{self, Case, Failure};

use crate::common::{gpu, own_gpu};
use crate::runs::poke;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn own() -> PathBuf {
    root().join("tests/golden")
}

fn system(path: &Path) -> &str {
    path.parent().and_then(Path::file_name).and_then(|n| n.to_str()).expect("a folder")
}

/// System and op, where the file lies in the folder of a system that is known here.
fn pair(path: &Path) -> Option<(&'static str, &'static str)> {
    let mut known = verify::rows().filter(|row| row.system == system(path)).peekable();
    known.peek()?;
    let op = Case::load(path).expect("a golden file").op;
    known.find(|row| row.op == op).map(|row| (row.system, row.op))
}

/// Every case of a larger collection, where there is one.
fn collection() -> Vec<PathBuf> {
    let place = std::env::var_os("GOLDEN_DIR").map(PathBuf::from);
    let place = place.unwrap_or_else(|| root().join("../shared/golden"));
    if place.is_dir() { verify::cases(&place, None).expect("cases") } else { vec![] }
}

/// Every supported case of the repository and of the larger collection.
fn cases() -> Vec<PathBuf> {
    let own = verify::cases(&own(), None).expect("cases of our own");
    let more = collection();
    let names: BTreeSet<_> = own.iter().map(|p| (system(p), p.file_name())).collect();
    let is_new = |p: &&PathBuf| !names.contains(&(system(p), p.file_name()));
    let more = more.iter().filter(is_new).filter(|p| pair(p).is_some());
    own.iter().chain(more).cloned().collect()
}

fn all_pass(device: &Device) {
    let failures: Vec<String> = (cases().iter())
        .filter_map(|path| verify::check(path, device).err().map(|f| f.to_string()))
        .collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_reference_passes() {
    all_pass(&Device::reference());
}

#[test]
fn the_cpu_passes() {
    all_pass(&Device::cpu());
}

#[test]
fn the_gpu_passes() {
    let Some(gpu) = gpu() else { return };
    all_pass(&gpu);
}

#[test]
fn the_gpu_passes_with_tiles() {
    let Some(gpu) = own_gpu() else { return };
    gpu.set_family(Family::Tiles);
    all_pass(&gpu);
}

#[test]
fn what_is_supported_is_listed_and_has_a_case_in_the_repository() {
    let lines: BTreeSet<_> = verify::rows().map(|r| format!("{} {}\n", r.system, r.op)).collect();
    let listed = fs::read_to_string(own().join("supported.txt")).expect("a list");
    assert_eq!(listed, lines.into_iter().collect::<String>());
    let cases = verify::cases(&own(), None).expect("cases");
    let present: BTreeSet<_> = cases.iter().filter_map(|p| pair(p)).collect();
    for row in verify::rows() {
        assert!(present.contains(&(row.system, row.op)), "no case of {} {}", row.system, row.op);
    }
}

#[test]
fn every_case_of_a_single_operator_of_a_known_system_has_a_row() {
    let systems: BTreeSet<&str> = verify::rows().map(|row| row.system).collect();
    let is_operator = |path: &&PathBuf| {
        let bytes = fs::read(path).expect("readable");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a golden file");
        header.metadata().as_ref().and_then(|m| m.get("kind")).is_some_and(|kind| kind == "op")
    };
    let collection = collection();
    let known = collection.iter().filter(|path| systems.contains(system(path)));
    let missing: Vec<_> =
        known.filter(|p| pair(p).is_none()).filter(is_operator).map(|p| p.display()).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
}

/// What each file of operations dispatches. Running the golden cases has to reach all of it.
const OPERATIONS: [(&str, &[&str]); 17] = [
    ("as_index.rs", &["as_index"]),
    ("cat.rs", &["concat"]),
    ("conv/conv2d.rs", &["conv2d"]),
    ("conv/conv2d_weight_grad.rs", &["conv2d_weight_grad"]),
    ("conv/conv_transpose2d.rs", &["conv_transpose2d"]),
    ("gather.rs", &["gather", "scatter_add"]),
    ("linear/matmul.rs", &["matmul"]),
    ("movement.rs", &["expand", "flip", "pad", "permute", "repeat", "slice"]),
    ("norm/softmax.rs", &["softmax"]),
    ("optim/nonfinite.rs", &["nonfinite"]),
    ("pointwise/mod.rs", &["pointwise"]),
    ("pointwise/sum.rs", &["pointwise_sum"]),
    ("reduce.rs", &["argmax", "dot", "max", "sum"]),
    ("resample/affine_warp.rs", &["affine_warp"]),
    ("resample/max_pool2d.rs", &["max_index", "max_pool2d", "max_unpool2d"]),
    ("resample/taps.rs", &["avg_pool2d", "pad2d", "resize"]),
    ("resample/upfirdn2d.rs", &["upfirdn2d"]),
];

/// Operations that no golden case can judge.
const EXEMPT: [(&str, &str); 2] = [
    ("random/philox.rs", "draws have no input; tests/it/random.rs and properties.rs judge them"),
    ("reshape.rs", "shares its input's buffer, so nothing is dispatched; properties.rs judges it"),
];

/// Paths below `src/ops` of the files that implement an operation.
pub(crate) fn implementations() -> BTreeSet<String> {
    let folder = root().join("src/ops");
    let (mut found, mut pending) = (BTreeSet::new(), vec![folder.clone()]);
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            pending.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if fs::read_to_string(&path).expect("UTF-8").contains("\nimpl Op for ") {
            let name = path.strip_prefix(&folder).expect("below it");
            found.insert(name.to_str().expect("UTF-8").replace('\\', "/"));
        }
    }
    found
}

#[test]
fn every_operation_is_reached_by_a_golden_case() {
    let device = Device::cpu();
    let profile = device.profile();
    profile.switch(true);
    for path in verify::cases(&own(), None).expect("cases") {
        verify::check(&path, &device).unwrap_or_else(|failure| panic!("{failure}"));
    }
    let table = profile.table();
    let reached: BTreeSet<_> =
        table.iter().filter_map(|(label, _)| label.split(' ').next()).collect();
    for op in OPERATIONS.iter().flat_map(|(_, ops)| *ops) {
        assert!(reached.contains(op), "no golden case runs {op}; those that do: {reached:?}");
    }

    let listed = OPERATIONS.iter().map(|o| o.0).chain(EXEMPT.iter().map(|e| e.0));
    assert_eq!(
        implementations(),
        listed.map(str::to_owned).collect(),
        "operations and the two lists"
    );
}

/// A copy of a case in a folder of its system's name.
struct Copied(tempfile::TempDir, PathBuf);

impl Copied {
    fn new(case: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join(case).with_extension("safetensors");
        fs::create_dir(path.parent().expect("a system")).expect("a new folder");
        fs::copy(own().join(case).with_extension("safetensors"), &path).expect("copied");
        Self(dir, path)
    }

    /// Names, types and middle elements of everything that is compared.
    fn judged(&self) -> Vec<(String, Dtype, usize, f64)> {
        let bytes = fs::read(&self.1).expect("readable");
        let file = SafeTensors::deserialize(&bytes).expect("a golden file");
        let is_judged =
            |name: &String| ["out.", "grad.", "gg.", "after."].iter().any(|k| name.starts_with(k));
        let middle = |(name, view): (String, safetensors::tensor::TensorView)| {
            let k = view.data().len() / view.dtype().bitsize() * 8 / 2;
            let value = match view.dtype() {
                Dtype::F32 => {
                    f32::from_le_bytes(view.data()[4 * k..][..4].try_into().unwrap()).into()
                }
                _ => i64::from_le_bytes(view.data()[8 * k..][..8].try_into().unwrap()) as f64,
            };
            (name, view.dtype(), k, value)
        };
        file.tensors().into_iter().filter(|(name, _)| is_judged(name)).map(middle).collect()
    }

    fn failure(&self) -> Failure {
        verify::check(&self.1, &Device::cpu()).expect_err("a spoiled case passes")
    }
}

/// Cases of every kind: second order, integers, a layer, a network, a loss, training.
const SPOILED: [&str; 9] = [
    "ops/a_conv_k3s2p0",
    "ops/a_red_argmax_1",
    "pggan/wgan_gp",
    "sarigan/group_styled_conv_up_s16",
    "sarigan/mapping_s16",
    "sarigan/generator_swap_s16",
    "sarigan/loss_path_s16",
    "sarigan/loss_r1_s16",
    "sarigan/train_s8_short_intervals",
];

/// Spoils one element of every stored result, and expects each of them by its name.
fn each_is_noticed(case: &str, spoil: impl Fn(f64) -> f64) {
    let copied = Copied::new(case);
    let mut expected = BTreeSet::new();
    for (name, dtype, k, value) in copied.judged() {
        match dtype {
            Dtype::F32 => poke(&copied.1, &name, k, &(spoil(value) as f32).to_le_bytes()),
            _ => poke(&copied.1, &name, k, &(value as i64 + 1).to_le_bytes()),
        }
        expected.insert(format!("{name}: 1"));
    }
    let reasons = copied.failure().reasons;
    let named =
        reasons.iter().filter_map(|r| r.split_once(" of ").map(|(name, _)| name.to_owned()));
    assert_eq!(named.collect::<BTreeSet<_>>(), expected, "{case}: {reasons:?}");
}

#[test]
fn one_wrong_element_of_any_stored_result_fails_by_name() {
    for case in SPOILED {
        // Their limits are at most 5e-5 + 1e-4 |want|.
        each_is_noticed(case, |value| value + 1e-3 * value.abs().max(1.0));
    }
}

#[test]
fn a_nan_in_any_stored_result_fails_by_name() {
    SPOILED.iter().for_each(|case| each_is_noticed(case, |_| f64::NAN));
}

#[test]
fn a_result_that_no_row_computes_fails_by_name() {
    let copied = Copied::new("ops/a_un_exp");
    let bytes = fs::read(&copied.1).expect("readable");
    let text = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|w| w == from).expect("in the header");
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    fs::write(&copied.1, text(b"\"out.y\"", b"\"out.q\"")).expect("written");
    assert_eq!(copied.failure().reasons, ["out.q: not computed"]);
    fs::write(&copied.1, text(b"\"op\":\"exp\"", b"\"op\":\"erf\"")).expect("written");
    let failure = copied.failure().to_string();
    assert!(failure.contains("ops erf a_un_exp") && failure.contains("no such op"), "{failure}");
}

#[test]
fn a_case_in_the_folder_of_another_system_fails_by_its_name() {
    let copied = Copied::new("sarigan/mapping_s16");
    let moved = copied.0.path().join("stylegan9");
    fs::rename(copied.0.path().join("sarigan"), &moved).expect("renamed");
    let failure = verify::check(&moved.join("mapping_s16.safetensors"), &Device::cpu());
    let failure = failure.expect_err("an unknown system").to_string();
    assert!(failure.contains("stylegan9 mapping") && failure.contains("no such op"), "{failure}");
}

#[test]
fn a_truncated_case_fails_and_says_so() {
    let copied = Copied::new("ops/a_un_exp");
    let bytes = fs::read(&copied.1).expect("readable");
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&copied.1, &bytes[..length]).expect("written");
        let failure = copied.failure().to_string();
        assert!(failure.contains("a_un_exp") && failure.contains("not a golden file"), "{failure}");
    }
}
