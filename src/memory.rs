//! Memory of this process.

/// Bytes that this process holds in memory now; 0 where the system does not tell.
pub fn host_bytes() -> u64 {
    memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem as u64)
}

/// The most it has held: from the kernel on Linux, elsewhere what it holds now.
pub fn peak_host_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        peak.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.map_or_else(host_bytes, |kb| kb * 1024)
}
