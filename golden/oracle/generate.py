#!/usr/bin/env python3
"""Make the oracle vectors of this folder anew:

    python3 golden/oracle/generate.py

Needs PyTorch >= 1.13 and torchvision >= 0.14; neither the build nor the tests do. Everything is
computed in float64 from inputs that float32 holds exactly, from fixed seeds: the same versions give
the same files. `--only ops` or `--only models` makes a part, `--out DIR` writes elsewhere.
"""
import argparse
from pathlib import Path

import torch

import boxes
import layers
import losses
import models
import training
from vector_file import Cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", choices=["ops", "models"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.only != "models":
        cases = Cases(args.out / "ops")
        for family in (layers, boxes, losses, training):
            family.generate(cases)
        print(sum(cases.count.values()), "cases in", cases.folder)
    if args.only != "ops":
        cases = Cases(args.out / "models")
        models.generate(cases)
        print(sum(cases.count.values()), "cases in", cases.folder)


if __name__ == "__main__":
    main()
