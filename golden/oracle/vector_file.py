"""Oracle vectors as files: safetensors with the operation's name and parameters as metadata."""
import json
import struct
from pathlib import Path

import numpy
import torch

TYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "uint8": "U8"}
LONG = 2000  # numbers
LARGEST = 1_000_000  # bytes: these files live in git


def exact(tensor):
    """Rounded to what float32 holds, kept in float64: every program starts from the same numbers."""
    return tensor.to(torch.float32).to(torch.float64)


def as_array(name, value):
    """Inputs and weights hold float32 values and are stored so. Answers keep their float64, but for
    the longest: rounding those to float32 moves them by a 300th of the tolerance."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else numpy.asarray(value)
    if array.dtype == numpy.bool_:
        array = array.astype(numpy.uint8)
    narrow = name.startswith(("in.", "param.")) or array.size > LONG
    if array.dtype == numpy.float64 and narrow:
        array = array.astype(numpy.float32)
    return numpy.ascontiguousarray(array)


def write(path, op, params, tensors, largest=LARGEST):
    header = {"__metadata__": {
        "op": op,
        "params": json.dumps(params, sort_keys=True),
        "oracle": f"torch {torch.__version__} float64",
    }}
    blocks, offset = [], 0
    for name, value in tensors.items():
        array = as_array(name, value)
        header[name] = {"dtype": TYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        blocks.append(array.tobytes())
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    size = 8 + len(text) + offset
    if size > largest:
        raise ValueError(f"{path}: {size} bytes, {largest} at most")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class Cases:
    """Numbers the cases of each operation: folder/op-01.safetensors, op-02, ..."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.count = {}

    def add(self, op, params, tensors):
        self.count[op] = self.count.get(op, 0) + 1
        write(self.folder / f"{op}-{self.count[op]:02d}.safetensors", op, params, tensors)
