#!/usr/bin/env python3
"""Time detcheck's training step against torchvision's, side by side on the same images.

    apt-get install python3-torch python3-torchvision python3-pil
    /usr/bin/python3 harness/time_training_step.py build/harness/detcheck [--data lookalike]
        [--threads 1] [--rounds 3]

The tiny preset, batch 2, 128 px, images of a recipe, the same sample counts; detcheck with its own
default and with ground truth appended to the proposals, as torchvision always does; a step is zero
gradients, forward, backward, clip, SGD; images are loaded before the clock starts. They run by turns;
of the rounds the medians and the median ratio are printed, and the rounds themselves, for a machine
that is busy slows one down more than the other. Peak memory is torchvision's process's. Needed by no
test.
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZE, BATCH, STEPS = 128, 2, 50


def export(detcheck, recipe, folder):
    subprocess.run([detcheck, "dataset", "export", recipe, "--images", str(2 * STEPS),
                    "--image-size", str(SIZE), "--out", str(folder)], check=True,
                   stdout=subprocess.DEVNULL)


def time_detcheck(detcheck, recipe, threads, append):
    report = subprocess.run(
        [detcheck, "bench", "--json", "--steps", str(STEPS), "--threads", str(threads), "--data",
         recipe, "--set", f"image_size={SIZE}", "--set", f"train.batch_size={BATCH}", "--set",
         f"roi.append_ground_truth={append}"], check=True, capture_output=True, text=True)
    return 1e3 * json.loads(report.stdout)["training_step"]["median"]


def batches(folder):
    import numpy
    import torch
    from PIL import Image, ImageDraw
    annotations = json.loads((folder / "annotations.json").read_text())
    by_image = {}
    for a in annotations["annotations"]:
        by_image.setdefault(a["image_id"], []).append(a)
    samples = []
    for image in annotations["images"]:
        pixels = numpy.asarray(Image.open(folder / "images" / image["file_name"]).convert("RGB"))
        own = by_image.get(image["id"], [])
        boxes = torch.tensor([a["bbox"] for a in own], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        masks = torch.zeros(len(own), SIZE, SIZE, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist()):
            mask[y1:y2, x1:x2] = 1  # the cost does not depend on the shape
        labels = torch.tensor([a["category_id"] for a in own], dtype=torch.int64)
        samples.append((torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255,
                        {"boxes": boxes, "labels": labels, "masks": masks}))
    return [samples[i:i + BATCH] for i in range(0, len(samples), BATCH)]


def peer(folder, threads):
    """In a process of its own: medians of torchvision's training step, as JSON on stdout."""
    import torch
    sys.path.insert(0, str(ROOT / "golden" / "oracle"))
    import models
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    data = batches(folder)
    classes = max(int(t["labels"].max()) for b in data for _, t in b if len(t["labels"]))
    model = models.build({**models.DEFAULTS, "width": 16, "fpn": 64, "fc": 128, "mask_ch": 64,
                          "classes": classes, "pre_nms": 200, "post_nms": 60}).float().train()
    model.transform.min_size, model.transform.max_size = (SIZE,), SIZE
    model.rpn.fg_bg_sampler.batch_size_per_image = 64
    model.roi_heads.fg_bg_sampler.batch_size_per_image = 64
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9, weight_decay=1e-4)
    seconds = []
    for batch in data:
        start = time.perf_counter()
        optimizer.zero_grad()
        sum(model([x for x, _ in batch], [t for _, t in batch]).values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"ms": 1e3 * statistics.median(seconds[5:]), "peak_kb": peak,
                      "torch": torch.__version__}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detcheck", help="the program, or with --peer the folder of images")
    parser.add_argument("--data", default="lookalike", help="recipe (default: lookalike)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(pathlib.Path(options.detcheck), options.threads)
    ours, theirs = {"false": [], "true": []}, []
    with tempfile.TemporaryDirectory() as folder:
        export(options.detcheck, options.data, pathlib.Path(folder))
        for _ in range(options.rounds):
            for append, ms in ours.items():
                ms.append(time_detcheck(options.detcheck, options.data, options.threads, append))
            report = subprocess.run([sys.executable, __file__, "--peer", folder, "--threads",
                                     str(options.threads)], check=True, capture_output=True,
                                    text=True)
            theirs.append(json.loads(report.stdout))
    torch_ms = [t["ms"] for t in theirs]
    for what, ms in zip(("defaults", "appended"), ours.values()):
        ratio = statistics.median(t / o for t, o in zip(torch_ms, ms))
        print(f"detcheck, {what}  {statistics.median(ms):7.1f} ms a step, torchvision's "
              f"{ratio:.1f} times as long   {[round(x, 1) for x in ms]}")
    print(f"torchvision         {statistics.median(torch_ms):7.1f} ms a step   "
          f"{[round(x, 1) for x in torch_ms]}   torch {theirs[0]['torch']}, "
          f"peak {max(t['peak_kb'] for t in theirs) / 1024:.0f} MiB")
    return None


if __name__ == "__main__":
    sys.exit(main())
