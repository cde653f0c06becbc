#!/usr/bin/env python3
"""Time `detcheck coco-eval` against pycocotools, side by side on the same made-up files.

    python3 -m venv venv && venv/bin/pip install numpy pycocotools
    venv/bin/python harness/time_coco_eval.py build/harness/detcheck

Both are timed as whole processes, from start to the printed summary, by turns; the medians and
their ratio are printed. Before that the 12 numbers of both must agree to 1e-9. Needed by no test.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HEIGHT, WIDTH = 240, 320

REFERENCE = """
import sys
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO(sys.argv[1])
evaluation = COCOeval(truth, truth.loadRes(sys.argv[2]), sys.argv[3])
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
print("STATS", evaluation.stats.tolist())
"""


def ellipse(box, points):
    import numpy as np
    x, y, w, h = box
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    xy = np.stack([x + w / 2 * (1 + np.cos(angle)), y + h / 2 * (1 + np.sin(angle))], 1)
    return xy.round(2).ravel().tolist()


def rle(box):
    from pycocotools import mask
    encoded = mask.frPyObjects([ellipse(box, 24)], HEIGHT, WIDTH)[0]
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def random_box(rng):
    w, h = rng.uniform(10, 100, 2)
    x, y = rng.uniform(0, WIDTH - w), rng.uniform(0, HEIGHT - h)
    return [round(float(v), 2) for v in (x, y, w, h)]


def near(rng, box):
    moved = [v + 4 * rng.standard_normal() for v in box]
    return [round(max(float(v), least), 2) for v, least in zip(moved, (0, 0, 3, 3))]


def make_files(folder, images, detections, categories):
    """Ground truth (polygons, one in fifty a crowd) and results, seven tenths near an object."""
    import numpy as np
    rng = np.random.default_rng(20)
    truth, boxes, masks = [], [], []
    for image in range(1, images + 1):
        objects = [(random_box(rng), int(rng.integers(1, categories + 1))) for _ in range(7)]
        for box, category in objects:
            crowd = int(rng.random() < 0.02)
            truth.append({"id": len(truth) + 1, "image_id": image, "category_id": category,
                          "bbox": box, "area": round(box[2] * box[3] * 0.75, 3), "iscrowd": crowd,
                          "segmentation": rle(box) if crowd else [ellipse(box, 12)]})
        for _ in range(detections):
            box, category = objects[rng.integers(len(objects))]
            box = near(rng, box)
            if rng.random() < 0.3:
                box, category = random_box(rng), int(rng.integers(1, categories + 1))
            result = {"image_id": image, "category_id": category, "score": float(rng.random())}
            boxes.append({**result, "bbox": box})
            masks.append({**result, "segmentation": rle(box)})
    listed = [{"id": i, "height": HEIGHT, "width": WIDTH, "file_name": f"{i}.png"}
              for i in range(1, images + 1)]
    named = [{"id": k, "name": f"class {k}"} for k in range(1, categories + 1)]
    contents = {"gt": {"images": listed, "categories": named, "annotations": truth},
                "bbox": boxes, "segm": masks}
    for name, content in contents.items():
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(content, file)


def timed(command):
    start = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - start, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detcheck")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=20, help="on each image")
    parser.add_argument("--categories", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of detcheck (default: its own)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        make_files(folder, options.images, options.detections, options.categories)
        truth = os.path.join(folder, "gt.json")
        for kind in ("bbox", "segm"):
            results = os.path.join(folder, kind + ".json")
            theirs = [sys.executable, "-c", REFERENCE, truth, results, kind]
            ours = [options.detcheck, "coco-eval", "--gt", truth, "--dt", results,
                    "--iou-type", kind]
            if options.threads:
                ours += ["--threads", str(options.threads)]
            want = json.loads(timed(theirs)[1].split("STATS")[1])
            got = json.loads(timed(ours + ["--json"])[1])[kind]["stats"]
            worst = max(abs(g - w) for g, w in zip(got, want))
            if not worst <= 1e-9:
                sys.exit(f"{kind}: the numbers differ by {worst}: {got}, want {want}")
            times = [(timed(theirs)[0], timed(ours)[0]) for _ in range(options.repeats)]
            reference, own = (statistics.median(t) for t in zip(*times))
            ratio = statistics.median(t / o for t, o in times)
            print(f"{kind}: pycocotools {reference:.2f} s, detcheck {own:.3f} s, "
                  f"{ratio:.1f} times as fast (medians of {options.repeats}); "
                  f"numbers agree to {worst:.1e}", flush=True)


if __name__ == "__main__":
    main()
