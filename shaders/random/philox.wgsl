// Philox4x32-10: up to eight draws behind each other, element 4 g .. 4 g + 3 of one from counter
// (g, stream, step low, step high) and key seed, as uniforms (top 24 bits times 2^-24) or as two
// Box-Muller pairs of normals. Draw k starts at element `start<k>`, all of them between `first` and
// `end`.
// One invocation per group of four; integer arithmetic is the twin's bit for bit.
// uses: index, philox

override WG: u32 = 64;

struct Params {
    normal: u32, first: u32, end: u32,
    step_low: u32, step_high: u32, seed_low: u32, seed_high: u32,
    stream0: u32, stream1: u32, stream2: u32, stream3: u32,
    stream4: u32, stream5: u32, stream6: u32, stream7: u32,
    start0: u32, start1: u32, start2: u32, start3: u32,
    start4: u32, start5: u32, start6: u32, start7: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

// The stream and the start of the draw that an element belongs to.
fn draw(at: u32) -> vec2<u32> {
    var found = vec2(params.stream0, params.start0);
    found = select(found, vec2(params.stream1, params.start1), at >= params.start1);
    found = select(found, vec2(params.stream2, params.start2), at >= params.start2);
    found = select(found, vec2(params.stream3, params.start3), at >= params.start3);
    found = select(found, vec2(params.stream4, params.start4), at >= params.start4);
    found = select(found, vec2(params.stream5, params.start5), at >= params.start5);
    found = select(found, vec2(params.stream6, params.start6), at >= params.start6);
    return select(found, vec2(params.stream7, params.start7), at >= params.start7);
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    let base = params.first + 4u * index_item(id, grid, WG);
    if base >= params.end {
        return;
    }
    let own = draw(base);
    let counter = vec4<u32>((base - own.y) / 4u, own.x, params.step_low, params.step_high);
    let bits = philox4x32(counter, vec2<u32>(params.seed_low, params.seed_high));
    var values = vec4<f32>(bits >> vec4<u32>(8u)) * 0x1p-24;
    if params.normal == 1u {
        values = vec4<f32>(philox_normals(values.xy), philox_normals(values.zw));
    }
    for (var k = 0u; k < min(4u, params.end - base); k++) {
        y[base + k] = values[k];
    }
}
