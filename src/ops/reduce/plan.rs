//! How a reduction is spread over a GPU.

use crate::device::Device;

/// Launches of one reduction are alike; the next one reduces what this one leaves.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Invocations that share one part: 1, or a workgroup's.
    pub(crate) lanes: usize,
    /// Parts that each output's elements are cut into.
    pub(crate) parts: usize,
    /// Elements of a part.
    pub(crate) run: usize,
}

impl Plan {
    pub(crate) const WORKGROUP: usize = 64;
    /// A longer loop would cost accuracy; four elements are one addition to a sum.
    const STEPS: usize = 1024;
    /// Elements in all that are one launch's: a second one would take longer.
    const SMALL: usize = 16 * 1024;
    /// Longest loop of one invocation there.
    const ALONE: usize = 256;

    /// For `total` elements behind each output, the last axis of which has the stride `inner`.
    pub(crate) fn new(total: usize, inner: usize, outputs: usize, device: &Device) -> Self {
        // Neighbouring invocations read neighbouring elements: those of one output where these are
        // neighbours, else those of neighbouring outputs.
        let is_long = total >= if outputs < 1024 { 32 } else { 512 };
        let is_small = outputs * total <= Self::SMALL;
        let is_wide = is_long && (inner == 1 || outputs < 16) || is_small && total > Self::ALONE;
        // On a processor a barrier costs more than scattered loads.
        let is_software = device.is_software();
        let lanes = if is_wide && (is_small || !is_software) { Self::WORKGROUP } else { 1 };
        // Few outputs do not fill a GPU: shorter loops make more parts.
        let is_full = is_software || outputs * lanes >= 32 * 1024;
        let longest = lanes * if is_full { Self::STEPS } else { 32 };
        let parts = if is_small { 1 } else { total.div_ceil(longest).max(1) };
        Self { lanes, parts, run: total.div_ceil(parts) }
    }
}
