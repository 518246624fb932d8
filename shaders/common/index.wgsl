// Positions in a 2-D grid, which a launch uses to stay inside 65,535 workgroups per dimension.

// One invocation per item.
fn index_item(id: vec3<u32>, grid: vec3<u32>, width: u32) -> u32 {
    return id.x + id.y * (grid.x * width);
}

// One workgroup per item.
fn index_group(wg: vec3<u32>, grid: vec3<u32>) -> u32 {
    return wg.x + wg.y * grid.x;
}
