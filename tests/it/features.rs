//! The feature maps that classes are read off, and what reads them.

use std::collections::HashMap;
use std::fs;

use safetensors::SafeTensors;
use semgan::checkpoint::published::genforce;
use semgan::models::linear_semantics::{Config, Extractor};
use semgan::models::stylegan::truncate;
use semgan::models::{Generator, pggan, sarigan, semantic_stylegan, stylegan, stylegan2};
use semgan::nn::{Builder, Network};
use semgan::tensor::Shape;
use semgan::{Device, Error, Result, Tensor};
use serde_json::{Value, json};

use crate::common::{assert_close, gpu, tensor};
use crate::golden::root;

/// A network of the published release as another program ran it.
struct Release {
    attrs: Value,
    tolerance: [f64; 2],
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    device: Device,
}

impl Release {
    fn read(network: &str, device: &Device) -> Self {
        let name = format!("tests/checkpoints/lineargan_{network}.expected.safetensors");
        let bytes = fs::read(root().join(name)).expect("readable");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        let metadata = header.metadata().as_ref().expect("metadata");
        let number = |key: &str| metadata[key].parse().expect("a number");
        let file = SafeTensors::deserialize(&bytes).expect("tensors");
        let numbers = |bytes: &[u8]| {
            let words = bytes.as_chunks().0.iter();
            words.map(|&word| f32::from_le_bytes(word)).collect::<Vec<_>>()
        };
        let tensor = |(name, view): (String, safetensors::tensor::TensorView)| {
            (name, (view.shape().to_vec(), numbers(view.data())))
        };
        Self {
            attrs: serde_json::from_str(&metadata["attrs"]).expect("JSON"),
            tolerance: ["atol", "rtol"].map(number),
            tensors: file.tensors().into_iter().map(tensor).collect(),
            device: device.clone(),
        }
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        let (shape, values) = self.tensors.get(name)?;
        Some(Tensor::from_slice(values, shape.as_slice(), &self.device))
    }

    fn weight(&self, key: &str) -> Result<Tensor> {
        self.get(&format!("genforce/{key}")).ok_or_else(|| Error::config(key, "is missing"))
    }

    fn described<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.attrs["generator"].clone()).expect("a description")
    }

    fn network(&self, name: &str) -> Result<Box<dyn Generator>> {
        let own = |key: &str, _: &Shape| self.weight(key);
        let device = &self.device;
        match name {
            "pggan" => {
                let config: pggan::Config = self.described();
                let build = |b: &mut Builder| pggan::Generator::new(&config, b);
                Ok(Box::new(Builder::bound(build, own)?))
            }
            "stylegan" => {
                let config: stylegan::Config = self.described();
                let build = |b: &mut Builder| stylegan::Generator::new(&config, b, device);
                Ok(Box::new(Builder::bound(build, own)?))
            }
            _ => {
                let config = self.described::<genforce::StyleGan2>().config()?;
                let build = |b: &mut Builder| stylegan2::Generator::new(&config, b, device);
                let converted = |key: &str, shape: &Shape| {
                    let source = genforce::generator(key)?;
                    source.convert(&self.weight(&source.key)?, shape)
                };
                Ok(Box::new(Builder::bound(build, converted)?))
            }
        }
    }

    fn agrees(&self, name: &str, got: &Tensor) {
        let want = self.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(got.shape(), want.shape(), "{name}");
        let want = want.to_vec_f64().expect("read");
        let [absolute, relative] = self.tolerance;
        assert_close(name, &got.to_vec().expect("read"), &want, absolute, relative);
    }
}

#[test]
fn feature_maps_are_those_that_the_published_extractors_read() {
    for device in [Device::reference(), Device::cpu()].into_iter().chain(gpu()) {
        for (name, maps) in [("pggan", 3), ("stylegan", 3), ("stylegan2", 5)] {
            let release = Release::read(name, &device);
            let g = release.network(name).expect("a network");
            let styles = g.styles(&g.map(&release.get("in.z").expect("latents"), None));
            let styles = match release.attrs.get("trunc_psi").and_then(Value::as_f64) {
                Some(psi) => {
                    let mean = release.weight("truncation.w_avg").expect("a mean");
                    let means = g.styles(&mean.reshape([1, mean.numel()]));
                    let layers = release.attrs["trunc_layers"].as_u64().expect("layers");
                    truncate(&styles, &means, psi, layers as usize)
                }
                None => styles,
            };
            let synthesizer = g.synthesizer();
            let features = synthesizer.features(&styles, &g.noise());
            assert_eq!(features.len(), maps, "{name}");
            for (k, map) in features.iter().enumerate() {
                release.agrees(&format!("out.feat{k}"), map);
            }
            release.agrees("out.image", &synthesizer.picture(&styles, &g.noise(), 0.0));
        }
    }
}

#[test]
fn other_networks_have_a_map_per_layer_too() {
    let device = Device::cpu();
    let config = semgan::models::System::SemanticStyleGan.config(32, [128, 8]);
    let semgan::models::Config::SemanticStyleGan(config) = config else { unreachable!() };
    let semantic = Network::initialized(1, &device, |b| {
        semantic_stylegan::Generator::new(&config, b, &device)
    });
    let grouped = crate::runs::network();
    let sarigan =
        Network::initialized(1, &device, |b| sarigan::Generator::new(&grouped, b, &device));
    let networks: [(&dyn Generator, usize); 2] = [(&semantic.model, 8), (&sarigan.model, 3)];
    for (g, maps) in networks {
        let width = g.noise().len();
        let z = [config.style_dim, grouped.style_dim][usize::from(maps == 3)];
        let styles = g.styles(&g.map(&tensor(&[1, z], 3, &device), None));
        let features = g.synthesizer().features(&styles, &g.noise());
        assert_eq!([features.len(), width], [maps; 2]);
        for (map, noise) in features.iter().zip(g.noise()) {
            assert_eq!(map.shape()[2..], noise.shape()[2..]);
        }
    }
}

fn extractor(arch: Value) -> Config {
    serde_json::from_value(arch).expect("a description")
}

#[test]
fn extractors_have_as_many_parameters_as_the_published_ones() {
    let dims = |widths: &[(usize, usize)]| -> Vec<usize> {
        widths.iter().flat_map(|&(width, times)| vec![width; times]).collect()
    };
    let of_stylegan2 = dims(&[(512, 9), (256, 2), (128, 2), (64, 2), (32, 2)]);
    let of_pggan = dims(&[(512, 4), (256, 1), (128, 1), (64, 1)]);
    for (dims, n_class, counts) in [
        (of_stylegan2, 15, [83_537, 2_028_440, 44_039_791]),
        (of_pggan, 14, [34_951, 907_088, 18_850_062]),
    ] {
        let layers: Vec<usize> = (0..dims.len()).collect();
        for (kind, want) in ["LSE", "NSE-1", "NSE-2"].into_iter().zip(counts) {
            let arch = json!({"type": kind, "n_class": n_class, "dims": dims, "layers": layers});
            let mut b = Builder::default();
            Extractor::new(&extractor(arch), &mut b);
            assert_eq!(b.count(), want, "{kind}");
        }
    }
}

#[test]
fn an_extractor_picks_its_layers_from_more_maps() {
    let device = Device::cpu();
    let maps: Vec<Tensor> = [[1, 3, 4, 4], [1, 2, 8, 8], [1, 5, 8, 8]]
        .iter()
        .zip(0..)
        .map(|(shape, seed)| tensor(shape, seed, &device))
        .collect();
    for kind in ["LSE", "NSE-1", "NSE-2"] {
        let arch = json!({"type": kind, "n_class": 3, "dims": [3, 5], "layers": [0, 2]});
        let config = extractor(arch);
        config.check().expect("an extractor");
        let own = Network::initialized(1, &device, |b| Extractor::new(&config, b)).model;
        let all = own.forward(&maps, Some([6, 6])).scores;
        assert_eq!(all.shape()[..], [1, 3, 6, 6]);
        let picked = own.forward(&[maps[0].clone(), maps[2].clone()], Some([6, 6])).scores;
        assert_eq!(all.to_vec().expect("read"), picked.to_vec().expect("read"), "{kind}");
    }
}

#[test]
fn extractors_that_cannot_be_are_refused_by_name() {
    let arch = json!({"type": "NSE-1", "n_class": 3, "dims": [4, 5], "layers": [0, 1]});
    extractor(arch.clone()).check().expect("an extractor");
    for (field, value) in [
        ("n_class", json!(0)),
        ("dims", json!([])),
        ("dims", json!([4, 0])),
        ("layers", json!([0])),
        ("ksize", json!(2)),
        ("n_layers", json!(0)),
    ] {
        let mut arch = arch.clone();
        arch[field] = value;
        let error = extractor(arch).check().expect_err("no extractor").to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}
