// y[o, c, ky, kx] = sum over n, oy, ox of g[n, o, oy, ox] * x[n, c, iy, ix], with iy and ix as in
// conv2d.wgsl.
// One invocation makes 8 channels o x 8 weights (c, ky, kx) in registers, `tiles` apart, as a sum
// over some lines (n, oy): part p of `parts` takes every line l with l / run = p and writes its sum
// to y[p, o, c, ky, kx], so that few weights fill the device too. A reduction adds the parts.
// uses: index, tile

override WG: u32 = 64;

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

// Four weights: their channel's plane of x, and where their tap lies at output (0, 0), which may
// wrap below zero.
struct Weight { plane: vec4<u32>, row: vec4<u32>, col: vec4<u32>, index: vec4<u32> }

fn weight(index: vec4<u32>) -> Weight {
    let taps = params.kernel_y * params.kernel_x;
    let tap = min(index, vec4(params.channels_in * taps - 1u)) % taps;
    return Weight(
        min(index / taps, vec4(params.channels_in - 1u)) * params.height_in * params.width_in,
        tap / params.kernel_x * params.dilation_y - params.padding_y,
        tap % params.kernel_x * params.dilation_x - params.padding_x,
        index,
    );
}

fn load_x(at: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    let safe = select(vec4(0u), at, inside);
    return select(vec4(0.0), vec4(x[safe.x], x[safe.y], x[safe.z], x[safe.w]), inside);
}

fn load_g(at: vec4<u32>) -> vec4<f32> {
    return vec4(g[at.x], g[at.y], g[at.z], g[at.w]);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let fan = params.channels_in * params.kernel_y * params.kernel_x;
    let tiles = (fan + 7u) / 8u;
    let channel_tiles = (params.channels_out + 7u) / 8u;
    let item = index_item(id, grid, WG);
    let part = item / (tiles * channel_tiles * params.groups);
    if part >= params.parts {
        return;
    }
    let group = item / (tiles * channel_tiles) % params.groups;
    let channel = item / tiles % channel_tiles * 8u;
    let r0 = weight(item % tiles + tile_lanes() * tiles);
    let r1 = weight(item % tiles + (4u + tile_lanes()) * tiles);
    let plane = params.height_in * params.width_in;
    let area = params.height_out * params.width_out;
    let last = vec4(params.channels_out - 1u);
    let g0 = min(channel + tile_lanes(), last) * area;
    let g1 = min(channel + 4u + tile_lanes(), last) * area;
    let end = min((part + 1u) * params.run, params.samples * params.height_out);

    var y00 = mat4x4<f32>();
    var y01 = mat4x4<f32>();
    var y10 = mat4x4<f32>();
    var y11 = mat4x4<f32>();
    for (var line = part * params.run; line < end; line++) {
        let image = line / params.height_out * params.groups + group;
        let oy = line % params.height_out;
        let row0 = r0.row + oy * params.stride_y;
        let row1 = r1.row + oy * params.stride_y;
        let line0 = image * params.channels_in * plane + r0.plane + row0 * params.width_in;
        let line1 = image * params.channels_in * plane + r1.plane + row1 * params.width_in;
        let g_line = image * params.channels_out * area + oy * params.width_out;
        let inside0 = row0 < vec4(params.height_in);
        let inside1 = row1 < vec4(params.height_in);
        for (var ox = 0u; ox < params.width_out; ox++) {
            let col0 = r0.col + ox * params.stride_x;
            let col1 = r1.col + ox * params.stride_x;
            let x0 = load_x(line0 + col0, inside0 & (col0 < vec4(params.width_in)));
            let x1 = load_x(line1 + col1, inside1 & (col1 < vec4(params.width_in)));
            let slope0 = load_g(g0 + (g_line + ox));
            let slope1 = load_g(g1 + (g_line + ox));
            y00 += tile_outer(slope0, x0);
            y01 += tile_outer(slope0, x1);
            y10 += tile_outer(slope1, x0);
            y11 += tile_outer(slope1, x1);
        }
    }
    let base = (part * params.groups + group) * params.channels_out * fan;
    let goal0 = TileGoal(base + r0.index, r0.index < vec4(fan), params.channels_out, fan);
    let goal1 = TileGoal(base + r1.index, r1.index < vec4(fan), params.channels_out, fan);
    tile_store(y00, channel, goal0);
    tile_store(y01, channel, goal1);
    tile_store(y10, channel + 4u, goal0);
    tile_store(y11, channel + 4u, goal1);
}
