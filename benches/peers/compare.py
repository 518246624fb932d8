#!/usr/bin/env python3
"""PyTorch beside semgan on this machine: prints one markdown table of times and ratios.

    cargo build --release
    python3 benches/peers/compare.py [--device cpu --device gpu] [--rounds 3]

PyTorch runs on the CPU with all cores. Both take turns, because a shared machine's speed drifts;
each time is the median over rounds of the best in a round (the median, for a step). A ratio is
semgan's time over PyTorch's: below 1, semgan is faster.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    sys.exit("PyTorch is missing; install it: python3 -m pip install torch "
             "--index-url https://download.pytorch.org/whl/cpu")

RES, BATCH, STYLE, GROUPS = 32, 16, 128, 16     # what `semgan bench step` takes by default
CHANNELS = {4: 128, 8: 128, 16: 128, 32: 64}


# One SariGAN iteration, written as the published code computes it: a weight per sample, applied by
# a convolution with one group per sample.

def smooth(x, gain=1.0, up=1, down=1, pad=(0, 0)):
    """Zeros between pixels, padding, the filter [1, 3, 3, 1] along both axes, every down-th pixel."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x[..., None, :, None], (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = gain * torch.outer(taps, taps).expand(c, 1, 4, 4)
    return F.conv2d(F.pad(x, pad + pad), kernel, stride=down, groups=c)


def leaky(x):
    return math.sqrt(2) * F.leaky_relu(x, 0.2)


class Dense(nn.Module):
    """A linear layer whose weight is scaled at run time."""

    def __init__(self, width_in, width_out, rate=1.0, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width_out, width_in) / rate)
        self.bias = nn.Parameter(torch.full([width_out], bias))
        self.scale, self.rate = rate / math.sqrt(width_in), rate

    def forward(self, x):
        return F.linear(x, self.scale * self.weight, self.rate * self.bias)


class Grouping(nn.Module):
    """Which channels belong together, and what a style's first half makes of each group."""

    def __init__(self, channels):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(GROUPS, channels))
        self.threshold = nn.Parameter(torch.tensor(-1.0))
        self.temperature = nn.Parameter(torch.tensor(-2.0))
        self.factors = Dense(STYLE, GROUPS, bias=1.0)

    def forward(self, intra, inter, similarity):
        share = (5 * self.temperature.sigmoid() * self.centres).softmax(0)
        alike = (50 * (similarity - self.threshold.sigmoid())).sigmoid()
        loss = 0.1 * (share.T @ share - alike.detach()).square().sum()
        loss = loss + 5 * (alike.shape[0] ** 2 / GROUPS - alike.sum()).square()
        member = (500 * share).softmax(0).round().detach() + 1e-6
        per_group = F.normalize(member * intra[:, None], dim=2)
        return (per_group * self.factors(inter)[..., None]).sum(1), loss


class Styled(nn.Module):
    """A convolution whose input channels a style scales; of kernel 1, it makes colours."""

    def __init__(self, c, o, kernel=3, up=False, grouped=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, c, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(o, 1, 1))
        self.noise = nn.Parameter(torch.zeros(1)) if kernel > 1 else None
        self.modulation = Dense(STYLE, c, bias=1.0)
        self.grouping = Grouping(c) if grouped else None
        self.up = up

    def forward(self, x, style, similarity=None):
        """The features, the similarity of their channels, and what the grouping costs."""
        inter, intra = style.chunk(2, 1)
        factor, loss = self.modulation(intra), 0.0
        if self.grouping:
            factor, loss = self.grouping(factor, inter, similarity)
        o, c, k, _ = self.weight.shape
        n, _, h, w = x.shape
        weight = self.weight / math.sqrt(c * k * k) * factor[:, None, :, None, None]
        if self.noise is not None:
            weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, n * c, h, w)
        if self.up:
            weight = weight.transpose(1, 2).reshape(n * c, o, k, k)
            y = F.conv_transpose2d(x, weight, stride=2, groups=n).reshape(n, o, 2 * h + 1, 2 * w + 1)
            y = smooth(y, gain=4.0, pad=(1, 1))
        else:
            y = F.conv2d(x, weight.reshape(n * o, c, k, k), padding=k // 2, groups=n)
            y = y.reshape(n, o, h, w)
        if self.noise is None:
            return y + self.bias
        y = leaky(y + self.noise * torch.randn(n, 1, *y.shape[2:]) + self.bias)
        rows = F.normalize(self.weight.detach().flatten(1), dim=1)
        return y, rows @ rows.T, loss


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [STYLE] * 8 + [2 * STYLE]
        self.mapping = nn.ModuleList(Dense(a, b, rate=0.01) for a, b in zip(widths, widths[1:]))
        sizes = list(CHANNELS)
        self.start = nn.Parameter(torch.randn(1, CHANNELS[4], 4, 4))
        self.first = Styled(CHANNELS[4], CHANNELS[4], grouped=False)
        self.larger = nn.ModuleList(
            Styled(CHANNELS[a], CHANNELS[b], up=True) for a, b in zip(sizes, sizes[1:]))
        self.plain = nn.ModuleList(Styled(CHANNELS[b], CHANNELS[b]) for b in sizes[1:])
        self.colours = nn.ModuleList(
            Styled(c, 3, kernel=1, grouped=False) for c in CHANNELS.values())

    def forward(self, n):
        """Pictures of two latents that cross over, their styles, and what the groups cost."""
        styles = torch.randn(2 * n, STYLE)
        styles = styles * (styles.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            styles = leaky(layer(styles))
        layers = 2 * len(CHANNELS)
        is_first = (torch.arange(layers) < torch.randint(1, layers, ()))[None, :, None]
        styles = torch.where(is_first, styles[:n, None], styles[n:, None])
        x, similarity, _ = self.first(self.start.expand(n, -1, -1, -1), styles[:, 0])
        picture, cost = self.colours[0](x, styles[:, 1]), 0.0
        for k, (larger, plain) in enumerate(zip(self.larger, self.plain)):
            x, similarity, a = larger(x, styles[:, 2 * k + 1], similarity)
            x, similarity, b = plain(x, styles[:, 2 * k + 2], similarity)
            picture = smooth(picture, gain=4.0, up=2, pad=(2, 1))
            picture = picture + self.colours[k + 1](x, styles[:, 2 * k + 3])
            cost = cost + a + b
        return picture, styles, cost / 20


class Conv(nn.Module):
    def __init__(self, c, o, kernel, halves=False, is_linear=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, c, kernel, kernel))
        self.bias = None if is_linear else nn.Parameter(torch.zeros(o))
        self.halves, self.scale = halves, 1 / math.sqrt(c * kernel * kernel)

    def forward(self, x):
        kernel = self.weight.shape[2]
        if self.halves:
            x = smooth(x, pad=((kernel + 1) // 2,) * 2)
            y = F.conv2d(x, self.scale * self.weight, self.bias, stride=2)
        else:
            y = F.conv2d(x, self.scale * self.weight, self.bias, padding=kernel // 2)
        return y if self.bias is None else leaky(y)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        widths = list(CHANNELS.values())[::-1]
        self.colours = Conv(3, widths[0], 1)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Conv(a, a, 3), Conv(a, b, 3, halves=True),
                           Conv(a, b, 1, halves=True, is_linear=True)])
            for a, b in zip(widths, widths[1:]))
        c = CHANNELS[4]
        self.last, self.hidden = Conv(c + 1, c, 3), Dense(16 * c, c)
        self.verdict = Dense(c, 1 + 2 * STYLE)      # with the estimate of the style

    def forward(self, x):
        x = self.colours(x)
        for plain, half, skip in self.blocks:
            x = (half(plain(x)) + skip(x)) / math.sqrt(2)
        n, c, h, w = x.shape
        spread = (x.reshape(4, n // 4, c, h, w).var(0, unbiased=False) + 1e-8).sqrt()
        spread = spread.mean((1, 2, 3)).repeat(4)[:, None, None, None].expand(n, 1, h, w)
        x = self.last(torch.cat([x, spread], 1))
        return self.verdict(leaky(self.hidden(x.flatten(1))))[:, 0]


class Step:
    """The phases of an iteration, and how many iterations each serves."""

    PHASES = {"d": 1, "g": 1, "r1": 16, "path": 4}

    def __init__(self):
        torch.manual_seed(0)
        self.networks = {"g": Generator(), "d": Discriminator()}
        optimiser = lambda net, c: torch.optim.Adam(net.parameters(), 0.002 * c, (0.0, 0.99 ** c))
        self.optimisers = {"g": optimiser(self.networks["g"], 4 / 5),
                           "d": optimiser(self.networks["d"], 16 / 17)}
        self.real = 2 * torch.rand(BATCH, 3, RES, RES) - 1
        self.mean_length = 0.0

    def update(self, which, loss):
        for name, network in self.networks.items():
            network.requires_grad_(name == which)
        self.optimisers[which].zero_grad()
        loss(self.networks["g"], self.networks["d"]).backward()
        self.optimisers[which].step()

    def d(self):
        self.update("d", lambda g, d: F.softplus(-d(self.real)).mean()
                    + F.softplus(d(g(BATCH)[0])).mean())

    def g(self):
        def loss(g, d):
            picture, _, cost = g(BATCH)
            return F.softplus(-d(picture)).mean() + cost
        self.update("g", loss)

    def r1(self):
        def loss(_, d):
            real = self.real.clone().requires_grad_()
            slope, = torch.autograd.grad(d(real).sum(), real, create_graph=True)
            return 80 * slope.square().sum((1, 2, 3)).mean()
        self.update("d", loss)

    def path(self):
        def loss(g, _):
            picture, styles, _ = g(BATCH // 2)
            noise = torch.randn_like(picture) / RES
            slope, = torch.autograd.grad((picture * noise).sum(), styles, create_graph=True)
            length = slope.square().sum(2).mean(1).sqrt()
            self.mean_length += 0.01 * (length.mean().item() - self.mean_length)
            return 8 * (length - self.mean_length).square().mean()
        self.update("g", loss)

    def seconds(self):
        """Medians of the phases after one to warm up, and of the whole."""
        parts = {}
        for phase in self.PHASES:
            times = [clock(getattr(self, phase)) for _ in range(6)][1:]
            parts[phase] = statistics.median(times)
        whole = sum(seconds / self.PHASES[phase] for phase, seconds in parts.items())
        return {"training iteration": whole} | {f"phase {k}": v for k, v in parts.items()}


def clock(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def best(call):
    """Seconds of the fastest call within 0.4 seconds, after one to warm up."""
    call()
    start, times = time.perf_counter(), []
    while len(times) < 3 or time.perf_counter() - start < 0.4:
        times.append(clock(call))
    return min(times)


def operations():
    """Calls by the names that `semgan bench ops` gives to the same."""
    calls = {}

    def add(name, f, x, w, with_gradients=True):
        x, w = torch.randn(x), torch.randn(w)
        tracked = [x.clone().requires_grad_(), w.clone().requires_grad_()]
        g = torch.randn_like(f(x, w))
        calls[name] = lambda: f(x, w)
        if with_gradients:
            calls[f"{name} and its gradients"] = lambda: torch.autograd.grad(
                f(*tracked), tracked, g)

    add("matmul 512x512x512", torch.matmul, (512, 512), (512, 512), with_gradients=False)
    add("matmul 1024x1024x1024", torch.matmul, (1024, 1024), (1024, 1024))
    add("conv2d 4x128x32 -> 128 3x3 s1", lambda x, w: F.conv2d(x, w, padding=1),
        (4, 128, 32, 32), (128, 128, 3, 3))
    add("conv_transpose2d 4x128x16 -> 128 3x3 s2",
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
        (4, 128, 16, 16), (128, 128, 3, 3))
    x = torch.randn(1 << 20)
    calls["pointwise exp((2 x + 1) x - 0.5) 1048576"] = lambda: ((2 * x + 1) * x - 0.5).exp()
    return calls


def semgan(program, device, *command):
    command = [program, "bench", *command, "--device", device, "--json"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{' '.join(command)}: {answer.stderr.strip()}")
    return json.loads(answer.stdout)


def semgan_seconds(program, device, names):
    step = semgan(program, device, "step", "--res", str(RES), "--batch", str(BATCH))
    seconds = {"training iteration": step["seconds_per_iteration"]}
    seconds |= {f"phase {name}": value for name, value in step["parts"].items()}
    found = semgan(program, device, "ops", *names)["operations"]
    return seconds | {row["name"]: row["best_ms"] / 1e3 for row in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--semgan", default="target/release/semgan", help="the program")
    parser.add_argument("--device", action="append", help="of semgan; may be repeated [cpu]")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each takes [3]")
    args = parser.parse_args()
    devices = args.device or ["cpu"]
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                          else os.cpu_count())
    step, calls = Step(), operations()
    measured = {who: {} for who in ["PyTorch", *devices]}
    for turn in range(args.rounds):
        print(f"round {turn + 1} of {args.rounds}", file=sys.stderr)
        peer = step.seconds() | {name: best(call) for name, call in calls.items()}
        turns = {"PyTorch": peer}
        turns |= {d: semgan_seconds(args.semgan, d, list(calls)) for d in devices}
        for who, seconds in turns.items():
            for name in peer:
                measured[who].setdefault(name, []).append(seconds[name])
    titles = [title for d in devices for title in (f"semgan {d}, ms", "ratio")]
    print(f"| what | PyTorch {torch.__version__}, ms | {' | '.join(titles)} |")
    print(f"| --- | --- |{' --- | --- |' * len(devices)}")
    for name, times in measured["PyTorch"].items():
        peer = statistics.median(times)
        cells = [f"{1e3 * peer:.2f}"]
        for device in devices:
            own = statistics.median(measured[device][name])
            cells += [f"{1e3 * own:.2f}", f"{own / peer:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
