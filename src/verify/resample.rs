//! Rows of folder `ops` that resample images (INDEX-ops-a and -c).

use super::Row;
use super::case::{Context, Outputs};
use super::ops::row;
use crate::Result;
use crate::ops::resample::grid_sample::Beyond;
use crate::ops::resample::pad::Pad;
use crate::ops::resample::pool::Pool2d;
use crate::ops::resample::resize::Resize;

pub(super) static ROWS: &[Row] = &[
    row("interpolate", |c| {
        let resize = match c.word("mode")?.as_str() {
            "nearest" => Resize::Nearest,
            "bilinear" if c.flag("align_corners")? => Resize::AlignCorners,
            "bilinear" => Resize::HalfPixel,
            other => return Err(c.wrong("mode", &format!("known, but {other}"))),
        };
        Outputs::y(c.x("x")?.resize(c.pair("size")?, resize))
    }),
    row("resize_bilinear", |c| {
        let resize = match c.word("mode")?.as_str() {
            "tf1" => Resize::TopLeft,
            "half_pixel" => Resize::HalfPixel,
            "align_corners" => Resize::AlignCorners,
            other => return Err(c.wrong("mode", &format!("known, but {other}"))),
        };
        Outputs::y(c.x("x")?.resize([c.size("out_h")?, c.size("out_w")?], resize))
    }),
    row("resize_area", |c| {
        Outputs::y(c.x("x")?.resize([c.size("out_h")?, c.size("out_w")?], Resize::Area))
    }),
    row("clip_resize", |c| {
        let (x, factor) = (c.x("x")?, c.size("upsample")?);
        let large = x.resize([x.size(2) * factor, x.size(3) * factor], Resize::Nearest);
        Outputs::y(large.avg_pool2d(&Pool2d::tiles(c.size("pool")?), true))
    }),
    row("avg_pool2d", |c| {
        Outputs::y(c.x("x")?.avg_pool2d(&windows(c)?, c.flag("count_include_pad")?))
    }),
    row("max_pool2d", |c| Outputs::y(c.x("x")?.max_pool2d(&windows(c)?))),
    row("pad2d", pad2d),
    row("grid_sample", |c| {
        let beyond = match c.word("padding_mode")?.as_str() {
            "zeros" => Beyond::Zeros,
            "border" => Beyond::Border,
            "reflection" => Beyond::Reflection,
            other => return Err(c.wrong("padding_mode", &format!("known, but {other}"))),
        };
        Outputs::y(c.x("x")?.grid_sample(&c.x("grid")?, beyond, c.flag("align_corners")?))
    }),
    row("affine_grid", |c| {
        let size = c.sizes("size")?;
        let &[_, _, h, w] = &size[..] else { return Err(c.wrong("size", "four numbers")) };
        let grid = c.x("theta")?.affine_grid([h, w], c.flag("align_corners")?);
        Ok(Outputs::default().out("grid", grid))
    }),
];

fn windows(c: &Context) -> Result<Pool2d> {
    let [kernel, stride, padding] = ["kernel", "stride", "padding"].map(|name| c.pair(name));
    Ok(Pool2d { kernel: kernel?, stride: stride?, padding: padding? })
}

fn pad2d(c: &Context) -> Result<Outputs> {
    let sides = c.ints("pad")?.try_into().map_err(|_| c.wrong("pad", "four numbers"))?;
    let pad = match c.word("mode")?.as_str() {
        "constant" => Pad::Constant(c.f64("value")?),
        "reflect" => Pad::Reflect,
        "replicate" => Pad::Replicate,
        other => return Err(c.wrong("mode", &format!("known, but {other}"))),
    };
    Outputs::y(c.x("x")?.pad2d(sides, pad))
}
