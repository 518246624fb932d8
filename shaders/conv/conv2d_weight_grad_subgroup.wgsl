// conv2d_weight_grad.wgsl for processors that pretend to be GPUs; launched by
// src/ops/conv/conv2d_weight_grad.rs.
// One subgroup makes 64 weights (c, ky, kx) x (8 channels o per invocation). A load goes lane by
// lane there, so each invocation loads the inputs of one weight in `SUBGROUP` and all get them by
// broadcast: 16 loads feed 512 multiply-adds. Two positions at a time, because the sums of a tile
// do not fit into a processor's registers. Weights and channels beyond the edge repeat the last one
// and are not written.
// uses: index

const SUBGROUP: u32 = 8u;
const STEPS: u32 = 2u;
const WEIGHTS: u32 = 64u;

struct Params {
    samples: u32, groups: u32, channels_in: u32, channels_out: u32,
    height_in: u32, width_in: u32, height_out: u32, width_out: u32,
    kernel_y: u32, kernel_x: u32, stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32, dilation_y: u32, dilation_x: u32,
    parts: u32, run: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// A weight: its channel's plane of x, and where its tap lies at output (0, 0), which may wrap below
// zero.
struct Weight { plane: u32, row: u32, col: u32 }

fn weight(index: u32) -> Weight {
    let taps = params.kernel_y * params.kernel_x;
    let safe = min(index, params.channels_in * taps - 1u);
    let tap = safe % taps;
    return Weight(
        safe / taps * params.height_in * params.width_in,
        tap / params.kernel_x * params.dilation_y - params.padding_y,
        tap % params.kernel_x * params.dilation_x - params.padding_x,
    );
}

@compute @workgroup_size(SUBGROUP)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let fan = params.channels_in * params.kernel_y * params.kernel_x;
    let tiles = (fan + WEIGHTS - 1u) / WEIGHTS;
    let channel_tiles = (params.channels_out + 8u * SUBGROUP - 1u) / (8u * SUBGROUP);
    let item = index_group(wg, grid);
    let part = item / (tiles * channel_tiles * params.groups);
    if part >= params.parts {
        return;
    }
    let group = item / (tiles * channel_tiles) % params.groups;
    let first = item % channel_tiles * (8u * SUBGROUP) + lane;
    let index = item / channel_tiles % tiles * WEIGHTS;
    let plane = params.height_in * params.width_in;
    let area = params.height_out * params.width_out;
    var weights: array<Weight, WEIGHTS / SUBGROUP>;
    // unroll
    for (var i = 0u; i < WEIGHTS / SUBGROUP; i++) {
        weights[i] = weight(index + i * SUBGROUP + lane);
    }
    var channels: array<vec4<u32>, 2>;
    var planes: array<vec4<u32>, 2>;
    // unroll
    for (var h = 0u; h < 2u; h++) {
        channels[h] = first + (vec4(0u, 1u, 2u, 3u) + 4u * h) * SUBGROUP;
        planes[h] = min(channels[h], vec4(params.channels_out - 1u)) * area;
    }
    let end = min((part + 1u) * params.run, params.samples * params.height_out);

    var sums: array<vec4<f32>, 2 * WEIGHTS>;
    for (var line = part * params.run; line < end; line++) {
        let image = line / params.height_out * params.groups + group;
        let oy = line % params.height_out;
        let g_line = image * params.channels_out * area + oy * params.width_out;
        var x_line: array<u32, WEIGHTS / SUBGROUP>;
        var width: array<u32, WEIGHTS / SUBGROUP>;
        // unroll
        for (var i = 0u; i < WEIGHTS / SUBGROUP; i++) {
            let row = weights[i].row + oy * params.stride_y;
            x_line[i] = image * params.channels_in * plane + weights[i].plane;
            x_line[i] += row * params.width_in;
            width[i] = select(0u, params.width_in, row < params.height_in);
        }
        for (var ox = 0u; ox < params.width_out; ox += STEPS) {
            var slopes: array<vec4<f32>, 2 * STEPS>;
            // unroll
            for (var q = 0u; q < STEPS; q++) {
                let last = min(ox + q, params.width_out - 1u);
                // unroll
                for (var h = 0u; h < 2u; h++) {
                    let at = planes[h] + (g_line + last);
                    slopes[2u * q + h] = vec4(g[at.x], g[at.y], g[at.z], g[at.w]);
                }
            }
            // unroll
            for (var i = 0u; i < WEIGHTS / SUBGROUP; i++) {
                var own: array<f32, STEPS>;
                // unroll
                for (var q = 0u; q < STEPS; q++) {
                    let col = weights[i].col + (ox + q) * params.stride_x;
                    let inside = col < width[i] && ox + q < params.width_out;
                    own[q] = select(0.0, x[select(0u, x_line[i] + col, inside)], inside);
                }
                // unroll
                for (var k = 0u; k < SUBGROUP; k++) {
                    // unroll
                    for (var h = 0u; h < 2u; h++) {
                        var sum = sums[2u * (i * SUBGROUP + k) + h];
                        // unroll
                        for (var q = 0u; q < STEPS; q++) {
                            sum += subgroupBroadcast(own[q], k) * slopes[2u * q + h];
                        }
                        sums[2u * (i * SUBGROUP + k) + h] = sum;
                    }
                }
            }
        }
    }

    // Eight at a time, the rest moving up: each store is much code, and an index that is no
    // constant would keep the sums out of registers.
    let base = (part * params.groups + group) * params.channels_out * fan;
    for (var i0 = index; i0 < min(index + WEIGHTS, fan); i0 += 8u) {
        // unroll
        for (var i = 0u; i < 8u; i++) {
            // unroll
            for (var h = 0u; h < 2u; h++) {
                let to = base + channels[h] * fan + i0 + i;
                let sum = sums[2u * i + h];
                // unroll
                for (var k = 0u; k < 4u; k++) {
                    if i0 + i < fan && channels[h][k] < params.channels_out {
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
