//! Files of other programs: every tensor bit for bit, the same pictures, and back.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use semgan::checkpoint::published::{self, Contents, Layout, Networks, To};
use semgan::checkpoint::{Checkpoint, RawTensor};
use semgan::models::linear_semantics::Extractor;
use semgan::models::{Discriminator, Generator};
use semgan::nn::{Builder, Network};
use semgan::sample::Look;
use semgan::train::{adopt, snapshot};
use semgan::{Device, Tensor};
use serde_json::Value;

use super::common::assert_close;

/// Files of other programs that came with numbers to expect.
fn checkpoints() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
    let shared = std::env::var_os("GOLDEN_DIR").map(|dir| PathBuf::from(dir).join("checkpoints"));
    let mut found = Vec::new();
    for folder in [folder].into_iter().chain(shared.filter(|dir| dir.is_dir())) {
        for entry in std::fs::read_dir(folder).expect("golden checkpoints") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "pt" || e == "pth") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 11, "{} golden checkpoints", found.len());
    found
}

/// Tensors and metadata of the file beside a checkpoint.
struct Expected {
    bytes: Vec<u8>,
    metadata: std::collections::HashMap<String, String>,
}

impl Expected {
    fn of(checkpoint: &Path) -> Self {
        let bytes = std::fs::read(checkpoint.with_extension("expected.safetensors")).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        Self { bytes, metadata }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.metadata[name].parse().unwrap()
    }

    fn attrs(&self) -> Value {
        serde_json::from_str(&self.metadata["attrs"]).unwrap()
    }

    /// A stored tensor of float32.
    fn tensor(&self, name: &str, device: &Device) -> Option<Tensor> {
        let file = self.file();
        let view = file.tensor(name).ok()?;
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
        Some(Tensor::from_slice(&values, view.shape(), device))
    }

    fn check(&self, name: &str, got: &Tensor) {
        let want = self.tensor(name, got.device()).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(got.shape(), want.shape(), "{name}");
        let want: Vec<f64> = want.to_vec().unwrap().into_iter().map(f64::from).collect();
        let (atol, rtol) = (self.number("atol"), self.number("rtol"));
        assert_close(name, &got.to_vec().unwrap(), &want, atol, rtol);
    }
}

/// Whether a tensor of an expected file is one of the checkpoint's: not an input, an output or a
/// conversion.
fn is_stored(name: &str) -> bool {
    !["in.", "out.", "genforce/"].iter().any(|prefix| name.starts_with(prefix))
}

#[test]
fn every_tensor_is_read_bit_for_bit() {
    for path in checkpoints() {
        let expected = Expected::of(&path);
        let got = published::read_tensors(&path).unwrap();
        let mut count = 0;
        for (name, view) in expected.file().tensors().into_iter().filter(|(n, _)| is_stored(n)) {
            let want = RawTensor {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            let path_of = |name: &str| name.replace('/', ".");
            let found = got.get(&name).or_else(|| got.get(&path_of(&name)));
            // The extractors' expected files leave out what stands before their keys.
            let found = found.or_else(|| got.get(&format!("param.{name}")));
            // Some say how many steps there were as a tensor where the file has a plain number.
            if found.is_none() && name.ends_with(".step") {
                let step = published::read_values(&path).unwrap()[&name].as_f64().unwrap();
                assert_eq!(want.real().unwrap().1, [step as f32], "{}: {name}", path.display());
                continue;
            }
            assert_eq!(found, Some(&want), "{}: {name}", path.display());
            count += 1;
        }
        assert!(count > 2, "{}: {count} tensors", path.display());
    }
}

#[test]
fn plain_values_are_read() {
    for path in checkpoints() {
        let expected = Expected::of(&path);
        let Some(scalars) = expected.metadata.get("scalars") else { continue };
        let scalars: serde_json::Map<String, Value> = serde_json::from_str(scalars).unwrap();
        let got = published::read_values(&path).unwrap();
        for (name, want) in scalars {
            let value = match name.strip_prefix("optimizers.generator.") {
                Some("lr") => got["optimizers.generator.param_groups.0.lr"].clone(),
                Some("betas") => continue,
                Some("param_groups") => continue,
                _ => got.get(&name).unwrap_or_else(|| panic!("{name} is missing")).clone(),
            };
            let same = value == want || value.as_f64().is_some_and(|v| Some(v) == want.as_f64());
            assert!(same, "{}: {name} is {value}, not {want}", path.display());
        }
    }
}

fn networks(path: &Path) -> Option<Networks> {
    let published = published::read(path).unwrap_or_else(|e| panic!("{e}"));
    match published.contents {
        Contents::Networks(networks) => Some(*networks),
        _ => None,
    }
}

#[test]
fn networks_make_the_expected_pictures() {
    let device = Device::cpu();
    let mut pictures = 0;
    for path in checkpoints() {
        let Some(networks) = networks(&path) else { continue };
        let expected = Expected::of(&path);
        let file = adopt::snapshot(&path, networks).unwrap();
        let attrs = expected.attrs();
        for (name, prefix) in [
            ("g_ema", "out."),
            ("g_ema", "out.generator_smooth."),
            ("g_ema", "out.generator_smooth_trunc."),
            ("g", "out.generator."),
            ("g", "out.generator_trunc."),
        ] {
            if expected.tensor(&format!("{prefix}image"), &device).is_none() {
                continue;
            }
            pictures += 1;
            check_picture(&file, name, prefix, &expected, &attrs, &device);
        }
        if expected.tensor("out.discriminator.score", &device).is_some() {
            check_score(&file, &expected, &attrs, &device);
        }
    }
    assert!(pictures >= 9, "{pictures} pictures");
}

fn check_picture(
    file: &Checkpoint,
    name: &str,
    prefix: &str,
    expected: &Expected,
    attrs: &Value,
    device: &Device,
) {
    let config = snapshot::network_config(file).unwrap();
    let build = |b: &mut Builder| config.generator(b, device);
    let g: Network<Box<dyn Generator>> =
        Network::loaded(&file.values(&format!("{name}.")), device, build).unwrap();
    let z = expected.tensor("in.z0", device).or(expected.tensor("in.z", device)).unwrap();
    let w = g.model.map(&z, None);
    let mut styles = g.model.styles(&w);
    // The linear-semantics release truncates always, the others where they say so.
    if attrs.get("trunc_psi").is_some() && (prefix.contains("trunc") || prefix == "out.") {
        let mean = file.tensors.get(&format!("{name}.truncation.w_avg")).unwrap();
        let mean = Tensor::from_slice(&mean.1, [1, mean.1.len()], device);
        let psi = attrs["trunc_psi"].as_f64().unwrap();
        let layers = attrs["trunc_layers"].as_u64().unwrap() as usize;
        styles = semgan::models::stylegan::truncate(&styles, &g.model.styles(&mean), psi, layers);
    } else if let Some(want) = expected.tensor(&format!("{prefix}w"), device)
        && want.shape() == w.shape()
    {
        expected.check(&format!("{prefix}w"), &w);
    }
    let given = |k: usize| expected.tensor(&format!("in.noise{k}"), device);
    let noise: Option<Vec<Tensor>> = (0..config.sizes().noise.len()).map(given).collect();
    let noise = noise.unwrap_or_else(|| g.model.noise());
    let lod = snapshot::lod(file);
    let picture = g.model.synthesizer().picture(&styles, &noise, lod);
    expected.check(&format!("{prefix}image"), &picture);
}

fn check_score(file: &Checkpoint, expected: &Expected, attrs: &Value, device: &Device) {
    let config = snapshot::network_config(file).unwrap();
    let build = |b: &mut Builder| config.discriminator(b, device);
    let d: Network<Box<dyn Discriminator>> =
        Network::loaded(&file.values("d."), device, build).unwrap();
    let picture = expected.tensor("in.image", device).unwrap();
    let lod = attrs.get("lod").and_then(Value::as_f64).unwrap_or(0.0);
    let score = d.model.judge(&picture, None, lod).pred;
    expected.check("out.discriminator.score", &score.reshape([score.numel(), 1]));
}

#[test]
fn an_imported_network_is_sampled_like_any_other() {
    for path in checkpoints() {
        let Some(networks) = networks(&path) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("network.safetensors");
        adopt::snapshot(&path, networks).unwrap().save(&out).unwrap();
        let file = Checkpoint::load(&out).unwrap();
        let trained = snapshot::generator(&file, &Device::cpu()).unwrap();
        let psi = if trained.mean.is_some() { 0.7 } else { 1.0 };
        let look = Look { psi, lod: snapshot::lod(&file), ..Look::default() };
        let picture = trained.pictures(look).picture(7).unwrap();
        assert_eq!(picture.width, trained.config.resolution(), "{}", path.display());
    }
}

#[test]
fn pickles_of_stylegan2_ada_make_the_expected_pictures() {
    let device = Device::cpu();
    for (name, classes) in [("", 0), ("_cond", 3), ("_skip", 0)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
        let path = folder.join(format!("stylegan2_ada{name}.pkl"));
        let networks = networks(&path).unwrap();
        assert_eq!(networks.layout, Layout::Nvidia);
        let bytes = std::fs::read(path.with_extension("expected.safetensors")).unwrap();
        let metadata = [("atol", "2e-5"), ("rtol", "1e-4")];
        let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let expected = Expected { bytes, metadata };
        let file = adopt::snapshot(&path, networks).unwrap();
        let config = snapshot::network_config(&file).unwrap();
        let label = expected.tensor("label", &device);
        assert_eq!(label.as_ref().map_or(0, |label| label.size(1)), classes);
        for part in ["g", "g_ema"] {
            let build = |b: &mut Builder| config.generator(b, &device);
            let values = file.values(&format!("{part}."));
            let g: Network<Box<dyn Generator>> = Network::loaded(&values, &device, build).unwrap();
            let w = g.model.map(&expected.tensor("z", &device).unwrap(), label.as_ref());
            expected.check(&format!("{part}.w"), &w);
            let styles = g.model.styles(&w);
            let picture = g.model.synthesizer().picture(&styles, &g.model.noise(), 0.0);
            expected.check(&format!("{part}.image"), &picture);
        }
        let build = |b: &mut Builder| config.discriminator(b, &device);
        let d: Network<Box<dyn Discriminator>> =
            Network::loaded(&file.values("d."), &device, build).unwrap();
        let picture = expected.tensor("picture", &device).unwrap();
        let score = d.model.judge(&picture, label.as_ref(), 0.0).pred;
        expected.check("score", &score.reshape([score.numel(), 1]));
        // The mean that truncation needs is the file's own.
        let mean = published::read_tensors(&path).unwrap()["G_ema.mapping.w_avg"].real().unwrap();
        assert_eq!(file.tensor("w_avg").unwrap(), mean.1);
    }
}

#[test]
fn an_extractor_says_of_features_what_it_should() {
    // In single precision sums of decoders cancel beyond the files' tolerance.
    let device = Device::reference();
    let mut count = 0;
    for path in checkpoints() {
        let Contents::Extractor(arch, values) = published::read(&path).unwrap().contents else {
            continue;
        };
        let expected = Expected::of(&path);
        let build = |b: &mut Builder| Extractor::new(&arch, b);
        let extractor = Network::loaded(&values, &device, build).unwrap();
        let feature = |k| expected.tensor(&format!("in.feat{k}"), &device);
        let features: Vec<Tensor> = (0..).map_while(feature).collect();
        let size = expected.attrs()["size"].as_u64().unwrap() as usize;
        let scores = extractor.model.forward(&features, Some([size; 2])).scores;
        expected.check("out.final", &scores);
        count += 1;
    }
    assert!(count > 0);
}

/// Bits of every tensor, by name.
fn bits(file: &Checkpoint) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect();
    file.tensors.iter().map(|(name, (shape, v))| (name.clone(), shape.to_vec(), bits(v))).collect()
}

#[test]
fn what_is_exported_imports_again_bit_for_bit() {
    let mut count = 0;
    for path in checkpoints() {
        let Some(networks) = networks(&path) else { continue };
        let system = networks.config.system().name();
        let first = adopt::snapshot(&path, networks).unwrap();
        for to in [To::Rosinality, To::GenForce] {
            let fits = match to {
                To::Rosinality => !matches!(system, "stylegan" | "pggan"),
                To::GenForce => !matches!(system, "sarigan" | "semantic_stylegan"),
            };
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join(path.file_name().unwrap());
            let exported = adopt::export(&out, to, &first);
            if !fits {
                assert!(exported.unwrap_err().to_string().starts_with("--to: "), "{system}");
                continue;
            }
            exported.unwrap();
            let networks = self::networks(&out).unwrap();
            let second = adopt::snapshot(&out, networks).unwrap();
            // A trainer of another layout adds its number to biases, or does not.
            let same_layout = first.description["network"] == second.description["network"];
            let own = |file: &Checkpoint| -> Vec<_> {
                let mut bits = bits(file);
                let is_changed = |name: &str| name.ends_with("modulation.bias");
                bits.retain(|(name, ..)| same_layout || !is_changed(name));
                bits.retain(|(name, ..)| !name.ends_with("truncation.w_avg"));
                bits
            };
            assert_eq!(own(&second), own(&first), "{} to {to:?}", path.display());
            count += 1;
        }
    }
    assert!(count >= 8, "{count} exports");
}

#[test]
fn an_export_holds_what_the_first_file_held() {
    for path in checkpoints() {
        let Some(networks) = networks(&path) else { continue };
        let to = match networks.layout {
            Layout::Sarigan | Layout::Rosinality | Layout::SemanticStyleGan => To::Rosinality,
            Layout::GenForce => To::GenForce,
            _ => continue,
        };
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("again.pt");
        let snapshot = adopt::snapshot(&path, networks).unwrap();
        adopt::export(&out, to, &snapshot).unwrap();
        let (before, after) =
            (published::read_tensors(&path).unwrap(), published::read_tensors(&out).unwrap());
        for (name, tensor) in before {
            // Old files number an optimiser's state by where it was in memory, and step counts are
            // tensors in some.
            if name.contains("_optim.state.") || name.ends_with(".step") {
                continue;
            }
            let name = name.replace(".module.", ".");
            // What a converted file has at the top, a trained one has below `models`.
            let found = after.get(&name).or_else(|| after.get(&format!("models.{name}")));
            assert_eq!(found, Some(&tensor), "{}: {name}", path.display());
        }
    }
}
