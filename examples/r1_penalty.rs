//! A gradient penalty in twenty lines: R1 of a small convolutional critic, differentiated again.
//!
//! `cargo run --release --example r1_penalty [cpu|gpu|reference]`

use semgan::autograd::grad;
use semgan::ops::conv::Conv2d;
use semgan::ops::random::Draw;
use semgan::train::loss;
use semgan::{Device, Result};

fn main() -> Result<()> {
    let wanted = std::env::args().nth(1).unwrap_or_else(|| "cpu".into());
    let (device, _) = Device::select(&wanted)?;
    let normals =
        |stream, shape: &[usize]| Draw { seed: 7, stream, step: 0 }.normals(shape, &device);
    let real = normals(0, &[4, 3, 16, 16]).tracked();
    let (w1, w2) = (normals(1, &[8, 3, 3, 3]).tracked(), normals(2, &[1, 8 * 16 * 16]).tracked());

    let hidden = real.conv2d(&w1, &Conv2d::padded(1)).softplus();
    let pred = hidden.reshape([4, 8 * 16 * 16]).linear(&w2, None);
    let r1 = loss::r1(&pred, &real).penalty;
    let gradients = grad(&[&r1], &[None], &[&w1, &w2], false);

    let mut out = format!("R1 penalty {:.4}\n", r1.item()?);
    for (name, gradient) in ["w1", "w2"].iter().zip(gradients) {
        let norm = gradient.expect("the penalty depends on both").square().sum_all().sqrt();
        out += &format!("norm of its gradient with respect to {name} {:.4}\n", norm.item()?);
    }
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())
        .map_err(semgan::Error::io("write", "stdout"))
}
