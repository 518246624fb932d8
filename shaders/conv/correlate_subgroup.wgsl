// conv2d and conv_transpose2d for processors that pretend to be GPUs, as src/ops/conv/subgroup.rs
// sees them:
// y[n, o, oy, ox] = sum over c, ky, kx of w(o, c, ky, kx) * x[n, c, iy, ix], with
// oy = row * phases + phase and iy = row * step + (phase + origin + ky * tap) / phases, for the
// taps where that is whole; zero outside.
// One subgroup makes 64 channels x (8 positions of one phase per invocation). A load goes lane by
// lane there, so each invocation loads the weights of one channel in `SUBGROUP` and all get them by
// broadcast: 16 loads feed 512 multiply-adds. Two channels of x at a time, because the sums of a
// tile do not fit into a processor's registers. Positions run over n, row, col, so that small
// planes fill tiles too.
// uses: index

const SUBGROUP: u32 = 8u;
const STEPS: u32 = 2u;
const CHANNELS: u32 = 64u;

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

// Four positions: their sample's first input of the group, their input at tap zero, their output.
struct Place { base: vec4<u32>, row: vec4<u32>, col: vec4<u32>, to: vec4<u32>, inside: vec4<bool> }

fn place(position: vec4<u32>, phase: vec2<u32>, group: u32) -> Place {
    let cols = (params.width_out + params.phases_x - 1u) / params.phases_x;
    let rows = (params.height_out + params.phases_y - 1u) / params.phases_y;
    let line = position / cols;
    let n = line / rows;
    let row = line - n * rows;
    let col = position - line * cols;
    let oy = row * params.phases_y + phase.x;
    let ox = col * params.phases_x + phase.y;
    let image = n * params.groups + group;
    return Place(
        image * params.channels_in * params.height_in * params.width_in,
        row * params.step_y,
        col * params.step_x,
        (image * params.channels_out * params.height_out + oy) * params.width_out + ox,
        (n < vec4(params.samples)) & (oy < vec4(params.height_out)) & (ox < vec4(params.width_out)),
    );
}

@compute @workgroup_size(SUBGROUP)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let cols = (params.width_out + params.phases_x - 1u) / params.phases_x;
    let rows = (params.height_out + params.phases_y - 1u) / params.phases_y;
    let tiles = (params.samples * rows * cols + 8u * SUBGROUP - 1u) / (8u * SUBGROUP);
    let channel_tiles = (params.channels_out + CHANNELS - 1u) / CHANNELS;
    let item = index_group(wg, grid);
    let phase = item / (tiles * channel_tiles * params.groups);
    if phase >= params.phases_y * params.phases_x {
        return;
    }
    let group = item / (tiles * channel_tiles) % params.groups;
    let channel = item % channel_tiles * CHANNELS;
    let offset = vec2(phase / params.phases_x, phase % params.phases_x);
    let first = item / channel_tiles % tiles * (8u * SUBGROUP) + lane;
    var places: array<Place, 2>;
    // unroll
    for (var h = 0u; h < 2u; h++) {
        let steps = vec4(0u, 1u, 2u, 3u) + 4u * h;
        places[h] = place(first + steps * SUBGROUP, offset, group);
    }
    let taps = params.kernel_y * params.kernel_x;
    let plane = params.height_in * params.width_in;
    let group_weights = params.channels_in * params.channels_out * taps;
    var weights: array<u32, CHANNELS / SUBGROUP>;
    // unroll
    for (var i = 0u; i < CHANNELS / SUBGROUP; i++) {
        let to = min(channel + i * SUBGROUP + lane, params.channels_out - 1u);
        weights[i] = group * group_weights + to * params.weight_out;
    }
    let phases = vec2(i32(params.phases_y), i32(params.phases_x));
    let origin = vec2<i32>(offset) + vec2(params.origin_y, params.origin_x);

    var sums: array<vec4<f32>, 2 * CHANNELS>;
    for (var tap = 0u; tap < taps; tap++) {
        let k = vec2(i32(tap / params.kernel_x), i32(tap % params.kernel_x));
        let moved = origin + k * vec2(params.tap_y, params.tap_x);
        if any(moved % phases != vec2(0)) {
            continue;
        }
        let shift = vec2<u32>(moved / phases);
        var reads: array<vec4<u32>, 2>;
        var inside: array<vec4<bool>, 2>;
        // unroll
        for (var h = 0u; h < 2u; h++) {
            let row = places[h].row + shift.x;
            let col = places[h].col + shift.y;
            inside[h] = places[h].inside & (row < vec4(params.height_in));
            inside[h] &= col < vec4(params.width_in);
            let at = places[h].base + row * params.width_in + col;
            reads[h] = select(vec4(0u), at, inside[h]);
        }
        for (var c = 0u; c < params.channels_in; c += STEPS) {
            var inputs: array<vec4<f32>, 2 * STEPS>;
            // unroll
            for (var q = 0u; q < STEPS; q++) {
                let skip = min(c + q, params.channels_in - 1u) * plane;
                // unroll
                for (var h = 0u; h < 2u; h++) {
                    let at = reads[h] + skip;
                    let values = vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
                    inputs[2u * q + h] = select(vec4(0.0), values, inside[h]);
                }
            }
            // unroll
            for (var i = 0u; i < CHANNELS / SUBGROUP; i++) {
                var own: array<f32, STEPS>;
                // unroll
                for (var q = 0u; q < STEPS; q++) {
                    let last = min(c + q, params.channels_in - 1u);
                    let weight = w[weights[i] + last * params.weight_in + tap];
                    own[q] = select(0.0, weight, c + q < params.channels_in);
                }
                // unroll
                for (var k = 0u; k < SUBGROUP; k++) {
                    // unroll
                    for (var h = 0u; h < 2u; h++) {
                        var sum = sums[2u * (i * SUBGROUP + k) + h];
                        // unroll
                        for (var q = 0u; q < STEPS; q++) {
                            sum += subgroupBroadcast(own[q], k) * inputs[2u * q + h];
                        }
                        sums[2u * (i * SUBGROUP + k) + h] = sum;
                    }
                }
            }
        }
    }

    // Eight at a time, the rest moving up: each store is much code, and an index that is no
    // constant would keep the sums out of registers.
    let area = params.height_out * params.width_out;
    for (var o = channel; o < min(channel + CHANNELS, params.channels_out); o += 8u) {
        // unroll
        for (var i = 0u; i < 8u; i++) {
            // unroll
            for (var h = 0u; h < 2u; h++) {
                let to = places[h].to + (o + i) * area;
                let sum = sums[2u * i + h];
                // unroll
                for (var k = 0u; k < 4u; k++) {
                    if o + i < params.channels_out && places[h].inside[k] {
                        y[to[k]] = sum[k];
                    }
                }
            }
        }
        // unroll
        for (var i = 0u; i < 112u; i++) {
            sums[i] = sums[i + 16u];
        }
    }
}
