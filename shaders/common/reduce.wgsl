// Sums and maxima over a workgroup, as a tree of fixed shape. The kernel declares `override WG`, a
// power of two, as its workgroup's size. Every invocation of the workgroup has to call; the barrier
// at the end lets calls follow each other.
// uses: math

var<workgroup> reduce_scratch: array<f32, WG>;

fn workgroup_sum(lane: u32, value: f32) -> f32 {
    reduce_scratch[lane] = value;
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            reduce_scratch[lane] += reduce_scratch[lane + width];
        }
    }
    workgroupBarrier();
    let total = reduce_scratch[0];
    workgroupBarrier();
    return total;
}

fn workgroup_max(lane: u32, value: f32) -> f32 {
    reduce_scratch[lane] = value;
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            reduce_scratch[lane] = math_max(reduce_scratch[lane], reduce_scratch[lane + width]);
        }
    }
    workgroupBarrier();
    let largest = reduce_scratch[0];
    workgroupBarrier();
    return largest;
}
