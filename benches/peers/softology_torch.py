#!/usr/bin/env python3
"""The article's network in PyTorch, with Keras' initialisation and normalisation: how its curve goes on.

    cargo xtask bench words FOLDER > words.json
    softology_torch.py words.json SEED SECONDS > curve.jsonl

A line an epoch: training figures as the article's plot has them (means over the epoch, dropout on), and those of the validation
pieces, which the article does not have. Uses a GPU where there is one. Needs `pip install torch`.
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

WINDOW, BATCH = 100, 50
device = "cuda" if torch.cuda.is_available() else "cpu"


def lstm(inputs, cells):
    """Glorot's bound over all four gates, orthogonal recurrent weights, forget gates at 1."""
    layer = nn.LSTM(inputs, cells)
    bound = (6 / (inputs + 4 * cells)) ** 0.5
    nn.init.uniform_(layer.weight_ih_l0, -bound, bound)
    recurrent = nn.init.orthogonal_(torch.empty(cells, 4 * cells))
    with torch.no_grad():
        layer.weight_hh_l0.copy_(recurrent.t())
        for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
            bias.zero_()
        layer.bias_ih_l0[cells:2 * cells] = 1
    return layer


class Softology(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first, self.second = lstm(1, 512), lstm(512, 256)
        self.norms = nn.ModuleList(nn.BatchNorm1d(n, eps=1e-3, momentum=0.01) for n in (512, 256, 128))
        self.dense, self.out = nn.Linear(256, 128), nn.Linear(128, classes)
        for layer in (self.dense, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        drop = lambda y: F.dropout(y, 0.2, self.training)
        y = drop(self.first(x)[0])
        y = self.norms[0](y.flatten(0, 1)).view_as(y)
        y = self.norms[1](drop(self.second(y)[0][-1]))
        return self.out(self.norms[2](drop(F.relu(self.dense(y)))))


def main():
    words, seed, seconds = json.load(open(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])
    torch.manual_seed(seed)
    classes = words["vocabulary"]
    train, valid = (torch.tensor(words[k], device=device).unfold(0, WINDOW + 1, 1) for k in ("train", "valid"))
    net = Softology(classes).to(device)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)

    def figures(windows):
        x = (windows[:, :WINDOW].float() / classes).t().unsqueeze(-1).contiguous()
        logits, target = net(x), windows[:, WINDOW]
        return F.cross_entropy(logits, target, reduction="sum"), (logits.argmax(-1) == target).sum()

    begun = time.time()
    for epoch in range(1, 501):
        sums = torch.zeros(4, device=device)
        net.train()
        for rows in torch.randperm(len(train), device=device).split(BATCH):
            nats, right = figures(train[rows])
            adam.zero_grad()
            (nats / len(rows)).backward()
            adam.step()
            sums[:2] += torch.stack([nats.detach(), right])
        net.eval()
        with torch.no_grad():
            for windows in valid.split(500):
                sums[2:] += torch.stack(figures(windows))
        means = (sums / torch.tensor([len(train)] * 2 + [len(valid)] * 2, device=device)).tolist()
        names = ("train_nats", "train_right", "valid_nats", "valid_right")
        line = {"epoch": epoch, "seconds": round(time.time() - begun, 1)} | dict(zip(names, (round(m, 4) for m in means)))
        print(json.dumps(line), flush=True)
        if time.time() - begun > seconds:
            break


main()
