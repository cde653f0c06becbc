#!/usr/bin/env python3
"""Weights go both ways between detcheck and torchvision: interchange.py DETCHECK.

What torchvision makes (the tiny model; maskrcnn_resnet50_fpn), randomly initialised, detcheck
starts from; what detcheck saves, torchvision loads with strict=True. After either, one training step
and one inference by torchvision in float64 are put into an oracle vector, and `detcheck verify` must
find the same losses and detections to 1e-4 (of the largest answer of a kind, at least of 1). Exit
status 77 without torchvision.

Gradients are held to the oracle's own tolerance for the tiny model. In an untrained r50 millions of
ReLUs leave some within rounding of 0, so that torch's float32 gradients are off by 1e-3 themselves,
and mask logits of some hundreds make the masks' edges as uncertain: these are only printed.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy
    import torch
    import torchvision
except ImportError:
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "golden" / "oracle"))
import models  # noqa: E402
from vector_file import TYPES, exact, write  # noqa: E402

NUMPY = {name: numpy.dtype(numpy_name) for numpy_name, name in TYPES.items()}
TINY = {"width": 16, "fpn": 64, "fc": 128, "mask_ch": 64, "height": 128, "canvas_width": 128,
        "post_nms": 60}
R50 = {"block": "bottleneck", "layers": [3, 4, 6, 3], "width": 64, "norm": "frozen_bn", "fpn": 256,
       "fc": 1024, "mask_convs": 4, "mask_ch": 256, "anchors": [32, 64, 128, 256, 512],
       "height": 64, "canvas_width": 64, "roi_batch": 64, "post_nms": 60}


def read(path):
    """The tensors of a safetensors file."""
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            flat = numpy.frombuffer(data[begin:end], NUMPY[entry["dtype"]])
            tensors[name] = torch.from_numpy(flat.reshape(entry["shape"]).copy())
    return tensors


def detcheck(*arguments, good=(0,)):
    done = subprocess.run([sys.argv[1], *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode not in good:
        sys.exit(f"detcheck {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def train(out, preset, steps, lr, weights=None):
    """A short run; returns the weights of its checkpoint. A few steps need not be healthy."""
    arguments = ["train", "--out", out, "--set", f"model.preset={preset}", "--set", f"image_size={64 if preset == 'r50' else 128}",
                 "--set", "train.batch_size=2", "--set", f"schedule.steps={steps}",
                 "--set", "schedule.warmup_steps=0", "--set", f"optimizer.lr={lr}",
                 "--set", "eval.images=1", "--set", "eval.batch_size=1"]
    detcheck(*arguments, *(["--weights", weights] if weights else []), good=(0, 1))
    return {k: v for k, v in read(out / "checkpoint.safetensors").items()
            if not k.startswith("optimizer.")}


def resnet50(p):
    """torchvision's own model with its own random weights. Untrained, it is built with batch norm:
    its weights go into the same model with frozen norms, which is what training uses."""
    plain = torchvision.models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=p["classes"] + 1)
    backbone = torchvision.models.detection.backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=models.FrozenBatchNorm2d,
        trainable_layers=5)
    frozen = torchvision.models.detection.MaskRCNN(
        backbone, num_classes=p["classes"] + 1,
        rpn_pre_nms_top_n_train=p["pre_nms"], rpn_pre_nms_top_n_test=p["pre_nms"],
        rpn_post_nms_top_n_train=p["post_nms"], rpn_post_nms_top_n_test=p["post_nms"])
    frozen.load_state_dict({k: v for k, v in plain.state_dict().items()
                            if not k.endswith("num_batches_tracked")}, strict=True)
    return frozen.double()


def judge(name, report, with_gradients):
    """Every tensor to 1e-4, five times the oracle's tolerance of 2e-5."""
    worst = (0.0, "")
    for tensor in report["cases"][0]["tensors"]:
        gradient = tensor["tensor"].startswith(("grad.", "out.grad_norm"))
        lenient = not with_gradients and (gradient or tensor["tensor"].startswith("eval.masks"))
        allowed = tensor["tolerance"] * (1 if gradient else 5)
        if tensor["error"] is None or tensor["error"] > allowed:
            line = f"{tensor['tensor']}: error {tensor['error']}, allowed {allowed:.1e}"
            if not lenient:
                sys.exit(f"{name}: {line}")
            print(f"{name}: not judged: {line}")
        elif tensor["tolerance"]:
            worst = max(worst, (tensor["error"] / tensor["tolerance"] * 2e-5, tensor["tensor"]))
    print(f"{name}: the same, worst {worst[0]:.1e} in {worst[1]}")


def verify(folder, name, model, p, with_gradients=True):
    """torchvision's step and detections from these weights, against detcheck's. Scenes in which
    float32 would decide otherwise are passed over."""
    model.load_state_dict({k: exact(v) for k, v in model.state_dict().items()}, strict=True)
    seed = 100
    while True:
        g = torch.Generator().manual_seed(seed)
        images, truth = models.scenes(g, p, [2, 3])
        tensors, step = models.step_vector(model.train(), p, images, [0, 1], truth)
        if not step.tied and models.decisions_hold(model, p, images, [0, 1], truth, step.out):
            break
        seed += 1
    path = folder / "step.safetensors"
    write(path, "model_step", models.params_of(p), tensors, largest=2 ** 33)
    judge(name, json.loads(detcheck("verify", "--json", path, good=(0, 1))), with_gradients)
    path.unlink()


def round_trip(folder, name, preset, model):
    """torchvision's weights through a step of detcheck that moves nothing: the same bits."""
    state = {k: v.float() for k, v in model.state_dict().items()}
    path = folder / f"{name}.weights.safetensors"
    write(path, "weights", {}, state, largest=2 ** 33)
    back = train(folder / f"{name}.run", preset, 1, 0, weights=path)
    model.load_state_dict({k: v.double() for k, v in back.items()}, strict=True)
    moved = [k for k in state if not torch.equal(state[k], back[k])]
    if moved:
        sys.exit(f"{name}: {moved[0]} and {len(moved) - 1} more came back changed")
    print(f"{name}: {len(state)} tensors there and back, bit for bit")


def main():
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trained = train(folder / "trained", "tiny", 5, 0.01)
        classes = len(trained["roi_heads.box_predictor.cls_score.weight"]) - 1
        tiny = {**models.DEFAULTS, **TINY, "classes": classes}
        model = models.build(tiny)
        round_trip(folder, "tiny", "tiny", model)
        verify(folder, "tiny from torchvision", model, tiny)
        model.load_state_dict({k: v.double() for k, v in trained.items()}, strict=True)
        verify(folder, "tiny trained by detcheck", model, tiny)
        r50 = {**models.DEFAULTS, **R50, "classes": classes}
        model = resnet50(r50)
        round_trip(folder, "r50", "r50", model)
        verify(folder, "r50 from torchvision", model, r50, with_gradients=False)


if __name__ == "__main__":
    main()
