// y[n, o, oy, ox] = sum over c, ky, kx of w[c, o, ky, kx] * x[n, c, iy, ix], for the taps where
// oy = iy * stride + ky * dilation - padding; "in" and "out" in the names are those of the conv2d
// whose transpose this is, so x has the size `out` and y the size `in`.
// A gather, like conv2d.wgsl, and tiled like it. Outputs that share their remainder by the stride
// (a phase) are met by the same taps, so positions run over phase, n, oy, ox, and an invocation
// skips the taps that miss its phase instead of multiplying zeros.
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

// Four positions of a phase: their sample's first x of the group, their row and column in the
// phase, their output.
struct Place { base: vec4<u32>, row: vec4<u32>, col: vec4<u32>, to: vec4<u32>, inside: vec4<bool> }

// Rows and columns of a phase; some phases have one less.
fn phase_size() -> vec2<u32> {
    return vec2(
        (params.height_in + params.stride_y - 1u) / params.stride_y,
        (params.width_in + params.stride_x - 1u) / params.stride_x,
    );
}

fn place(position: vec4<u32>, phase: vec2<u32>, group: u32) -> Place {
    let size = phase_size();
    let n = position / (size.x * size.y);
    let row = position / size.y % size.x;
    let col = position % size.y;
    let oy = row * params.stride_y + phase.x;
    let ox = col * params.stride_x + phase.y;
    let image = n * params.groups + group;
    return Place(
        image * params.channels_out * params.height_out * params.width_out,
        row,
        col,
        (image * params.channels_in * params.height_in + oy) * params.width_in + ox,
        (n < vec4(params.samples)) & (oy < vec4(params.height_in)) & (ox < vec4(params.width_in)),
    );
}

fn goal(p: Place) -> TileGoal {
    return TileGoal(p.to, p.inside, params.channels_in, params.height_in * params.width_in);
}

// Inputs at four places; those outside are read at 0 and replaced by zero.
struct Reach { at: vec4<u32>, inside: vec4<bool> }

fn reach(p: Place, shift: vec2<u32>) -> Reach {
    let row = p.row + shift.x;
    let col = p.col + shift.y;
    let inside = p.inside & (row < vec4(params.height_out)) & (col < vec4(params.width_out));
    return Reach(select(vec4(0u), p.base + row * params.width_out + col, inside), inside);
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
    let size = phase_size();
    let tiles = (params.samples * size.x * size.y + 7u) / 8u;
    let channel_tiles = (params.channels_in + 7u) / 8u;
    let item = index_item(id, grid, WG);
    let phase = item / (tiles * channel_tiles * params.groups);
    if phase >= params.stride_y * params.stride_x {
        return;
    }
    let group = item / (tiles * channel_tiles) % params.groups;
    let channel = item / tiles % channel_tiles * 8u;
    let offset = vec2(phase / params.stride_x, phase % params.stride_x);
    let p0 = place(item % tiles + tile_lanes() * tiles, offset, group);
    let p1 = place(item % tiles + (4u + tile_lanes()) * tiles, offset, group);
    let taps = params.kernel_y * params.kernel_x;
    let plane = params.height_out * params.width_out;
    let fan = params.channels_in * taps;
    let first = group * params.channels_out * fan;
    let last = vec4(params.channels_in - 1u);
    let w0 = first + min(channel + tile_lanes(), last) * taps;
    let w1 = first + min(channel + 4u + tile_lanes(), last) * taps;

    let stride = vec2<i32>(vec2(params.stride_y, params.stride_x));
    let padding = vec2(params.padding_y, params.padding_x);
    let dilation = vec2(params.dilation_y, params.dilation_x);

    // A tap brings position + (phase + padding - tap * dilation) / stride, where that is whole.
    var y00 = mat4x4<f32>();
    var y01 = mat4x4<f32>();
    var y10 = mat4x4<f32>();
    var y11 = mat4x4<f32>();
    for (var tap = 0u; tap < taps; tap++) {
        let back = vec2(tap / params.kernel_x, tap % params.kernel_x) * dilation;
        let shift = vec2<i32>(offset + padding) - vec2<i32>(back);
        if any(shift % stride != vec2(0)) {
            continue;
        }
        let reach0 = reach(p0, vec2<u32>(shift / stride));
        let reach1 = reach(p1, vec2<u32>(shift / stride));
        for (var c = 0u; c < params.channels_out; c++) {
            let x0 = load_x(reach0, c * plane);
            let x1 = load_x(reach1, c * plane);
            let weight0 = load_w(w0 + c * fan + tap);
            let weight1 = load_w(w1 + c * fan + tap);
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
