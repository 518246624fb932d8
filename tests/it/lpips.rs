//! LPIPS from files of other programs, and where nothing fires. The golden cases judge its numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use semgan::autograd::grad;
use semgan::models::lpips::{Lpips, Net};
use semgan::nn::Values;
use semgan::{Device, Tensor};

use crate::common::{assert_close, gpu, tensor};
use crate::golden::root;

const CASES: [(&str, Net); 2] = [("lpips_vgg_tiny", Net::Vgg16), ("lpips_alex_tiny", Net::AlexNet)];

/// The tensors of a golden case.
fn stored(case: &str) -> Values {
    let path = root().join("tests/golden/metrics").join(case).with_extension("safetensors");
    let bytes = fs::read(path).expect("a case");
    let file = SafeTensors::deserialize(&bytes).expect("a golden file");
    let values = |view: &TensorView| {
        let number = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("four bytes"));
        view.data().chunks_exact(4).map(number).collect()
    };
    file.iter().map(|(key, view)| (key.to_owned(), (view.shape().into(), values(&view)))).collect()
}

/// The weights alone, under other keys.
fn weights(case: &str, renamed: impl Fn(&str) -> String) -> Values {
    let part = |(key, value): (String, _)| Some((renamed(key.strip_prefix("param.")?), value));
    stored(case).into_iter().filter_map(part).collect()
}

fn save(path: &Path, values: &Values) {
    let views = values.iter().map(|(key, (shape, values))| {
        let bytes = bytemuck::cast_slice(values);
        (key.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("fits"))
    });
    let bytes = safetensors::serialize(views.collect::<BTreeMap<_, _>>(), None).expect("bytes");
    fs::write(path, bytes).expect("written");
}

/// As the published package names what torchvision calls `features`.
fn packaged(key: &str) -> String {
    match key.split('.').collect::<Vec<_>>()[..] {
        ["features", number, name] => format!("net.slice1.{number}.{name}"),
        [lin, "model", "1", name] => format!("lins.{}.model.1.{name}", &lin[3..]),
        _ => panic!("{key}"),
    }
}

/// As some ports name the weights of the channels.
fn ported(key: &str) -> String {
    key.replace("lin", "").replace(".model", "")
}

#[test]
fn weights_of_other_programs_are_read_under_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lpips.safetensors");
    let device = Device::cpu();
    for (case, net) in CASES {
        let stored = stored(case);
        let get = |name: &str| &stored[name];
        let read = |name: &str| Tensor::from_slice(&get(name).1, &get(name).0, &device);
        for renamed in [str::to_owned, packaged, ported] {
            let mut values = weights(case, renamed);
            values.insert("classifier.1.weight".into(), ([2].into(), vec![1.0, 2.0]));
            save(&path, &values);
            let lpips = Lpips::load(&path, &device).expect("loaded");
            assert_eq!(lpips.net(), net);
            let distance = lpips.distance(&read("in.x"), &read("in.y")).to_vec().expect("read");
            let want: Vec<f64> = get("out.lpips").1.iter().map(|&v| v.into()).collect();
            assert_close(case, &distance, &want, 1e-5, 1e-4);
        }
    }
}

#[test]
fn a_file_that_does_not_fit_is_named_with_the_keys_that_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lpips.safetensors");
    let refused = |values: &Values| {
        save(&path, values);
        Lpips::load(&path, &Device::cpu()).err().expect("refused").to_string()
    };
    let says = |error: String, words: &[&str]| {
        words.iter().for_each(|word| assert!(error.contains(word), "{word}: {error}"));
    };
    let mut values = weights("lpips_vgg_tiny", str::to_owned);
    let numbers = "N = 0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28";
    values.remove("features.12.bias").expect("there");
    let words = ["lpips.safetensors: features.12.bias: missing", "lin", "K = 0 to 4", numbers];
    says(refused(&values), &words);
    let mut values = weights("lpips_alex_tiny", str::to_owned);
    values.remove("lin4.model.1.weight").expect("there");
    let words = ["lin4.model.1.weight: missing", "AlexNet", "N = 0, 3, 6, 8, 10,"];
    says(refused(&values), &words);
    values.insert("lin4.model.1.weight".into(), ([1, 5, 1, 1].into(), vec![0.0; 5]));
    says(refused(&values), &["lin4.model.1.weight: of shape [1, 5, 1, 1]", "[1, 6, 1, 1]"]);
    says(refused(&Values::new()), &["features.0.weight: missing", "Vgg16"]);
    fs::write(&path, "no tensors").expect("written");
    let error = Lpips::load(&path, &Device::cpu()).err().expect("refused").to_string();
    says(error, &["lpips.safetensors", "not a complete safetensors file"]);
}

#[test]
fn where_nothing_fires_distance_and_gradient_are_zero() {
    let mut values = weights("lpips_vgg_tiny", str::to_owned);
    values.get_mut("features.0.bias").expect("there").1.fill(-1e3);
    let biases = values.iter_mut().filter(|(key, _)| key.ends_with("bias"));
    biases.for_each(|(_, (_, values))| values.iter_mut().for_each(|v| *v = v.min(-1.0)));
    for device in [Some(Device::reference()), Some(Device::cpu()), gpu()].into_iter().flatten() {
        let lpips = Lpips::loaded(&values, &device).expect("loaded");
        let [x, y] = [1, 2].map(|seed| tensor(&[2, 3, 32, 32], seed, &device).tracked());
        let distance = lpips.distance(&x, &y);
        assert_eq!(distance.to_vec().expect("read"), [0.0; 2]);
        for slope in grad(&[&distance], &[None], &[&x, &y], false) {
            let slope = slope.expect("depends on it").to_vec().expect("read");
            assert!(slope.iter().all(|v| *v == 0.0), "on {}", device.kind());
        }
    }
}

#[test]
#[should_panic(expected = "LPIPS: pictures of shapes [2, 3, 32, 32] and [1, 3, 32, 32]")]
fn pictures_of_different_shapes_panic() {
    let device = Device::cpu();
    let values = weights("lpips_vgg_tiny", str::to_owned);
    let lpips = Lpips::loaded(&values, &device).expect("loaded");
    lpips.distance(&tensor(&[2, 3, 32, 32], 1, &device), &tensor(&[1, 3, 32, 32], 1, &device));
}
