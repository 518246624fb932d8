//! Memory of this process and of the machine.

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

/// Bytes that a process could still take, within its container's limit; `None` where the system does
/// not tell.
pub fn available_bytes() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let limit = system.cgroup_limits().map(|limits| limits.free_memory);
    let free = Some(system.available_memory()).filter(|&bytes| bytes > 0)?;
    Some(limit.map_or(free, |limit| limit.min(free)))
}

/// A number of bytes in GiB or MiB.
pub fn human(bytes: u64) -> String {
    let mib = bytes as f64 / (1u64 << 20) as f64;
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}
