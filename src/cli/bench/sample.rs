//! `semgan bench sample`: how long pictures take.

use std::time::Instant;

use serde_json::json;

use super::{at_least_one, print_report};
use crate::cli::DeviceArgs;
use crate::cli::networks::{Preset, SystemName};
use crate::cli::profile::ProfileArgs;
use crate::nn::Network;
use crate::sample::{Look, Sampler};
use crate::train::options::check_res;

/// Pictures of an untrained SariGAN, one per seed: the first one, and how many a second
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Kind of network
    #[arg(long, value_enum, default_value_t = SystemName::Sarigan)]
    cfg: SystemName,
    /// Sizes of the network
    #[arg(long, value_enum, default_value_t = Preset::Tiny)]
    preset: Preset,
    /// Side of the pictures
    #[arg(long, default_value_t = 32, value_name = "PIXELS")]
    res: usize,
    /// Pictures
    #[arg(long, default_value_t = 200, value_parser = at_least_one())]
    count: usize,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    check_res(args.res)?;
    let begun = Instant::now();
    let device = args.device.open()?;
    let opened = begun.elapsed().as_secs_f64();
    let config = args.preset.config(args.cfg.into(), args.res);
    let network = Network::initialized(0, &device, |b| config.generator(b, &device));
    let sampler = Sampler::new(&*network.model, config.sizes(), None, Look::default(), &device);
    sampler.picture(0)?;
    let first = begun.elapsed().as_secs_f64();
    let before = device.counters();
    let start = Instant::now();
    let seeds = 1..=args.count as u64;
    let work = || sampler.pictures(seeds).try_for_each(|p| p.map(|_| ()));
    let ((), computed) = device.busy(work)?;
    let seconds = start.elapsed().as_secs_f64();
    let cost = device.counters().since(&before);
    if args.profile.profile {
        args.profile.start(&device);
        sampler.picture(0)?;
        args.profile.print(&device);
    }
    let count = args.count as f64;
    let report = json!({
        "device": device.describe(),
        "cfg": config.system().name(),
        "preset": format!("{:?}", args.preset).to_lowercase(),
        "res": args.res,
        "seconds_to_open": opened,
        "seconds_to_first_picture": first,
        "pictures_per_second": count / seconds,
        "busy": computed.map(|computed| computed.as_secs_f64() / seconds),
        "dispatches_per_picture": cost.dispatches as f64 / count,
        "peak_device_bytes": cost.peak_bytes,
    });
    print_report(&report, args.json)
}
