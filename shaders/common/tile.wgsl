// Register tiles of products: eight rows by eight columns in four 4 x 4 matrices.

fn tile_lanes() -> vec4<u32> {
    return vec4(0u, 1u, 2u, 3u);
}

// Row i is a[i] * b.
fn tile_outer(a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(a.x * b, a.y * b, a.z * b, a.w * b);
}
