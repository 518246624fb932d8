// conv_transpose2d.wgsl for GPUs, a choice of src/ops/conv/conv_transpose2d.rs; "in" and "out" in
// the names are those of the conv2d whose transpose this is: x has the size `out`, y the size `in`.
// For each phase (outputs of one remainder by the stride, so that the same taps meet them) it is
// a product of w, [o, (c, ky, kx)], and a matrix [(c, ky, kx), (n, row, col)] of elements of x that
// is gathered tile by tile into workgroup memory; common/gemm.wgsl and conv2d_tiles.wgsl say how.
// The taps of a phase lie `tap_step` apart, and each brings an input `tap_shift` before the last.
// Part p of `parts` sums some of the products and writes y[p, n, o, oy, ox].
// uses: index, gemm, patch

override TILE_M: u32 = 128;
override TILE_N: u32 = 128;

struct Params {
    samples: u32, groups: u32, channels_in: u32, channels_out: u32,
    height_in: u32, width_in: u32, height_out: u32, width_out: u32,
    kernel_y: u32, kernel_x: u32, stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32, dilation_y: u32, dilation_x: u32,
    tap_step_y: u32, tap_step_x: u32, tap_shift_y: u32, tap_shift_x: u32,
    parts: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Along one axis: a phase's number of taps, the first of them, and the input that this brings to
// the phase's first output, which may wrap below zero.
struct Taps { count: u32, first: u32, input: u32 }

// `start` is the phase plus the padding: tap t meets it if start - t * dilation is whole strides.
fn taps_of(start: u32, kernel: u32, stride: u32, dilation: u32, step: u32) -> Taps {
    let back = stride - dilation % stride;
    var first = 0u;
    while first < min(step, kernel) && (start + first * back) % stride != 0u {
        first++;
    }
    if first >= min(step, kernel) {
        return Taps(0u, 0u, 0u);
    }
    let input = (i32(start) - i32(first * dilation)) / i32(stride);
    return Taps((kernel - first + step - 1u) / step, first, u32(input));
}

// Rows and columns of a phase; some phases have one less.
fn phase_size() -> vec2<u32> {
    return vec2(
        (params.height_in + params.stride_y - 1u) / params.stride_y,
        (params.width_in + params.stride_x - 1u) / params.stride_x,
    );
}

// The inputs that the first taps of channel 0 bring to four positions.
fn place(position: vec4<u32>, group: u32, first: vec2<u32>) -> Patch {
    let size = phase_size();
    let n = position / (size.x * size.y);
    let row = position / size.y % size.x + first.x;
    let col = position % size.y + first.y;
    let plane = (n * params.groups + group) * params.channels_out * params.height_out;
    let is_real = n < vec4(params.samples);
    let at = (plane + row) * params.width_out + col;
    return Patch(at, select(vec4(PATCH_NOWHERE), row, is_real), col);
}

// From the first taps of channel 0 to (c, and how many taps on along each axis).
fn tap_move(tap: vec3<u32>) -> PatchMove {
    let row = 0u - tap.y * params.tap_shift_y;
    let col = 0u - tap.z * params.tap_shift_x;
    return PatchMove((tap.x * params.height_out + row) * params.width_out + col, row, col);
}

// From tap (0, 0) of channel 0 in w.
fn tap_offset(tap: vec3<u32>, first: vec2<u32>) -> u32 {
    let ky = first.x + tap.y * params.tap_step_y;
    let kx = first.y + tap.z * params.tap_step_x;
    let line = tap.x * params.channels_in * params.kernel_y + ky;
    return line * params.kernel_x + kx;
}

fn load_w(rows: vec4<u32>, offset: u32, is_wanted: bool) -> vec4<f32> {
    let at = select(vec4(0u), rows + offset, is_wanted);
    return select(vec4(0.0), vec4(w[at.x], w[at.y], w[at.z], w[at.w]), is_wanted);
}

fn goal(position: vec4<u32>, image: u32, phase: vec2<u32>) -> TileGoal {
    let size = phase_size();
    let n = position / (size.x * size.y);
    let oy = position / size.y % size.x * params.stride_y + phase.x;
    let ox = position % size.y * params.stride_x + phase.y;
    let is_inside = (oy < vec4(params.height_in)) & (ox < vec4(params.width_in));
    let plane = (n * params.groups + image) * params.channels_in * params.height_in;
    return TileGoal(
        (plane + oy) * params.width_in + ox,
        is_inside & (n < vec4(params.samples)),
        params.channels_in,
        params.height_in * params.width_in,
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phases = phase_size();
    let positions = params.samples * phases.x * phases.y;
    let tile = gemm_tile(index_group(wg, grid), params.channels_in, positions);
    let group = tile.matrix % params.groups;
    let part = tile.matrix / params.groups % params.parts;
    let number = tile.matrix / (params.groups * params.parts);
    if number >= params.stride_y * params.stride_x {
        return;
    }
    let phase = vec2(number / params.stride_x, number % params.stride_x);
    let start = phase + vec2(params.padding_y, params.padding_x);
    let vertical = taps_of(
        start.x, params.kernel_y, params.stride_y, params.dilation_y, params.tap_step_y,
    );
    let horizontal = taps_of(
        start.y, params.kernel_x, params.stride_x, params.dilation_x, params.tap_step_x,
    );
    let taps = max(vec2(vertical.count, horizontal.count), vec2(1u));
    let first = vec2(vertical.first, horizontal.first);
    let range = gemm_range(part, params.channels_out * vertical.count * horizontal.count);

    let area = params.kernel_y * params.kernel_x;
    let of_w = gemm_place(lane, TILE_M, area > 1u);
    let channel = min(gemm_quad(tile.row, of_w.quad, TILE_M), vec4(params.channels_in - 1u));
    let rows = (group * params.channels_out * params.channels_in + channel) * area;
    let of_x = gemm_place(lane, TILE_N, false);
    let inputs = vec2(vertical.input, horizontal.input);
    let places = place(gemm_quad(tile.col, of_x.quad, TILE_N), group, inputs);
    let size = vec2(params.height_out, params.width_out);
    let step = patch_digits(GEMM_DEPTH, taps);
    var tap_w = patch_digits(range.x + of_w.k, taps);
    var tap_x = patch_digits(range.x + of_x.k, taps);
    var k = range.x;

    let own = gemm_own(lane);
    let blocks = gemm_blocks(range);
    for (var block = 0u; block <= blocks; block++) {
        let a = load_w(rows, tap_offset(tap_w, first), k + of_w.k < range.y);
        let b = patch_load(places, tap_move(tap_x), size, k + of_x.k < range.y);
        gemm_multiply(own, block);
        gemm_put_a(of_w, block, a);
        gemm_put_b(of_x, block, b);
        k += GEMM_DEPTH;
        tap_w = patch_next(tap_w, step, taps);
        tap_x = patch_next(tap_x, step, taps);
        workgroupBarrier();
    }
    let image = part * params.samples * params.groups + group;
    gemm_store_first(tile, own, goal(gemm_quad(tile.col, own.y, TILE_N), image, phase));
    if TILE_N > 64u {
        gemm_store_second(tile, own, goal(gemm_quad(tile.col, own.y + 16u, TILE_N), image, phase));
    }
}
