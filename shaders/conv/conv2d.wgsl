// y[n, o, oy, ox] = sum over c, ky, kx of w[o, c, ky, kx] * x[n, c, iy, ix], with
// iy = oy * stride + ky * dilation - padding, zero outside; any stride, padding, dilation, groups.
// One invocation makes 8 channels x 8 positions in registers: 16 loads feed 64 multiply-adds.
// Positions run over n, oy, ox, so that small planes fill the device too; those of one invocation
// lie `tiles` apart, so that neighbouring invocations read and write neighbours. Addresses are
// found once per tap and reused for all channels.
// uses: index, tile

override WG: u32 = 64;

struct Params {
    samples: u32, groups: u32, channels_in: u32, channels_out: u32,
    height_in: u32, width_in: u32, height_out: u32, width_out: u32,
    kernel_y: u32, kernel_x: u32, stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32, dilation_y: u32, dilation_x: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Four positions: their sample's first input of the group, their row and column before padding
// (which may wrap below zero), their output.
struct Place { base: vec4<u32>, row: vec4<u32>, col: vec4<u32>, to: vec4<u32>, inside: vec4<bool> }

fn place(position: vec4<u32>, group: u32) -> Place {
    let area = params.height_out * params.width_out;
    let n = position / area;
    let rest = position % area;
    return Place(
        (n * params.groups + group) * params.channels_in * params.height_in * params.width_in,
        rest / params.width_out * params.stride_y - params.padding_y,
        rest % params.width_out * params.stride_x - params.padding_x,
        (n * params.groups + group) * params.channels_out * area + rest,
        n < vec4(params.samples),
    );
}

fn goal(p: Place) -> TileGoal {
    return TileGoal(p.to, p.inside, params.channels_out, params.height_out * params.width_out);
}

// Inputs at four places; those outside are read at 0 and replaced by zero.
struct Reach { at: vec4<u32>, inside: vec4<bool> }

fn reach(p: Place, dy: u32, dx: u32) -> Reach {
    let row = p.row + dy;
    let col = p.col + dx;
    let inside = p.inside & (row < vec4(params.height_in)) & (col < vec4(params.width_in));
    return Reach(select(vec4(0u), p.base + row * params.width_in + col, inside), inside);
}

fn load_x(r: Reach, offset: u32) -> vec4<f32> {
    let at = r.at + offset;
    return select(vec4(0.0), vec4(x[at.x], x[at.y], x[at.z], x[at.w]), r.inside);
}

fn load_w(at: vec4<u32>) -> vec4<f32> {
    return vec4(w[at.x], w[at.y], w[at.z], w[at.w]);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let tiles = (params.samples * params.height_out * params.width_out + 7u) / 8u;
    let channel_tiles = (params.channels_out + 7u) / 8u;
    let item = index_item(id, grid, WG);
    let group = item / (tiles * channel_tiles);
    if group >= params.groups {
        return;
    }
    let channel = item / tiles % channel_tiles * 8u;
    let p0 = place(item % tiles + tile_lanes() * tiles, group);
    let p1 = place(item % tiles + (4u + tile_lanes()) * tiles, group);
    let taps = params.kernel_y * params.kernel_x;
    let plane = params.height_in * params.width_in;
    let last = vec4(params.channels_out - 1u);
    let first = group * params.channels_out;
    let w0 = (first + min(channel + tile_lanes(), last)) * (params.channels_in * taps);
    let w1 = (first + min(channel + 4u + tile_lanes(), last)) * (params.channels_in * taps);

    var y00 = mat4x4<f32>();
    var y01 = mat4x4<f32>();
    var y10 = mat4x4<f32>();
    var y11 = mat4x4<f32>();
    for (var tap = 0u; tap < taps; tap++) {
        let dy = tap / params.kernel_x * params.dilation_y;
        let dx = tap % params.kernel_x * params.dilation_x;
        let reach0 = reach(p0, dy, dx);
        let reach1 = reach(p1, dy, dx);
        for (var c = 0u; c < params.channels_in; c++) {
            let x0 = load_x(reach0, c * plane);
            let x1 = load_x(reach1, c * plane);
            let weight0 = load_w(w0 + c * taps + tap);
            let weight1 = load_w(w1 + c * taps + tap);
            y00 += tile_outer(weight0, x0);
            y01 += tile_outer(weight0, x1);
            y10 += tile_outer(weight1, x0);
            y11 += tile_outer(weight1, x1);
        }
    }
    tile_store(y00, channel, goal(p0));
    tile_store(y01, channel, goal(p1));
    tile_store(y10, channel + 4u, goal(p0));
    tile_store(y11, channel + 4u, goal(p1));
}
