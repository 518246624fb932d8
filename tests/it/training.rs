//! A run is a function of its options: nothing else changes a bit of it, and a step costs what the
//! step before it cost.

use semgan::checkpoint::Checkpoint;
use semgan::device::Counters;
use semgan::models;
use semgan::models::sarigan::{Config, Form, Rule};
use semgan::train::{Options, Outcome, Phase, Recipe, Report, State, StepInputs, step};
use semgan::{Device, Error, Tensor};

use crate::common::{gpu, own_gpu};
use crate::runs::{BATCH, PICTURES, Place, Until, network};

/// Three epochs end within them.
const STEPS: usize = 40;
const _: () = assert!(STEPS * BATCH > 3 * PICTURES && !PICTURES.is_multiple_of(BATCH));

/// The last snapshot of a run in legs: on how many threads, and up to which step.
fn trained(device: &Device, legs: &[(usize, u64)]) -> Checkpoint {
    trained_under(device, legs, |_| ())
}

/// The same under options that `change` changes.
fn trained_under(
    device: &Device,
    legs: &[(usize, u64)],
    change: impl Fn(&mut Options),
) -> Checkpoint {
    let place = Place::new();
    let mut options = place.options(STEPS);
    change(&mut options);
    let mut start = 0;
    for &(threads, end) in legs {
        let leg = || {
            let run = match start {
                0 => place.create(options.clone(), device),
                _ => place.resume(|_| (), device).expect("resumed"),
            };
            assert_eq!(run.state.step, start);
            run.train(&mut Until::step(end))
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let ended = if end == STEPS as u64 { Outcome::Finished } else { Outcome::Stopped };
        assert_eq!(pool.install(leg).expect("trained"), ended);
        start = end;
    }
    place.newest()
}

#[track_caller]
pub(crate) fn assert_same_bits(what: &str, got: &Checkpoint, want: &Checkpoint) {
    assert_eq!(got.description["counters"], want.description["counters"], "{what}");
    assert!(got.tensors.keys().eq(want.tensors.keys()), "{what}: other tensors");
    for (name, (_, values)) in &got.tensors {
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert!(bits(values) == bits(&want.tensors[name].1), "{what}: {name} differs");
    }
}

#[test]
fn neither_a_stop_nor_the_threads_change_a_bit_on_the_cpu() {
    let cpu = Device::cpu();
    let straight = trained(&cpu, &[(1, 40)]);
    assert_eq!(straight.description["counters"]["step"], STEPS);
    for legs in [&[(2, 40)][..], &[(1, 17), (1, 40)], &[(2, 17), (2, 40)], &[(1, 17), (2, 40)]] {
        assert_same_bits(&format!("threads and steps {legs:?}"), &trained(&cpu, legs), &straight);
    }
}

#[test]
fn a_stop_changes_no_bit_under_the_paper_recipe() {
    let paper = |options: &mut Options| {
        options.recipe = Recipe::paper();
        options.network = Config { rule: Rule::Paper, form: Form::Feature, ..network() }.into();
        // Thresholds move before and behind the stop, but not at it.
        options.recipe.phases[0].every = 10;
    };
    let of = |legs: &[(usize, u64)]| trained_under(&Device::cpu(), legs, paper);
    let straight = of(&[(1, 40)]);
    assert_same_bits("stopped at 17", &of(&[(1, 17), (2, 40)]), &straight);
    let moved = &straight.tensors["g.convs.1.conv.gate"].1;
    assert!(moved[0] != 0.0, "the threshold is stored");
}

#[test]
fn a_stop_changes_no_bit_on_the_gpu() {
    let Some(gpu) = gpu() else { return };
    let (straight, stopped) = (trained(&gpu, &[(2, 40)]), trained(&gpu, &[(2, 17), (2, 40)]));
    assert_same_bits("stopped at 17", &stopped, &straight);
}

#[test]
fn seeds_matter() {
    let run = |seed| {
        let place = Place::new();
        place.train(Options { seed, ..place.options(1) });
        place.newest().tensors
    };
    let (one, two) = (run(1), run(2));
    assert_ne!(one["g.input.input"], two["g.input.input"]);
    assert_ne!(one["g.convs.0.noise.weight"], two["g.convs.0.noise.weight"]);
}

/// A run whose updates leave the range of numbers ends with their name, and keeps what was good.
fn stops_at_a_number_that_is_not_finite(device: &Device) {
    let place = Place::new();
    place.create(place.options(3), device).train(&mut Until::end()).expect("trained");
    let change = |options: &mut Options| {
        options.recipe.lr = 1e20;
        options.kimg = 1.0;
        options.snap_ticks = 1;
    };
    let run = place.resume(change, device).expect("resumed");
    match run.train(&mut Until::end()) {
        Err(Error::NonFinite { parameter, step, phase }) => {
            let key = parameter.rsplit(' ').next().expect("a word");
            assert!(place.newest().tensors.contains_key(key), "{parameter}");
            assert!((3..6).contains(&step), "step {step}");
            assert!(["Dmain", "Gmain", "Gpl", "Dr1", "update"].contains(&&*phase), "{phase}");
        }
        other => panic!("{other:?}"),
    }
    // Loading refuses what is not finite.
    assert_eq!(place.newest().description["counters"]["step"], 3);
    let run = place.resume(|options| options.kimg = 0.02, device).expect("resumed");
    assert_eq!(run.train(&mut Until::end()).expect("trained"), Outcome::Finished);
}

#[test]
fn numbers_that_are_not_finite_stop_a_run_on_the_cpu() {
    stops_at_a_number_that_is_not_finite(&Device::cpu());
}

#[test]
fn numbers_that_are_not_finite_stop_a_run_on_the_gpu() {
    let Some(gpu) = gpu() else { return };
    stops_at_a_number_that_is_not_finite(&gpu);
}

/// What each step costs, with every sample of one latent, so that steps of the same phases do the
/// same work.
fn costs(config: &Config, steps: u64, device: &Device) -> Vec<Counters> {
    let recipe = match config.rule {
        Rule::Official => Recipe::official(),
        Rule::Paper => Recipe::paper(),
    };
    costs_of(config, &recipe, steps, device)
}

/// As [`costs`], under a recipe without style mixing.
fn costs_of(config: &Config, recipe: &Recipe, steps: u64, device: &Device) -> Vec<Counters> {
    let recipe = Recipe { style_mixing: 0.0, ..recipe.clone() };
    let networks = models::Config::from(config.clone());
    let mut state = State::new(&networks, &recipe, 1, device);
    let pictures = vec![0.25; BATCH * 3 * config.size * config.size];
    let mut cost = |number| {
        let before = device.counters();
        let real = Tensor::from_slice(&pictures, [BATCH, 3, config.size, config.size], device);
        let inputs = StepInputs::draw(&networks.sizes(), &recipe, 1, number, real);
        let outputs = step(&mut state, &inputs, &recipe);
        Report::new(number, &outputs).wait(&state).expect("a finite step");
        device.counters().since(&before)
    };
    (0..steps).map(&mut cost).collect()
}

fn costs_stay_flat(device: &Device) {
    let costs = costs(&network(), 41, device);
    // Both with the path-length phase and without R1. Bind groups settle more slowly, and how many
    // submits there are is a matter of time.
    let flat = |step: usize| Counters { bind_groups: 0, held_groups: 0, submits: 0, ..costs[step] };
    assert_eq!(flat(40), flat(20));
    assert!(costs[40].bind_groups < costs[40].dispatches / 10, "{:?}", costs[40]);
    assert_eq!((costs[40].pipelines, costs[40].bytes_allocated), (0, 0));
    assert!(costs[40].dispatches > 0 && costs[40].bytes_read_back > 0);
}

#[test]
fn steps_on_the_cpu_cost_the_same_later_on() {
    costs_stay_flat(&Device::cpu());
}

#[test]
fn steps_on_the_gpu_cost_the_same_later_on() {
    let Some(gpu) = own_gpu() else { return };
    costs_stay_flat(&gpu);
}

/// Of one step with the phases that every step has.
fn dispatches(device: &Device) -> u64 {
    let recipe = Recipe::official();
    let main = |phase: &Phase| {
        matches!(phase, Phase::Discriminator { .. } | Phase::Generator { .. } | Phase::Ema { .. })
    };
    let phases = recipe.phases.iter().filter(|s| main(&s.phase)).copied().collect();
    costs_of(&Config::tiny(32), &Recipe { phases, ..recipe }, 1, device)[0].dispatches
}

#[test]
fn a_step_without_lazy_phases_takes_no_more_dispatches_than_it_did() {
    let found = dispatches(&Device::cpu());
    assert!(found <= 874, "{found} dispatches");
}

#[test]
fn a_step_without_lazy_phases_takes_no_more_dispatches_on_the_gpu_than_it_did() {
    let Some(gpu) = own_gpu() else { return };
    let found = dispatches(&gpu);
    assert!(found <= 922, "{found} dispatches");
}

#[test]
fn pipelines_are_few_and_depend_on_no_size() {
    let Some(gpu) = own_gpu() else { return };
    // Step 0 has every phase.
    let pipelines = |config: &Config, scale: usize| {
        let mut config = config.clone();
        config.channels.values_mut().for_each(|c| *c *= scale);
        config.style_dim *= scale;
        costs(&config, 1, &gpu);
        gpu.counters().pipelines
    };
    let few = pipelines(&network(), 1);
    assert!(few < 120, "{few} pipelines");
    assert_eq!(pipelines(&network(), 2), few);
    let paper = Config { rule: Rule::Paper, form: Form::Feature, ..network() };
    let more = pipelines(&paper, 1);
    assert!(more < few + 50, "{few}, then {more} pipelines");
    assert_eq!(pipelines(&paper, 2), more);
}

#[test]
fn numbers_from_the_host_take_buffers_from_the_pool() {
    let cpu = Device::cpu();
    let before = cpu.counters().bytes_allocated;
    (0..10).for_each(|_| drop(Tensor::from_slice(&[1.0; 1000], [1000], &cpu)));
    assert_eq!(cpu.counters().bytes_allocated - before, 4000);
}
