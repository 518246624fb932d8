//! The networks of all papers: their published sizes, and pictures that are not square.

use semgan::checkpoint::published::genforce;
use semgan::models::{Discriminator as _, Generator as _};
use semgan::models::{pggan, sarigan, semantic_stylegan, stylegan, stylegan2};
use semgan::nn::{Builder, Network};
use semgan::tensor::Shape;
use semgan::{Device, Result, Tensor};

use crate::common::{assert_close, gpu, tensor};
use crate::runs;

fn count<M>(build: impl FnOnce(&mut Builder) -> M) -> usize {
    let mut b = Builder::default();
    build(&mut b);
    b.count()
}

#[test]
fn networks_have_as_many_parameters_as_the_published_ones() {
    let device = Device::cpu();
    for (resolution, g, d) in [(256, 23_044_309, 23_052_353), (1024, 23_079_115, 23_087_249)] {
        let config = pggan::Config { resolution, ..Default::default() };
        assert_eq!(count(|b| pggan::Generator::new(&config, b)), g);
        assert_eq!(count(|b| pggan::Discriminator::new(&config, b)), d);
    }
    for (resolution, g, d) in [(256, 26_086_229, 23_052_353), (1024, 26_219_627, 23_087_249)] {
        let config = stylegan::Config { resolution, ..Default::default() };
        assert_eq!(count(|b| stylegan::Generator::new(&config, b, &device)), g);
        assert_eq!(count(|b| stylegan::Discriminator::new(&config, b, &device)), d);
    }
    for (config, g, d) in [
        (stylegan2::Config::e(256), 24_767_458, 24_001_089),
        (stylegan2::Config::f(256), 30_034_338, 28_864_129),
        (stylegan2::Config::e(1024), 24_900_764, 24_038_161),
        (stylegan2::Config::f(1024), 30_370_060, 29_012_513),
    ] {
        assert_eq!(count(|b| stylegan2::Generator::new(&config, b, &device)), g);
        assert_eq!(count(|b| stylegan2::Discriminator::new(&config, b, &device)), d);
    }
    for (config, g, d) in [
        (sarigan::Config::published(256), 25_199_290, 24_526_401),
        (sarigan::Config::wide(512), 30_741_219, 29_508_161),
    ] {
        assert_eq!(count(|b| sarigan::Generator::new(&config, b, &device)), g);
        assert_eq!(count(|b| sarigan::Discriminator::new(&config, b, &device)), d);
    }
    for (size, g, d) in [
        (256, 20_208_020, 51_169_793),
        (512, 20_320_358, 51_406_593),
        (1024, 20_349_016, 51_465_601),
    ] {
        let config = semantic_stylegan::Config::published(size);
        assert_eq!(count(|b| semantic_stylegan::Generator::new(&config, b, &device)), g);
        assert_eq!(count(|b| semantic_stylegan::Discriminator::new(&config, b, &device)), d);
    }
}

/// What a system makes of latents, and of the picture that it made.
type Run = fn([usize; 2], &Values) -> Result<[Tensor; 2]>;

/// Parameters that depend on the key alone; turned, rows are columns everywhere.
struct Values {
    base: [usize; 2],
    is_turned: bool,
    device: Device,
}

impl Values {
    fn drawn(&self, name: &str, shape: &[usize]) -> Tensor {
        let (seed, n) =
            (name.bytes().fold(7, |sum: u32, b| sum * 31 % 65_521 + u32::from(b)), shape.len());
        if !self.is_turned || n < 4 {
            return tensor(shape, seed, &self.device);
        }
        let mut turned = shape.to_vec();
        turned.swap(n - 2, n - 1);
        tensor(&turned, seed, &self.device).transpose(n as isize - 2, n as isize - 1)
    }

    /// The first dense layer of a discriminator reads planes of the base.
    fn get(&self, key: &str, shape: &Shape, first_dense: &str) -> Result<Tensor> {
        if key != first_dense {
            return Ok(self.drawn(key, shape));
        }
        let [h, w] = self.base;
        Ok(self.drawn(key, &[shape[0], shape[1] / (h * w), h, w]).reshape(shape))
    }

    fn network<M>(&self, dense: &str, build: impl FnOnce(&mut Builder) -> M) -> Result<M> {
        Builder::bound(build, |key, shape| self.get(key, shape, dense))
    }
}

const SYSTEMS: [(&str, Run); 4] = [
    ("pggan", |base, v| {
        let config = pggan::Config {
            resolution: 16,
            base,
            z_space_dim: 6,
            fmaps_base: 64,
            fmaps_max: 8,
            ..Default::default()
        };
        let g = v.network("", |b| pggan::Generator::new(&config, b))?;
        let d = v.network("layer5.weight", |b| pggan::Discriminator::new(&config, b))?;
        let image = g.synthesis(&g.map(&v.drawn("z", &[2, 6]), None), 0.5).image;
        Ok([d.judge(&image, None, 0.5).pred, image])
    }),
    ("stylegan", |base, v| {
        let config = stylegan::Config {
            resolution: 16,
            base,
            z_space_dim: 6,
            w_space_dim: 6,
            mapping_fmaps: 6,
            const_input: false,
            fused_scale: pggan::FusedScale::All(true),
            fmaps_base: 64,
            fmaps_max: 8,
            ..Default::default()
        };
        let g = v.network("", |b| stylegan::Generator::new(&config, b, &v.device))?;
        let dense = "layer5.weight";
        let d = v.network(dense, |b| stylegan::Discriminator::new(&config, b, &v.device))?;
        let w = g.mapping.forward(&v.drawn("z", &[2, 6]), None);
        let image = g.synthesis(&g.broadcast(&w), &g.noise_buffers(), 0.0).image;
        Ok([d.judge(&image, None, 0.0).pred, image])
    }),
    ("stylegan2", |base, v| {
        let config = stylegan2::Config {
            base,
            discriminator: stylegan2::Architecture::Skip,
            ..runs::network().stylegan2()
        };
        let g = v.network("", |b| stylegan2::Generator::new(&config, b, &v.device))?;
        let dense = "final_linear.0.weight";
        let d = v.network(dense, |b| stylegan2::Discriminator::new(&config, b, &v.device))?;
        let w = g.mapping.forward(&v.drawn("z", &[2, config.style_dim]), None);
        let image = g.synthesis(&g.broadcast(&w), &g.noise_buffers()).image;
        assert_eq!(image.shape()[2..], config.picture_size());
        Ok([d.judge(&image, None, 0.0).pred, image])
    }),
    ("sarigan", |base, v| {
        let config = sarigan::Config { base, ..runs::network() };
        let g = v.network("", |b| sarigan::Generator::new(&config, b, &v.device))?;
        let dense = "final_linear.weight";
        let d = v.network(dense, |b| sarigan::Discriminator::new(&config, b, &v.device))?;
        let (_, w) = g.mapping.forward(&v.drawn("z", &[2, config.style_dim]));
        let styles = vec![w; config.n_latents()];
        let image = g.synthesis(&styles, &g.noise_buffers(), &g.groupings());
        Ok([d.judge(&image, None, 0.0).info.expect("an estimate"), image])
    }),
];

#[test]
fn rows_and_columns_of_a_picture_are_treated_alike() {
    for device in [Device::reference(), Device::cpu()].into_iter().chain(gpu()) {
        for ((name, run), base) in SYSTEMS.iter().flat_map(|s| [(s, [4, 3]), (s, [2, 5])]) {
            let values = |base, is_turned| Values { base, is_turned, device: device.clone() };
            let turned = [base[1], base[0]];
            let [score, image] = run(base, &values(base, false)).expect("a network");
            let [other, turned] = run(turned, &values(turned, true)).expect("a network");
            assert_eq!(image.size(2) * base[1], image.size(3) * base[0], "{name}");
            for (what, got, want) in
                [("picture", turned.transpose(2, 3), image), ("scores", other, score)]
            {
                let (got, want) = (got.to_vec().expect("read"), want.to_vec_f64().expect("read"));
                let most = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
                assert!(most > 1e-6, "{name} {what}: nothing to compare");
                assert_close(&format!("{name} {what}"), &got, &want, 1e-4 * most, 0.0);
            }
        }
    }
}

#[test]
fn each_parameter_has_a_place_of_its_own_in_genforces_files() {
    let device = Device::cpu();
    let config = stylegan2::Config {
        classes: 3,
        discriminator: stylegan2::Architecture::Skip,
        ..runs::network().stylegan2()
    };
    let g = Network::initialized(1, &device, |b| stylegan2::Generator::new(&config, b, &device));
    let d =
        Network::initialized(1, &device, |b| stylegan2::Discriminator::new(&config, b, &device));
    let ours = g.params.keys().chain(g.params.buffers().map(|(key, _)| key));
    let of_g = ours.map(|key| genforce::generator(key).expect("known").key);
    let of_d = d.params.keys().map(|key| genforce::discriminator(8, key).expect("known").key);
    for mut theirs in [of_g.collect::<Vec<_>>(), of_d.collect()] {
        let n = theirs.len();
        theirs.sort();
        theirs.dedup();
        assert_eq!(theirs.len(), n, "{theirs:?}");
    }
}

#[test]
fn a_parameter_that_genforce_does_not_have_is_named() {
    for key in ["final_style.weight", "style.0.weight", "convs.x.conv.weight", "noises.plane", ""] {
        let error = genforce::generator(key).expect_err("unknown").to_string();
        assert!(error.contains(key) && error.contains("no such parameter"), "{error}");
    }
    for key in ["final_info_linear.weight", "convs.1.conv1.x", "weight"] {
        let found = genforce::discriminator(16, key);
        let error = found.map(|source| source.key).expect_err("unknown").to_string();
        assert!(error.contains(key), "{error}");
    }
    let source = genforce::generator("conv1.noise.weight").expect("known");
    let error = source.convert(&tensor(&[2], 1, &Device::cpu()), &[1].into());
    let error = error.expect_err("of another size").to_string();
    assert!(error.contains("synthesis.layer0.noise_strength"), "{error}");
}

#[test]
fn sizes_that_no_network_has_are_refused_by_name() {
    let refused = |field: &str, change: &dyn Fn(&mut stylegan2::Config)| {
        let mut config = stylegan2::Config::f(32);
        config.check().expect("a network");
        change(&mut config);
        let error = config.check().expect_err("no network").to_string();
        assert!(error.contains(field), "{field}: {error}");
    };
    refused("size", &|c| c.size = 0);
    refused("size", &|c| c.size = 33);
    refused("base", &|c| c.base = [4, 0]);
    refused("base", &|c| c.base = [17, 4]);
    refused("latent_dim", &|c| c.latent_dim = Some(0));
    refused("score_width", &|c| c.score_width = Some(0));
    refused("channels", &|c| c.channels.retain(|&r, _| r != 16));
    refused("generator", &|c| c.generator = stylegan2::Architecture::Residual);
    refused("blur_kernel", &|c| c.blur_kernel = vec![1.0, -1.0]);
}

#[test]
fn sizes_that_no_semantic_network_has_are_refused_by_name() {
    let refused = |field: &str, change: &dyn Fn(&mut semantic_stylegan::Config)| {
        let mut config = semantic_stylegan::Config::published(256);
        config.check().expect("a network");
        change(&mut config);
        let error = config.check().expect_err("no network").to_string();
        assert!(error.contains(field), "{field}: {error}");
    };
    refused("size", &|c| c.size = 48);
    refused("style_dim", &|c| c.style_dim = 0);
    refused("channels", &|c| c.channels.retain(|&r, _| r != 64));
    refused("d_channels", &|c| c.d_channels.retain(|&r, _| r != 4));
    refused("seg_dim", &|c| c.seg_dim = 0);
    refused("seg_dim", &|c| c.seg_dim = 1 << 40);
    refused("local_layers", &|c| c.local_layers = 0);
    refused("local_channel", &|c| c.local_channel = 0);
    refused("base_layers", &|c| c.base_layers = 7);
    refused("depth_layers", &|c| c.depth_layers = 11);
    refused("depth_layers", &|c| c.depth_layers = 0);
    refused("coarse_size", &|c| c.coarse_size = 256);
    refused("coarse_size", &|c| c.coarse_size = 56);
    refused("coarse_channel", &|c| c.coarse_channel = 0);
    refused("min_feat_size", &|c| c.min_feat_size = 0);
    refused("min_feat_size", &|c| c.min_feat_size = 64);
    refused("transparent_dims", &|c| c.transparent_dims = vec![13]);
    refused("stddev_group", &|c| c.stddev_group = 0);
}

#[test]
#[should_panic(expected = "level of detail 2.5, not from 0 to 2")]
fn a_picture_smaller_than_the_base_is_refused() {
    let config = pggan::Config { resolution: 16, fmaps_max: 4, ..Default::default() };
    let g = Network::initialized(1, &Device::cpu(), |b| pggan::Generator::new(&config, b));
    g.model.synthesis(&tensor(&[1, 512], 1, &Device::cpu()), 2.5);
}
