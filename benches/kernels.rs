//! Times the heavy operations at the shapes of a 32 x 32 SariGAN at batch 16, and a few others:
//! `cargo bench --bench kernels -- [device] [part of a row's name] [--large]`. With `--large` at the
//! shapes of a 256 x 256 StyleGAN2 at batch 16 instead, which only GPUs finish in reasonable time.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench times and prints")]

use std::time::{Duration, Instant};

use semgan::ops::conv::Conv2d;
use semgan::ops::resample::resize::Resize;
use semgan::ops::resample::upfirdn2d::Upfirdn2d;
use semgan::train::augment::{Geometry, geometric};
use semgan::{Device, Shape, Tensor};

struct Bench {
    device: Device,
    wanted: Option<String>,
}

impl Bench {
    fn tensor(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let value = |k: usize| ((k * 7919) % 1009) as f32 / 504.0 - 1.0;
        let values: Vec<f32> = (0..shape.numel()).map(value).collect();
        Tensor::from_slice(&values, shape, &self.device)
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| name.contains(wanted))
    }

    /// Prints the best time of a call, and `amount / time` in `unit` (1e9 per second).
    fn row(&self, name: &str, amount: usize, unit: &str, call: impl Fn() -> Tensor) {
        if !self.is_wanted(name) {
            return;
        }
        let mut best = Duration::MAX;
        let start = Instant::now();
        for round in 0.. {
            let before = Instant::now();
            call();
            self.device.sync().expect("the device failed");
            best = best.min(before.elapsed());
            if round > 2 && start.elapsed() > Duration::from_millis(400) {
                break;
            }
        }
        let seconds = best.as_secs_f64();
        println!("{name:44} {:9.3} ms {:7.1} {unit}", seconds * 1e3, amount as f64 / seconds / 1e9);
    }

    /// A convolution and its two gradients; `x` is the input of the `conv2d` among the three.
    fn conv(&self, x: [usize; 4], o: usize, kernel: usize, conv: Conv2d) {
        let [n, c, h, _] = x;
        let groups = if conv.groups > 1 { format!(" g{}", conv.groups) } else { String::new() };
        let name = format!("{n}x{c}x{h} -> {o} {kernel}x{kernel} s{}{groups}", conv.stride[0]);
        let names = ["conv2d", "conv_transpose2d", "conv2d_weight_grad"];
        let names = names.map(|op| format!("{op} {name}"));
        if !names.iter().any(|name| self.is_wanted(name)) {
            return;
        }
        let (x, w) = (self.tensor(x), self.tensor([o, c / conv.groups, kernel, kernel]));
        let y = x.conv2d(&w, &conv);
        let flops = 2 * y.numel() * w.numel() / o;
        let reach = |k: usize| (y.size(2 + k as isize) - 1) * conv.stride[k] + kernel;
        let rest = [0, 1].map(|k| x.size(2 + k as isize) + 2 * conv.padding[k] - reach(k));
        self.row(&names[0], flops, "GFLOP/s", || x.conv2d(&w, &conv));
        self.row(&names[1], flops, "GFLOP/s", || y.conv_transpose2d(&w, &conv, rest));
        self.row(&names[2], flops, "GFLOP/s", || x.conv2d_weight_grad(&y, [kernel, kernel], &conv));
    }

    fn convs(&self) {
        let same = |k: usize| Conv2d { padding: [k / 2, k / 2], ..Conv2d::default() };
        let half = Conv2d { stride: [2, 2], ..Conv2d::default() };
        self.conv([4, 128, 32, 32], 128, 3, same(3));
        for (c, size) in [(128, 4), (128, 8), (128, 16), (64, 32)] {
            self.conv([16, c, size, size], c, 3, same(3));
        }
        self.conv([16, 129, 4, 4], 128, 3, same(3));
        self.conv([16, 64, 34, 34], 128, 3, half);
        self.conv([16, 64, 33, 33], 128, 1, half);
        self.conv([16, 3, 32, 32], 64, 1, same(1));
        self.conv([16, 64, 32, 32], 3, 1, same(1));
        self.conv([16, 128, 9, 9], 128, 3, half);
        self.conv([16, 128, 17, 17], 128, 3, half);
        self.conv([16, 64, 33, 33], 128, 3, half);
        self.conv([1, 2048, 16, 16], 2048, 3, Conv2d { groups: 16, ..same(3) });
        self.conv([4, 64, 32, 32], 64, 3, Conv2d { groups: 64, ..same(3) });
        self.conv([1, 512, 64, 64], 512, 3, same(3));
    }

    /// Layers of a network for 256 x 256 pictures: plain ones, those that change the size, to and
    /// from colours.
    fn large_convs(&self) {
        let same = |k: usize| Conv2d { padding: [k / 2, k / 2], ..Conv2d::default() };
        let half = Conv2d { stride: [2, 2], ..Conv2d::default() };
        for (c, size) in
            [(512, 32), (512, 4), (512, 8), (512, 16), (256, 64), (128, 128), (64, 256)]
        {
            self.conv([16, c, size, size], c, 3, same(3));
        }
        for (c, o, size) in [(512, 512, 9), (512, 512, 33), (128, 256, 129), (64, 128, 257)] {
            self.conv([16, c, size, size], o, 3, half);
        }
        self.conv([16, 64, 255, 255], 128, 1, half);
        self.conv([16, 64, 256, 256], 3, 1, same(1));
        self.conv([16, 512, 32, 32], 3, 1, same(1));
        self.conv([16, 3, 256, 256], 64, 1, same(1));
        self.conv([16, 513, 4, 4], 512, 3, same(3));
    }

    fn products(&self, sizes: &[[usize; 3]]) {
        for &[m, k, n] in sizes {
            let (a, b) = (self.tensor([m, k]), self.tensor([k, n]));
            let flops = 2 * m * k * n;
            self.row(&format!("matmul {m}x{k}x{n}"), flops, "GFLOP/s", || a.matmul(&b));
        }
    }

    fn transposed_product(&self) {
        let (a, b) = (self.tensor([128, 1152]), self.tensor([64, 1152]));
        self.row("matmul a bᵀ 128x1152x64", 2 * 128 * 1152 * 64, "GFLOP/s", || {
            a.matmul_t(&b, false, true)
        });
    }

    fn resamplings(&self) {
        let kernel = Tensor::from_slice(&[1.0, 3.0, 3.0, 1.0], [4], &self.device);
        let kernel = kernel.reshape([4, 1]).matmul(&kernel.reshape([1, 4]));
        let blur = |pad| Upfirdn2d { pad: [pad; 4], ..Upfirdn2d::default() };
        let twice = Upfirdn2d { up: [2, 2], pad: [2, 1, 2, 1], ..Upfirdn2d::default() };
        let half = Upfirdn2d { down: [2, 2], pad: [1, 1, 1, 1], ..Upfirdn2d::default() };
        for (name, shape, attributes) in [
            ("blur", [16, 64, 33, 33], blur(1)),
            ("blur", [16, 64, 32, 32], blur(2)),
            ("up", [16, 64, 32, 32], twice),
            ("down", [16, 64, 32, 32], half),
        ] {
            let x = self.tensor(shape);
            let bytes = 4 * (x.numel() + x.upfirdn2d(&kernel, &attributes).numel());
            self.row(&format!("upfirdn2d {name} {shape:?}"), bytes, "GB/s", || {
                x.upfirdn2d(&kernel, &attributes)
            });
        }
        let x = self.tensor([16, 3, 64, 64]);
        let larger = x.resize([128, 128], Resize::HalfPixel);
        let bytes = 4 * (x.numel() + larger.numel());
        self.row("resize [16, 3, 64, 64] to 128", bytes, "GB/s", || {
            x.resize([128, 128], Resize::HalfPixel)
        });
        let drawn = Geometry { rotate_pre: 0.3, scale: 1.2, ..Geometry::default() };
        let maps = [drawn.inverse(64, 64); 16];
        let warp = maps.map(|m| [m[0], m[1]]);
        self.row("affine_warp [16, 3, 128, 128]", 2 * 4 * larger.numel(), "GB/s", || {
            larger.affine_warp(&warp, [128, 128])
        });
        self.row("ada geometry [16, 3, 64, 64]", 2 * 4 * x.numel(), "GB/s", || {
            geometric(&x, &maps)
        });
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (flags, mut args): (Vec<_>, Vec<_>) = args.into_iter().partition(|a| a.starts_with("--"));
    let wanted = (args.len() > 1).then(|| args.remove(1));
    let name = args.pop().unwrap_or_else(|| "cpu".into());
    let (device, why) = Device::select(&name).expect("a device");
    println!("{why}");
    let bench = Bench { device, wanted };
    if flags == ["--large"] {
        bench.large_convs();
        bench.products(&[[16, 512, 512], [1024; 3], [4096; 3]]);
        return;
    }
    bench.products(&[[16, 128, 128], [128, 1152, 1024], [512; 3], [1024; 3]]);
    bench.transposed_product();
    bench.convs();
    bench.resamplings();
}
