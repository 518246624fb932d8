// Raises the sentinel from one submit's number to the next. A submit that never ran, or ran out of
// order, leaves it behind for good, which the next read-back sees. One invocation; no operation of
// its own: the recorder of src/device/record.rs ends every submit with it.

struct Params { before: u32, number: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> word: array<u32>;

@compute @workgroup_size(1)
fn main() {
    if word[0] == params.before {
        word[0] = params.number;
    }
}
