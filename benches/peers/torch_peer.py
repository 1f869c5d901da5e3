#!/usr/bin/env python3
"""PyTorch at our workloads: torch_peer.py w1|w2|w3|w3cell THREADS.

Prints `ready`; for each line on standard input does the work once and prints the milliseconds of one unit: of a training step
(forward, backward, Adam), or of one composed token. Needs `pip install torch`.
"""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class LstmComposer(nn.Module):
    """Embedding 300 x 64, LSTM 512, dropout 0.3, LSTM 256, the last step, dense 128 ReLU, 300 classes; time-major."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(300, 64)
        self.first = nn.LSTM(64, 512)
        self.second = nn.LSTM(512, 256)
        self.dropout = nn.Dropout(0.3)
        self.dense = nn.Linear(256, 128)
        self.out = nn.Linear(128, 300)

    def head(self, h):
        return self.out(F.relu(self.dense(h)))

    def forward(self, x):
        h, _ = self.first(self.embedding(x))
        h, _ = self.second(self.dropout(h))
        return self.head(h[-1])


class OctaveShape(nn.Module):
    """The recurrent parts of the octave model; the voices of a step are a sequence of five."""

    def __init__(self):
        super().__init__()
        self.local = nn.LSTM(18, 100)
        self.controller = nn.LSTM(18, 100)
        self.attention = nn.Linear(100, 8)
        self.aggregation = nn.LSTM(118, 130)
        self.voice = nn.LSTM(154, 100)
        self.outcome = nn.Linear(100, 24)

    def forward(self, x, history, previous, mask, target):
        local, _ = self.local(x)
        control, _ = self.controller(x)
        weights = torch.softmax(self.attention(control), -1)
        read = (weights.unsqueeze(-1) * history).sum(2)
        features, _ = self.aggregation(torch.cat([local, read], -1))
        features = features.reshape(1, -1, 130).expand(5, -1, -1)
        h, _ = self.voice(torch.cat([features, previous], -1))
        return F.cross_entropy((self.outcome(h) + mask).reshape(-1, 24), target.reshape(-1))


def adam(model, loss_of):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step():
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()

    return step, 1


def w1():
    model = LstmComposer()
    x, y = torch.randint(0, 300, (100, 50)), torch.randint(0, 300, (50,))
    return adam(model, lambda: F.cross_entropy(model(x), y))


def w2():
    model, steps, batch = OctaveShape(), 256, 140
    x, history = torch.rand(steps, batch, 18), torch.rand(steps, batch, 8, 18)
    previous = F.one_hot(torch.randint(0, 24, (5, steps * batch)), 24).float()
    target = torch.randint(0, 24, (5, steps * batch))
    mask = torch.where(torch.rand(5, steps * batch, 24) < 0.1, -1e9, 0.0)
    mask.scatter_(2, target.unsqueeze(-1), 0.0)
    return adam(model, lambda: model(x, history, previous, mask, target))


def w3(cells, tokens=300):
    model = LstmComposer().eval()
    first, second = nn.LSTMCell(64, 512), nn.LSTMCell(512, 256)

    @torch.inference_mode()
    def step():
        token, one, two = torch.zeros(1, 1, dtype=torch.long), None, None
        for _ in range(tokens):
            if cells:
                one = first(model.embedding(token)[0], one)
                two = second(one[0], two)
                h = two[0]
            else:
                h, one = model.first(model.embedding(token), one)
                h, two = model.second(h, two)
                h = h[-1]
            token = torch.multinomial(torch.softmax(model.head(h), -1), 1)

    return step, tokens


torch.set_num_threads(int(sys.argv[2]))
torch.set_num_interop_threads(1)
torch.manual_seed(0)
step, units = {"w1": w1, "w2": w2, "w3": lambda: w3(False), "w3cell": lambda: w3(True)}[sys.argv[1]]()
print("ready", flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    step()
    print((time.perf_counter() - begun) * 1e3 / units, flush=True)
