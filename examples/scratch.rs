//! Scratch.
#![allow(clippy::all, warnings)]
use semgan::models::sarigan::Config;
use semgan::ops::random::{Draw, Stream};
use semgan::train::step::run_phase;
use semgan::train::{Recipe, Report, State, StepInputs, StepOutputs};
use semgan::{Device, Tensor};
use std::collections::BTreeMap;
fn main() {
    let device = Device::cpu();
    let res = 32;
    let config = Config::tiny(res);
    let recipe = Recipe::official();
    let mut state = State::new(&config, &recipe, 0, &device);
    let real = Tensor::full(0.1, [4, 3, res, res], &device);
    for round in 0..2 {
        for &s in &recipe.phases {
            let inputs = StepInputs::draw(&config, &recipe, 0, 16 * round, real.clone());
            device.profile().switch(true);
            let before = device.counters();
            let mut out = StepOutputs::default();
            run_phase(&mut state, &inputs, &recipe, s, &mut out);
            let n = device.counters().since(&before).dispatches;
            if round == 1 {
                let mut by: BTreeMap<String, (u64, f64)> = BTreeMap::new();
                let mut shapes: BTreeMap<String, u64> = BTreeMap::new();
                for (name, c) in device.profile().table() {
                    let op = name.split(' ').next().unwrap().to_string();
                    let e = by.entry(op).or_default();
                    e.0 += c.calls;
                    e.1 += c.time.as_secs_f64();
                    *shapes.entry(name).or_default() += c.calls;
                }
                println!("{} {n}", s.phase.name());
                let mut v: Vec<_> = by.into_iter().collect();
                v.sort_by_key(|e| std::cmp::Reverse(e.1.0));
                for (k, (c, t)) in v {
                    print!("  {k} {c}");
                }
                println!();
                if std::env::args().len() > 1 {
                    let mut v: Vec<_> = shapes.into_iter().collect();
                    v.sort_by_key(|e| std::cmp::Reverse(e.1));
                    for (k, c) in v.into_iter().take(40) {
                        println!("    {c} {k}");
                    }
                }
            }
        }
    }
}
