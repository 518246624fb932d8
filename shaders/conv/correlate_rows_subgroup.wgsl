// correlate_subgroup.wgsl where an axis x of one phase, and of STEP 1 or 2, meets three taps
// side by side; launched by src/ops/conv/subgroup.rs. An invocation has 8 neighbours of a row,
// so that 10 inputs (17 with STEP 2) serve all three taps, and 22 loads feed 768 multiply-adds.
// Runs of 8 positions go over n, row, col.
// uses: index

const SUBGROUP: u32 = 8u;
const CHANNELS: u32 = 32u;
const TAPS: u32 = 3u;
const INPUTS: u32 = 17u;

override STEP: u32 = 1;

struct Params {
    samples: u32, groups: u32, channels_in: u32, channels_out: u32,
    height_in: u32, width_in: u32, height_out: u32, width_out: u32,
    kernel_y: u32, kernel_x: u32, phases_y: u32, phases_x: u32,
    step_y: u32, step_x: u32, tap_y: i32, tap_x: i32, origin_y: i32, origin_x: i32,
    weight_in: u32, weight_out: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(SUBGROUP)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let runs = (params.width_out + 7u) / 8u;
    let rows = (params.height_out + params.phases_y - 1u) / params.phases_y;
    let tiles = (params.samples * rows * runs + SUBGROUP - 1u) / SUBGROUP;
    let channel_tiles = (params.channels_out + CHANNELS - 1u) / CHANNELS;
    let item = index_group(wg, grid);
    let phase = item / (tiles * channel_tiles * params.groups);
    if phase >= params.phases_y {
        return;
    }
    let group = item / (tiles * channel_tiles) % params.groups;
    let channel = item % channel_tiles * CHANNELS;
    let run = item / channel_tiles % tiles * SUBGROUP + lane;
    let n = run / (runs * rows);
    let row = run / runs % rows;
    let ox = run % runs * 8u;
    let oy = row * params.phases_y + phase;
    let is_mine = n < params.samples && oy < params.height_out;
    let image = n * params.groups + group;
    let plane = params.height_in * params.width_in;
    let taps = params.kernel_y * TAPS;

    // From left to right the taps come first to last, or last to first.
    let is_flipped = params.tap_x < 0;
    let left = ox * STEP + u32(params.origin_x + select(0, 2 * params.tap_x, is_flipped));
    var cols: array<u32, INPUTS>;
    var is_inside: array<bool, INPUTS>;
    // unroll
    for (var i = 0u; i < INPUTS; i++) {
        if i < 7u * STEP + TAPS {
            is_inside[i] = is_mine && left + i < params.width_in;
            cols[i] = select(0u, left + i, is_inside[i]);
        }
    }
    var weights: array<u32, CHANNELS / SUBGROUP>;
    // unroll
    for (var i = 0u; i < CHANNELS / SUBGROUP; i++) {
        let to = min(channel + i * SUBGROUP + lane, params.channels_out - 1u);
        weights[i] = group * params.channels_in * params.channels_out * taps;
        weights[i] += to * params.weight_out + select(0u, 2u, is_flipped);
    }
    let next = select(1u, 0u - 1u, is_flipped);
    let phases = i32(params.phases_y);

    var sums: array<vec4<f32>, 2 * CHANNELS>;
    for (var ky = 0u; ky < params.kernel_y; ky++) {
        let moved = i32(phase) + params.origin_y + i32(ky) * params.tap_y;
        if moved % phases != 0 {
            continue;
        }
        let iy = row * params.step_y + u32(moved / phases);
        let is_row = iy < params.height_in;
        let line = image * params.channels_in * plane + iy * params.width_in;
        let start = select(0u, line, is_row && is_mine);
        for (var c = 0u; c < params.channels_in; c++) {
            var inputs: array<f32, INPUTS>;
            // unroll
            for (var i = 0u; i < INPUTS; i++) {
                if i < 7u * STEP + TAPS {
                    let value = x[start + c * plane + cols[i]];
                    inputs[i] = select(0.0, value, is_row && is_inside[i]);
                }
            }
            // unroll
            for (var i = 0u; i < CHANNELS / SUBGROUP; i++) {
                let at = weights[i] + c * params.weight_in + ky * TAPS;
                let own = vec3(w[at], w[at + next], w[at + 2u * next]);
                // unroll
                for (var k = 0u; k < SUBGROUP; k++) {
                    // unroll
                    for (var t = 0u; t < TAPS; t++) {
                        let weight = subgroupBroadcast(own[t], k);
                        // unroll
                        for (var h = 0u; h < 2u; h++) {
                            sums[2u * (i * SUBGROUP + k) + h] += weight * vec4(
                                inputs[4u * h * STEP + t],
                                inputs[(4u * h + 1u) * STEP + t],
                                inputs[(4u * h + 2u) * STEP + t],
                                inputs[(4u * h + 3u) * STEP + t],
                            );
                        }
                    }
                }
            }
        }
    }

    // Eight at a time, the rest moving up: each store is much code, and an index that is no
    // constant would keep the sums out of registers.
    let first = image * params.channels_out;
    for (var o = channel; o < min(channel + CHANNELS, params.channels_out); o += 8u) {
        // unroll
        for (var i = 0u; i < 8u; i++) {
            let to = ((first + o + i) * params.height_out + oy) * params.width_out + ox;
            let is_there = is_mine && o + i < params.channels_out;
            // unroll
            for (var h = 0u; h < 2u; h++) {
                let sum = sums[2u * i + h];
                // unroll
                for (var k = 0u; k < 4u; k++) {
                    if is_there && ox + 4u * h + k < params.width_out {
                        y[to + 4u * h + k] = sum[k];
                    }
                }
            }
        }
        // unroll
        for (var i = 0u; i < 48u; i++) {
            sums[i] = sums[i + 16u];
        }
    }
}
