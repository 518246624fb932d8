// Register tiles: 4 x 4 matrices that sum outer products and are written to the kernel's `y`.

fn tile_lanes() -> vec4<u32> {
    return vec4(0u, 1u, 2u, 3u);
}

// Row i is a[i] * b.
fn tile_outer(a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(a.x * b, a.y * b, a.z * b, a.w * b);
}

// The tile and the outer product of a and b.
fn tile_add(tile: mat4x4<f32>, a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(
        fma(vec4(a.x), b, tile[0]),
        fma(vec4(a.y), b, tile[1]),
        fma(vec4(a.z), b, tile[2]),
        fma(vec4(a.w), b, tile[3]),
    );
}

fn tile_store_row(values: vec4<f32>, to: vec4<u32>, inside: vec4<bool>) {
    if inside.x {
        y[to.x] = values.x;
    }
    if inside.y {
        y[to.y] = values.y;
    }
    if inside.z {
        y[to.z] = values.z;
    }
    if inside.w {
        y[to.w] = values.w;
    }
}

// Where a tile's rows and columns go in y: column j of row i to `to[j] + i * pitch`, if row i is
// below `rows` and the column inside.
struct TileGoal { to: vec4<u32>, inside: vec4<bool>, rows: u32, pitch: u32 }

// Writes a tile whose first row is `row`.
fn tile_store(tile: mat4x4<f32>, row: u32, goal: TileGoal) {
    let to = goal.to + row * goal.pitch;
    let left = goal.rows - min(row, goal.rows);
    tile_store_row(tile[0], to, goal.inside & vec4(left > 0u));
    tile_store_row(tile[1], to + goal.pitch, goal.inside & vec4(left > 1u));
    tile_store_row(tile[2], to + 2u * goal.pitch, goal.inside & vec4(left > 2u));
    tile_store_row(tile[3], to + 3u * goal.pitch, goal.inside & vec4(left > 3u));
}
