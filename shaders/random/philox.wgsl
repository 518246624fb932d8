// Philox4x32-10: y[4 g .. 4 g + 3] from counter (g, stream, step low, step high) and key seed, as
// uniforms (top 24 bits times 2^-24) or as two Box-Muller pairs of normals.
// One invocation per group of four; integer arithmetic is the twin's bit for bit.
// uses: philox

override WG: u32 = 64;

struct Params {
    len: u32,
    normal: u32,
    stream: u32,
    step_low: u32,
    step_high: u32,
    seed_low: u32,
    seed_high: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let group = id.x + id.y * grid.x * WG;
    let base = 4u * group;
    if base >= params.len {
        return;
    }
    let counter = vec4<u32>(group, params.stream, params.step_low, params.step_high);
    let bits = philox4x32(counter, vec2<u32>(params.seed_low, params.seed_high));
    var values = vec4<f32>(bits >> vec4<u32>(8u)) * 0x1p-24;
    if params.normal == 1u {
        values = vec4<f32>(philox_normals(values.xy), philox_normals(values.zw));
    }
    for (var k = 0u; k < min(4u, params.len - base); k++) {
        y[base + k] = values[k];
    }
}
