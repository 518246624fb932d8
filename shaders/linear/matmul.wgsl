// y[b] = alpha a[b] b[b] + beta bias, one number of the bias for each column. Factors are read
// through strides, so that a transposed one, or one matrix for the whole batch (stride 0), needs no
// copy; either may stand for its elements' squares.
// One invocation makes 8 x 8 elements in registers: 16 loads feed 64 multiply-adds. Columns of one
// invocation lie `tiles` apart, so that neighbouring invocations read and write neighbours. Rows
// and columns beyond the edge repeat the last one and are not written.
// uses: index, tile

override WG: u32 = 64;

struct Params {
    batches: u32, m: u32, k: u32, n: u32,
    a_batch: u32, a_row: u32, a_col: u32,
    b_batch: u32, b_row: u32, b_col: u32,
    alpha: f32, beta: f32, a_squared: u32, b_squared: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn load_a(at: vec4<u32>) -> vec4<f32> {
    let values = vec4(a[at.x], a[at.y], a[at.z], a[at.w]);
    return select(values, values * values, params.a_squared == 1u);
}

fn load_b(at: vec4<u32>) -> vec4<f32> {
    let values = vec4(b[at.x], b[at.y], b[at.z], b[at.w]);
    return select(values, values * values, params.b_squared == 1u);
}

// Four equal rows of beta times the bias of four columns. Without a beta nothing is read.
fn under(cols: vec4<u32>) -> mat4x4<f32> {
    if params.beta == 0.0 {
        return mat4x4<f32>();
    }
    let at = min(cols, vec4(params.n - 1u));
    let row = params.beta * vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    return mat4x4(row, row, row, row);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
) {
    let col_tiles = (params.n + 7u) / 8u;
    let row_tiles = (params.m + 7u) / 8u;
    let item = index_item(id, grid, WG);
    let batch = item / (col_tiles * row_tiles);
    if batch >= params.batches {
        return;
    }
    let row = item / col_tiles % row_tiles * 8u;
    let cols0 = item % col_tiles + tile_lanes() * col_tiles;
    let cols1 = cols0 + 4u * col_tiles;
    let last_row = vec4(params.m - 1u);
    let last_col = vec4(params.n - 1u);
    var a0 = batch * params.a_batch + min(row + tile_lanes(), last_row) * params.a_row;
    var a1 = batch * params.a_batch + min(row + 4u + tile_lanes(), last_row) * params.a_row;
    var b0 = batch * params.b_batch + min(cols0, last_col) * params.b_col;
    var b1 = batch * params.b_batch + min(cols1, last_col) * params.b_col;

    var y00 = mat4x4<f32>();
    var y01 = mat4x4<f32>();
    var y10 = mat4x4<f32>();
    var y11 = mat4x4<f32>();
    for (var p = 0u; p < params.k; p++) {
        let left0 = load_a(a0);
        let left1 = load_a(a1);
        let right0 = load_b(b0);
        let right1 = load_b(b1);
        y00 += tile_outer(left0, right0);
        y01 += tile_outer(left0, right1);
        y10 += tile_outer(left1, right0);
        y11 += tile_outer(left1, right1);
        a0 += params.a_col;
        a1 += params.a_col;
        b0 += params.b_row;
        b1 += params.b_row;
    }
    let base = batch * params.m * params.n;
    let goal0 = TileGoal(base + cols0, cols0 < vec4(params.n), params.m, params.n);
    let goal1 = TileGoal(base + cols1, cols1 < vec4(params.n), params.m, params.n);
    let under0 = under(cols0);
    let under1 = under(cols1);
    tile_store(params.alpha * y00 + under0, row, goal0);
    tile_store(params.alpha * y01 + under1, row, goal1);
    tile_store(params.alpha * y10 + under0, row + 4u, goal0);
    tile_store(params.alpha * y11 + under1, row + 4u, goal1);
}
