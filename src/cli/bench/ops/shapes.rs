//! The operations that take a network's time, at its shapes.

use super::Bench;
use crate::autograd::grad;
use crate::device::profile::Work;
use crate::ops::conv::Conv2d;
use crate::ops::resample::resize::Resize;
use crate::ops::resample::upfirdn2d::Upfirdn2d;
use crate::tensor::Tensor;
use crate::train::augment::{Geometry, geometric};

/// So many multiply-adds, and all of these tensors once.
fn work(multiplications: usize, tensors: &[&Tensor]) -> Work {
    let bytes = tensors.iter().map(|x| 4 * x.numel() as u64).sum();
    Work { flops: 2 * multiplications as u64, bytes }
}

fn same(kernel: usize) -> Conv2d {
    Conv2d::padded(kernel / 2)
}

fn half() -> Conv2d {
    Conv2d::strided(2)
}

/// A 32x32 SariGAN at batch 16, and a few others.
pub(super) fn small(bench: &mut Bench) -> anyhow::Result<()> {
    for size in [[16, 128, 128], [128, 1152, 1024], [512; 3], [1024; 3]] {
        product(bench, size)?;
    }
    transposed_product(bench)?;
    product_with_gradients(bench, 1024)?;
    conv(bench, [4, 128, 32, 32], 128, 3, same(3))?;
    conv_with_gradients(bench)?;
    transpose_with_gradients(bench)?;
    for (c, size) in [(128, 4), (128, 8), (128, 16), (64, 32)] {
        conv(bench, [16, c, size, size], c, 3, same(3))?;
    }
    conv(bench, [16, 129, 4, 4], 128, 3, same(3))?;
    conv(bench, [16, 64, 34, 34], 128, 3, half())?;
    conv(bench, [16, 64, 33, 33], 128, 1, half())?;
    conv(bench, [16, 3, 32, 32], 64, 1, same(1))?;
    conv(bench, [16, 64, 32, 32], 3, 1, same(1))?;
    for (c, size) in [(128, 9), (128, 17), (64, 33)] {
        conv(bench, [16, c, size, size], 128, 3, half())?;
    }
    conv(bench, [1, 2048, 16, 16], 2048, 3, Conv2d { groups: 16, ..same(3) })?;
    conv(bench, [4, 64, 32, 32], 64, 3, Conv2d { groups: 64, ..same(3) })?;
    conv(bench, [1, 512, 64, 64], 512, 3, same(3))?;
    pointwise(bench)?;
    filters(bench)?;
    warps(bench)
}

/// Layers of a StyleGAN2 for 256x256 pictures: plain ones, those that change the size, to and from
/// colours.
pub(super) fn large(bench: &mut Bench) -> anyhow::Result<()> {
    for (c, size) in [(512, 32), (512, 4), (512, 8), (512, 16), (256, 64), (128, 128), (64, 256)] {
        conv(bench, [16, c, size, size], c, 3, same(3))?;
    }
    for (c, o, size) in [(512, 512, 9), (512, 512, 33), (128, 256, 129), (64, 128, 257)] {
        conv(bench, [16, c, size, size], o, 3, half())?;
    }
    conv(bench, [16, 64, 255, 255], 128, 1, half())?;
    conv(bench, [16, 64, 256, 256], 3, 1, same(1))?;
    conv(bench, [16, 512, 32, 32], 3, 1, same(1))?;
    conv(bench, [16, 3, 256, 256], 64, 1, same(1))?;
    conv(bench, [16, 513, 4, 4], 512, 3, same(3))?;
    for size in [[16, 512, 512], [1024; 3], [4096; 3]] {
        product(bench, size)?;
    }
    Ok(())
}

fn product(bench: &mut Bench, [m, k, n]: [usize; 3]) -> anyhow::Result<()> {
    let name = format!("matmul {m}x{k}x{n}");
    if !bench.is_wanted(&name) {
        return Ok(());
    }
    let (a, b) = (bench.tensor(&[m, k]), bench.tensor(&[k, n]));
    let y = a.matmul(&b);
    bench.row(&name, work(m * k * n, &[&a, &b, &y]), || a.matmul(&b))
}

fn transposed_product(bench: &mut Bench) -> anyhow::Result<()> {
    let (a, b) = (bench.tensor(&[128, 1152]), bench.tensor(&[64, 1152]));
    let y = a.matmul_t(&b, false, true);
    let work = work(128 * 1152 * 64, &[&a, &b, &y]);
    bench.row("matmul a bᵀ 128x1152x64", work, || a.matmul_t(&b, false, true))
}

/// Three products that each read two of three tensors and write the third.
fn thrice(multiplications: usize, tensors: &[&Tensor; 3]) -> Work {
    let once = work(multiplications, tensors);
    Work { flops: 3 * once.flops, bytes: 3 * once.bytes }
}

/// The gradients of `<g, f(x, w)>`, which need the value first.
fn gradients(
    f: impl Fn(&Tensor, &Tensor) -> Tensor,
    x: &Tensor,
    w: &Tensor,
    g: &Tensor,
) -> [Option<Tensor>; 2] {
    let (x, w) = (x.tracked(), w.tracked());
    let grads = grad(&[&f(&x, &w)], &[Some(g)], &[&x, &w], false);
    grads.try_into().expect("as many as asked for")
}

fn product_with_gradients(bench: &mut Bench, n: usize) -> anyhow::Result<()> {
    let (a, b, g) = (bench.tensor(&[n, n]), bench.tensor(&[n, n]), bench.tensor(&[n, n]));
    let name = format!("matmul {n}x{n}x{n} and its gradients");
    bench.row(&name, thrice(n * n * n, &[&a, &b, &g]), || gradients(Tensor::matmul, &a, &b, &g))
}

fn conv_with_gradients(bench: &mut Bench) -> anyhow::Result<()> {
    let (x, w) = (bench.tensor(&[4, 128, 32, 32]), bench.tensor(&[128, 128, 3, 3]));
    let (g, conv) = (bench.tensor(&[4, 128, 32, 32]), same(3));
    let work = thrice(g.numel() * 128 * 9, &[&x, &w, &g]);
    bench.row("conv2d 4x128x32 -> 128 3x3 s1 and its gradients", work, || {
        gradients(|x, w| x.conv2d(w, &conv), &x, &w, &g)
    })
}

/// Enlarges as PyTorch's `stride=2, padding=1, output_padding=1` does.
fn transpose_with_gradients(bench: &mut Bench) -> anyhow::Result<()> {
    let (x, w) = (bench.tensor(&[4, 128, 16, 16]), bench.tensor(&[128, 128, 3, 3]));
    let (g, conv) = (bench.tensor(&[4, 128, 32, 32]), Conv2d { padding: [1, 1], ..half() });
    let enlarged = |x: &Tensor, w: &Tensor| x.conv_transpose2d(w, &conv, [1, 1]);
    let (multiplications, tensors) = (x.numel() * 128 * 9, [&x, &w, &g]);
    let name = "conv_transpose2d 4x128x16 -> 128 3x3 s2";
    bench.row(name, work(multiplications, &tensors), || enlarged(&x, &w))?;
    bench.row(&format!("{name} and its gradients"), thrice(multiplications, &tensors), || {
        gradients(enlarged, &x, &w, &g)
    })
}

/// A convolution and what its gradients are; `x` is the input of the `conv2d` among the three.
fn conv(
    bench: &mut Bench,
    x: [usize; 4],
    o: usize,
    kernel: usize,
    conv: Conv2d,
) -> anyhow::Result<()> {
    let [n, c, h, _] = x;
    let groups = if conv.groups > 1 { format!(" g{}", conv.groups) } else { String::new() };
    let name = format!("{n}x{c}x{h} -> {o} {kernel}x{kernel} s{}{groups}", conv.stride[0]);
    let names = ["conv2d", "conv_transpose2d of", "conv2d_weight_grad"];
    let names = names.map(|op| format!("{op} {name}"));
    if !names.iter().any(|name| bench.is_wanted(name)) {
        return Ok(());
    }
    let (x, w) = (bench.tensor(&x), bench.tensor(&[o, c / conv.groups, kernel, kernel]));
    let y = x.conv2d(&w, &conv);
    let work = work(y.numel() * w.numel() / o, &[&x, &w, &y]);
    let reach = |k: usize| (y.size(2 + k as isize) - 1) * conv.stride[k] + kernel;
    let rest = [0, 1].map(|k| x.size(2 + k as isize) + 2 * conv.padding[k] - reach(k));
    bench.row(&names[0], work, || x.conv2d(&w, &conv))?;
    bench.row(&names[1], work, || y.conv_transpose2d(&w, &conv, rest))?;
    bench.row(&names[2], work, || x.conv2d_weight_grad(&y, [kernel, kernel], &conv))
}

fn pointwise(bench: &mut Bench) -> anyhow::Result<()> {
    let x = bench.tensor(&[1 << 20]);
    let chain = |x: &Tensor| x.map(|x| ((x.clone() * 2.0 + 1.0) * x - 0.5).exp());
    bench.row("pointwise exp((2 x + 1) x - 0.5) 1048576", work(0, &[&x, &x]), || chain(&x))
}

fn filters(bench: &mut Bench) -> anyhow::Result<()> {
    let kernel = Tensor::from_slice(&[1.0, 3.0, 3.0, 1.0], [4], &bench.device);
    let kernel = kernel.reshape([4, 1]).matmul(&kernel.reshape([1, 4]));
    let blur = |pad| Upfirdn2d { pad: [pad; 4], ..Upfirdn2d::default() };
    let twice = Upfirdn2d { up: [2, 2], pad: [2, 1, 2, 1], ..Upfirdn2d::default() };
    let smaller = Upfirdn2d { down: [2, 2], pad: [1, 1, 1, 1], ..Upfirdn2d::default() };
    for (name, size, attributes) in
        [("blur", 33, blur(1)), ("blur", 32, blur(2)), ("up", 32, twice), ("down", 32, smaller)]
    {
        let x = bench.tensor(&[16, 64, size, size]);
        let y = x.upfirdn2d(&kernel, &attributes);
        let name = format!("upfirdn2d {name} 16x64x{size}");
        bench.row(&name, work(0, &[&x, &y]), || x.upfirdn2d(&kernel, &attributes))?;
    }
    Ok(())
}

fn warps(bench: &mut Bench) -> anyhow::Result<()> {
    let x = bench.tensor(&[16, 3, 64, 64]);
    let larger = x.resize([128, 128], Resize::HalfPixel);
    bench.row("resize 16x3x64 to 128", work(0, &[&x, &larger]), || {
        x.resize([128, 128], Resize::HalfPixel)
    })?;
    let drawn = Geometry { rotate_pre: 0.3, scale: 1.2, ..Geometry::default() };
    let maps = [drawn.inverse(64, 64); 16];
    let warp = maps.map(|m| [m[0], m[1]]);
    bench.row("affine_warp 16x3x128", work(0, &[&larger, &larger]), || {
        larger.affine_warp(&warp, [128, 128])
    })?;
    bench.row("ada geometry 16x3x64", work(0, &[&x, &x]), || geometric(&x, &maps))
}
