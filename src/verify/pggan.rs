//! Rows of folder `pggan`: layers (INDEX-pggan).

use super::Row;
use super::case::{Context, Outputs};
use crate::Result;
use crate::nn::conv::bias_act;
use crate::nn::fused_scale_weight;
use crate::ops::conv::Conv2d;
use crate::ops::resample::pool::Pool2d;
use crate::ops::resample::resize::Resize;
use crate::tensor::Tensor;

type Run = fn(&Context) -> Result<Outputs>;

const fn row(op: &'static str, run: Run) -> Row {
    Row { system: "pggan", op, run }
}

pub(super) static ROWS: &[Row] = &[
    row("pixel_norm", |c| Outputs::y(c.x("x")?.pixel_norm(1, c.f64("eps")?))),
    row("pggan_minibatch_std", |c| {
        Outputs::y(c.x("x")?.minibatch_stddev(c.size("group_size")?, 1, c.f64("eps")?))
    }),
    row("pggan_g_conv_block", g_conv_block),
    row("pggan_d_conv_block", |c| {
        let halving = Halving::of(c)?;
        let y = halving.conv(&c.x("x")?, &c.x("weight")?, c)?;
        Outputs::y(halving.pool(&bias_act(&y, 1.0, &c.x("bias")?, slope(c, "activation")?, 1.0)))
    }),
];

/// Of leaky ReLU; 1 is the identity.
pub(super) fn slope(c: &Context, name: &str) -> Result<f64> {
    match c.word(name)?.as_str() {
        "lrelu" => Ok(0.2),
        "linear" => Ok(1.0),
        other => Err(c.wrong(name, &format!("known, but {other}"))),
    }
}

/// The equalised weight of a square kernel over `inputs` channels.
pub(super) fn scaled(weight: &Tensor, inputs: usize, c: &Context) -> Result<Tensor> {
    let k = c.size("kernel_size")?;
    Ok(weight * (c.f64("wscale_gain")? / ((k * k * inputs) as f64).sqrt()))
}

/// How a discriminator's block halves the resolution.
pub(super) struct Halving {
    pub(super) is_on: bool,
    is_fused: bool,
}

impl Halving {
    pub(super) fn of(c: &Context) -> Result<Self> {
        Ok(Self { is_on: c.flag("downsample")?, is_fused: c.flag("fused_scale")? })
    }

    pub(super) fn conv(&self, x: &Tensor, weight: &Tensor, c: &Context) -> Result<Tensor> {
        let weight = scaled(weight, x.size(1), c)?;
        if self.is_on && self.is_fused {
            let conv = Conv2d { padding: [1, 1], ..Conv2d::strided(2) };
            return Ok(x.conv2d(&(fused_scale_weight(&weight) * 0.25), &conv));
        }
        Ok(x.conv2d(&weight, &Conv2d::padded(c.size("padding")?)))
    }

    pub(super) fn pool(&self, y: &Tensor) -> Tensor {
        match self.is_on && !self.is_fused {
            true => y.avg_pool2d(&Pool2d::tiles(2), true),
            false => y.clone(),
        }
    }
}

/// Convolution of a generator's block, after doubling the resolution where the case asks for it.
/// `is_transposed`: the weight of a fused one is stored as a transposed convolution's.
pub(super) fn doubled_conv(
    x: &Tensor,
    weight: &Tensor,
    is_transposed: bool,
    c: &Context,
) -> Result<Tensor> {
    let weight = scaled(weight, x.size(1), c)?;
    let (is_on, is_fused) = (c.flag("upsample")?, c.flag("fused_scale")?);
    if is_on && is_fused {
        let conv = Conv2d { padding: [1, 1], ..Conv2d::strided(2) };
        let weight = fused_scale_weight(&weight);
        let weight = if is_transposed { weight } else { weight.transpose(0, 1) };
        return Ok(x.conv_transpose2d(&weight, &conv, [0, 0]));
    }
    let size = [2 * x.size(2), 2 * x.size(3)];
    let x = if is_on { x.resize(size, Resize::Nearest) } else { x.clone() };
    Ok(x.conv2d(&weight, &Conv2d::padded(c.size("padding")?)))
}

fn g_conv_block(c: &Context) -> Result<Outputs> {
    let x = c.x("x")?.pixel_norm(1, 1e-8);
    let y = doubled_conv(&x, &c.x("weight")?, true, c)?;
    Outputs::y(bias_act(&y, 1.0, &c.x("bias")?, slope(c, "activation")?, 1.0))
}
