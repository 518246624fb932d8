//! Where a command's time went, for people: `--profile`.

use std::time::Duration;

use crate::device::Device;
use crate::device::profile::Cost;

/// Whether to show where the time goes; flattened into the commands that can.
#[derive(clap::Args, Debug, Clone, Copy)]
pub(super) struct ProfileArgs {
    /// Also print on stderr which operations and kernels took the time. Waits after each of them,
    /// which slows the whole
    #[arg(long)]
    pub(super) profile: bool,
}

/// Lines of the table; the rest is summed up.
const LINES: usize = 40;

impl ProfileArgs {
    /// Starts to count, where asked to.
    pub(super) fn start(self, device: &Device) {
        device.profile().switch(self.profile);
    }

    /// Prints what was counted, where asked to.
    pub(super) fn print(self, device: &Device) {
        if self.profile {
            table(&device.profile().table()).iter().for_each(|line| say!("{line}"));
        }
    }
}

/// Costs by falling time: the largest one by one, the others together, and all.
fn table(costs: &[(String, Cost)]) -> Vec<String> {
    let sum = |costs: &[(String, Cost)]| costs.iter().fold(Cost::default(), |sum, (_, c)| sum + *c);
    let all = sum(costs);
    let (shown, rest) = costs.split_at(costs.len().min(LINES));
    let mut lines = vec![format!(
        "{:>10} {:>6} {:>8} {:>8} {:>7}  operation",
        "ms", "share", "calls", "GFLOP/s", "GB/s"
    )];
    lines.extend(shown.iter().map(|(name, cost)| line(name, cost, all.time)));
    if !rest.is_empty() {
        lines.push(line(&format!("others ({})", rest.len()), &sum(rest), all.time));
    }
    lines.push(line("total", &all, all.time));
    lines
}

fn line(name: &str, cost: &Cost, all: Duration) -> String {
    let ms = cost.time.as_secs_f64() * 1e3;
    let share = 100.0 * cost.time.as_secs_f64() / all.as_secs_f64().max(1e-9);
    let (calls, speed, bandwidth) = (cost.calls, cost.speed(), cost.bandwidth());
    format!("{ms:10.1} {share:5.1}% {calls:8} {speed:8.1} {bandwidth:7.1}  {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::profile::Work;

    #[test]
    fn a_long_table_ends_with_the_others_and_the_sum() {
        let cost = |millis| Cost {
            calls: 2,
            time: Duration::from_millis(millis),
            work: Work { bytes: 5_000_000, flops: 30_000_000 },
        };
        let costs: Vec<_> = (0..42).map(|k| (format!("op{k}"), cost(10))).collect();
        let lines = table(&costs);
        assert_eq!(lines.len(), 1 + 40 + 2);
        let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines[1]), ["10.0", "2.4%", "2", "3.0", "0.5", "op0"]);
        assert_eq!(words(&lines[41]), ["20.0", "4.8%", "4", "3.0", "0.5", "others", "(2)"]);
        assert_eq!(words(&lines[42]), ["420.0", "100.0%", "84", "3.0", "0.5", "total"]);
        assert_eq!(table(&costs[..1]).len(), 3);
        assert_eq!(words(&table(&[])[1])[..3], ["0.0", "0.0%", "0"]);
    }
}
