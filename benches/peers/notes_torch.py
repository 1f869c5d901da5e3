#!/usr/bin/env python3
"""The network of the composer `notes` in PyTorch: notes_torch.py time|check single|half THREADS.

`time` prints `ready`; for each line on standard input it makes ten training steps and prints the milliseconds of one. `check` prints the
number of parameters and how the loss of one batch falls that is learnt again and again. Needs `pip install torch`, with glibc's allocator
told to keep memory (benches/src/peer.rs).

The sizes are those of the default configuration on 41 files by Chopin. Batches are drawn by chance, as full and as sparse as those
(figures by `BATCH`), and everything that does not depend on parameters is worked out before the clock starts: the input of the LSTM, the
indices of sums, which candidates are right. Ours reads its batches from the pieces within its step, and counts what is the likeliest.

Tuned: no loop over notes; the LSTM by oneDNN; sums of what is known, heard and offered as products of sparse matrices (MKL), whose
transposes are ready too (single-thread time forward and back of what is heard: 33 ms so, 72 as a convolution, 58 as one of 16 bits, 117
with `embedding_bag`); chance by the byte; what is left over in compiled loops; AdamW, clipping and averaging over all parameters at once.
`half` rounds the factors of dense products to bfloat16, which takes a processor with AVX512-BF16 to gain by.
"""
import os
import sys
import tempfile
import time
import warnings

# Before its library is loaded: threads that wait for others sleep, which takes half the time where a machine is shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.nn as nn
import torch.nn.functional as F

ROWS, WINDOW, HIDDEN, UNITS, CHANNELS, REACH = 8, 96, 256, 160, 32, 24
KEYS, SOURCES, DEGREES, INPUTS = 128, 11, 12, 805
# quarters, place, instrument, pitch, length, end, level
CLASSES = [120, 24, 1, 128, 120, 24, 32]
PITCH = 3
PLACE, QUARTER, LEFT, MOMENT, NUMBER, STEPS = 24, 16, 10, 9, 72, 40
# Sizes of what each choice knows: one index of each.
KNOWN = [
    [PLACE, QUARTER, QUARTER, LEFT, MOMENT],
    [NUMBER, PLACE, QUARTER, QUARTER, MOMENT],
    [NUMBER, PLACE, QUARTER, MOMENT, 2],
    [1, NUMBER, PLACE, QUARTER, MOMENT, KEYS + 1, KEYS + 1, MOMENT],
    [1, KEYS, PLACE, QUARTER, MOMENT, NUMBER + 1, STEPS + 1, LEFT],
    [1, NUMBER, PLACE, NUMBER + 1, PLACE + 1, STEPS + 1],
    [1, KEYS, PLACE, QUARTER, MOMENT, NUMBER, CLASSES[6] + 1],
]
KINDS, MARKS, CANDIDATES = 64, 18, 34
BATCH = {
    # Means and standard deviations of how many values of the input there are, of what is heard of each source, its keys, candidates.
    "inputs": 48, "heard": [1.05, 0, 0.94, 0, 2.5, 2.6, 2.55, 2.56, 13.6, 29.2, 0.55], "keys": (62.6, 14.7), "candidates": (17.8, 7.9),
    # Of each choice, the shares of the candidates that offer something, of those the ones that are right, of the classes the allowed.
    "offers": [0.94, 0.94, 0, 0.85, 0.91, 0.91, 0.85], "right": [0.88, 0.79, 0, 0.36, 0.82, 0.67, 0.21],
    "allowed": [1, 0.82, 1, 0.72, 1, 0.85, 1],
}
N, V, WIDTH = ROWS * WINDOW, len(CLASSES), 2 * REACH + 1
# Rows whose derivatives are summed at once: as many as the cache holds.
BLOCK = 16
LOW = -60.0
# Keys in rows of an octave, the last one filled up.
OCTAVES = -(-KEYS // DEGREES)


def table(size, *others, std=0.1):
    return nn.Parameter(std * torch.randn(size, *others))


def dropout(x, share):
    """A byte of chance for each value: a fourth of the time that `F.dropout` takes."""
    chance = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)[:x.numel()].view(x.shape)
    return x * ((chance >= round(256 * share)) / (1 - share))


class SparseTimes(torch.autograd.Function):
    """A sparse matrix times a dense one that is learnt; given with its transpose, or with those of blocks of its rows under one another."""

    @staticmethod
    def forward(ctx, matrix, transposed, dense):
        ctx.transposed, ctx.rows = transposed, len(dense)
        return matrix @ dense

    @staticmethod
    def backward(ctx, gradient):
        return None, None, (ctx.transposed @ gradient).view(-1, ctx.rows, gradient.shape[1]).sum(0)


class Notes(nn.Module):
    def __init__(self, half):
        super().__init__()
        self.half = half
        self.lstm = nn.LSTM(INPUTS, HIDDEN)
        self.state = nn.Linear(HIDDEN, V * UNITS)
        self.known = table(sum(map(sum, KNOWN)), UNITS)
        self.outputs = nn.ModuleList(nn.Linear(UNITS, classes) for classes in CLASSES)
        self.context = nn.Linear(HIDDEN, 2 * CHANNELS)
        self.patches, self.degrees = table(SOURCES * WIDTH, CHANNELS), table(DEGREES, CHANNELS)
        self.sentinel = nn.Linear(HIDDEN, V)
        self.scores, self.gates = table(KINDS, V), table(MARKS, V)
        self.penalties, self.trust = nn.Parameter(torch.full((V,), 2.0)), nn.Parameter(torch.ones(V))
        with torch.no_grad():
            self.sentinel.bias.fill_(-5.0)
        self.register_buffer("earlier", torch.ones(V, V).triu(1), persistent=False)
        # Choices that have anything to choose from.
        self.made = [v for v in range(V) if CLASSES[v] > 1]

    def features(self, x, state):
        dtype = torch.bfloat16 if self.half else torch.float32
        weights = [w.to(dtype) for w in self.lstm.all_weights[0]]
        h, *state = torch._VF.lstm(x.to(dtype), [s.to(dtype) for s in state], weights, True, 1, 0.0, True, False, False)
        return dropout(h.float(), 0.3).flatten(0, 1), [s.detach().float() for s in state]

    def keys(self, f, batch):
        """What the part that treats keys alike adds to their logits."""
        a, v = self.context(f).split(CHANNELS, 1)
        units = SparseTimes.apply(*batch.heard(), self.patches).view(N, OCTAVES, DEGREES, CHANNELS)
        tuned = batch.degrees @ self.degrees + a.unsqueeze(1)
        return self.decide(units, tuned, v)[:, :KEYS]

    @staticmethod
    @torch.compile
    def decide(units, tuned, v):
        return ((units + tuned.unsqueeze(1)).relu() * v[:, None, None]).sum(3).flatten(1)

    def copying(self, f, batch):
        """The gates' logits, and the logarithm of what copying gives to the classes that came: [N, V] each."""
        losing = -self.earlier * self.penalties.unsqueeze(1)
        scores = SparseTimes.apply(batch.candidates, batch.candidates_back, torch.cat([self.scores, losing])).view(N, CANDIDATES, V)
        total, right = self.attend(scores, batch.offered, batch.right)
        return self.trust * total + self.sentinel(f) + batch.marks @ self.gates + batch.copied, right

    @staticmethod
    @torch.compile
    def attend(scores, offered, right):
        scores = scores + offered
        total = scores.logsumexp(1)
        return total, (scores + right).logsumexp(1) - total

    def forward(self, batch, state):
        f, state = self.features(batch.inputs(), state)
        known = SparseTimes.apply(batch.known, batch.known_back, self.known).view(N, V, UNITS)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            units = dropout((self.state(f).view(N, V, UNITS) + known).relu(), 0.2)
            logits = {v: self.outputs[v](units[:, v]) for v in self.made}
        logits[PITCH] = logits[PITCH].float() + self.keys(f, batch)
        own = [-F.cross_entropy(logits[v].float() + batch.masks[v], batch.targets[v], reduction="none") for v in self.made]
        gate, right = self.copying(f, batch)
        gate, right = gate[:, self.made], right[:, self.made]
        p = torch.logaddexp(F.logsigmoid(-gate) + torch.stack(own, 1), F.logsigmoid(gate) + right)
        return -p.sum() / N, state


def order(rows, columns, shape):
    """A sparse matrix in compressed rows: where they begin, columns, and the order of what was given."""
    order = torch.argsort(rows * shape[1] + columns)
    begins = F.pad(torch.bincount(rows, minlength=shape[0]).cumsum(0), (1, 0))
    return begins.int(), columns[order].int(), order


def ones(rows, columns, shape):
    """A sparse matrix of ones, and its transpose."""
    return [
        torch.sparse_csr_tensor(*order(a, b, shape)[:2], torch.ones(len(a)), shape)
        for a, b, shape in [(rows, columns, shape), (columns, rows, shape[::-1])]
    ]


class Batch:
    """What a step learns from."""

    def __init__(self):
        self.marked = torch.nonzero(torch.rand(N * INPUTS) < BATCH["inputs"] / INPUTS).squeeze(1)
        self.marks_of_input = torch.rand(len(self.marked))
        self.read_known()
        self.read_heard()
        self.degrees = self.circulant()
        self.targets = [torch.randint(0, classes, (N,)) for classes in CLASSES]
        self.masks = [self.mask(v) for v in range(V)]
        self.read_candidates()

    def inputs(self):
        """What the LSTM reads, with some of it left out at random."""
        x = torch.zeros(N * INPUTS).index_put_((self.marked,), dropout(self.marks_of_input, 0.1))
        return x.view(WINDOW, ROWS, INPUTS)

    def mask(self, v):
        allowed = torch.rand(N, CLASSES[v]) < BATCH["allowed"][v]
        allowed.scatter_(1, self.targets[v].unsqueeze(1), True)
        return torch.where(allowed, 0.0, LOW)

    def circulant(self):
        shares = 3 * torch.softmax(2 * torch.randn(N, DEGREES), 1)
        k = torch.arange(DEGREES)
        return shares[:, (k.unsqueeze(1) - k) % DEGREES]

    def read_known(self):
        rows, columns, begin = [], [], 0
        for v, sizes in enumerate(KNOWN):
            for size in sizes:
                rows.append(torch.arange(N) * V + v)
                columns.append(begin + torch.randint(0, size, (N,)))
                begin += size
        self.known, self.known_back = ones(torch.cat(rows), torch.cat(columns), (N * V, begin))

    def read_heard(self):
        """Each key that is heard reaches the keys around it: values of a matrix from sources and distances to rows and keys."""
        share = torch.tensor(BATCH["heard"])
        counts = (share.sum() + 0.25 * share.sum() * torch.randn(N)).clamp(1).long()
        row, total, width = torch.arange(N).repeat_interleave(counts), int(counts.sum()), OCTAVES * DEGREES
        mean, deviation = BATCH["keys"]
        key = (mean + deviation * torch.randn(total)).round().clamp(0, KEYS - 1).long()
        source = torch.multinomial(share, total, replacement=True)
        self.strength = 0.2 + torch.rand(total)
        distance = torch.arange(-REACH, REACH + 1)
        to = key.unsqueeze(1) + distance
        inside = (to >= 0) & (to < KEYS)
        rows, columns = (row.unsqueeze(1) * width + to)[inside], (source.unsqueeze(1) * WIDTH + distance + REACH)[inside]
        blocked = (row // BLOCK * SOURCES * WIDTH).unsqueeze(1).expand(-1, WIDTH)[inside] + columns
        member = torch.arange(total).unsqueeze(1).expand(-1, WIDTH)[inside].int()
        self.hearing = []
        for a, b, shape in [
            (rows, columns, (N * width, SOURCES * WIDTH)), (blocked, rows, (N // BLOCK * SOURCES * WIDTH, N * width))
        ]:
            begins, ends, at = order(a, b, shape)
            self.hearing.append((begins, ends, member[at], shape))

    def heard(self):
        """With some of it left out at random."""
        values = dropout(self.strength, 0.1)
        return [
            torch.sparse_csr_tensor(begins, to, values.index_select(0, member), shape)
            for begins, to, member, shape in self.hearing
        ]

    def read_candidates(self):
        mean, deviation = BATCH["candidates"]
        there = torch.arange(CANDIDATES) < (mean + deviation * torch.randn(N, 1)).clamp(6, CANDIDATES)
        chance = lambda shares: torch.rand(N, CANDIDATES, V) < torch.tensor(shares)
        offers = chance(BATCH["offers"]) & there.unsqueeze(2)
        right = offers & chance(BATCH["right"])
        kinds = torch.randint(0, KINDS - 6, (N, CANDIDATES, 1)) + torch.arange(6)
        wrong = torch.where(offers & ~right, torch.arange(KINDS, KINDS + V), -1)
        tables = torch.where(there.unsqueeze(2), torch.cat([kinds, wrong], 2), -1).flatten(0, 1)
        rows, places = torch.nonzero(tables >= 0, as_tuple=True)
        self.candidates, self.candidates_back = ones(rows, tables[rows, places], (N * CANDIDATES, KINDS + V))
        self.offered, self.right = torch.where(offers, 0.0, LOW), torch.where(right, 0.0, LOW)
        self.copied = torch.where(offers.any(1), 0.0, LOW)
        marks = torch.randint(0, MARKS // 2, (N, 2)) + torch.tensor([0, MARKS // 2])
        self.marks = torch.zeros(N, MARKS).scatter_(1, marks, 1.0)


class Training:
    """AdamW whose decay spares vectors, gradients clipped, an average of the parameters."""

    def __init__(self, half):
        self.net = Notes(half)
        self.parameters = list(self.net.parameters())
        groups = [{"params": [p for p in self.parameters if (p.dim() > 1) == matrix], "weight_decay": decay}
                  for matrix, decay in [(True, 0.02), (False, 0.0)]]
        self.optimizer = torch.optim.AdamW(groups, lr=3e-3, fused=True)
        self.average = [p.detach().clone() for p in self.parameters]
        self.state = [torch.zeros(1, ROWS, HIDDEN) for _ in range(2)]

    def step(self, batch):
        loss, self.state = self.net(batch, self.state)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        self.optimizer.step()
        torch._foreach_lerp_(self.average, self.parameters, 0.01)
        return loss


def drawn(count):
    """Batches from a process of their own: its memory is none of this one's."""
    with tempfile.NamedTemporaryFile() as file:
        child = os.fork()
        if child == 0:
            torch.manual_seed(1)
            torch.save([Batch() for _ in range(count)], file.name)
            os._exit(0)
        os.waitpid(child, 0)
        return torch.load(file.name, weights_only=False)


def main():
    what, precision, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    warnings.filterwarnings("ignore", message=".*[Ss]parse")
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    torch.set_flush_denormal(True)
    batches = drawn(2)
    training = Training(precision == "half")
    if what == "check":
        print(sum(p.numel() for p in training.parameters), "parameters")
        for step in range(101):
            training.state = [torch.zeros(1, ROWS, HIDDEN) for _ in range(2)]
            loss = training.step(batches[0]).item()
            if step % 20 == 0:
                print(step, round(loss, 3))
        return
    at = 0
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        for _ in range(10):
            training.step(batches[at % len(batches)])
            at += 1
        print((time.perf_counter() - begun) * 1e3 / 10, flush=True)


main()
