// Positions in a 2-D grid, which a launch uses to stay inside 65,535 workgroups per dimension, and
// division by a size that is the same for the whole launch.

// One invocation per item.
fn index_item(id: vec3<u32>, grid: vec3<u32>, width: u32) -> u32 {
    return id.x + id.y * (grid.x * width);
}

// One workgroup per item.
fn index_group(wg: vec3<u32>, grid: vec3<u32>) -> u32 {
    return wg.x + wg.y * grid.x;
}

// n / d for n below 2^31, from the numbers that `Launch::divisor` gives: (n * (2^32 + magic)) / 2^32
// shifted. Hardware division is a loop on GPUs and goes lane by lane on processors.
fn index_divide(n: u32, magic: u32, shift: u32) -> u32 {
    let low = n & 0xffffu;
    let high = n >> 16u;
    let magic_low = magic & 0xffffu;
    let magic_high = magic >> 16u;
    let carried = high * magic_low + ((low * magic_low) >> 16u);
    let middle = (carried & 0xffffu) + low * magic_high;
    let product = high * magic_high + (carried >> 16u) + (middle >> 16u);
    return (product + n) >> shift;
}
