#!/usr/bin/env python3
"""Make golden/oracle/coco: scenes in COCO's format and what pycocotools says about them.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 pycocotools==2.0.11
    venv/bin/python golden/oracle/generate_coco.py golden/oracle/coco

Each case is a folder with gt.json, dt.json and expected.json. For bbox and segm, expected.json
holds the 12 stats, AP per class, and, at all areas and 100 detections, the precision at IoU 0.5
[101, classes] and the recall [10, classes]. A result with a box beside its mask is evaluated for
segm without the box, so that its area is the mask's.
"""
import contextlib
import copy
import io
import json
import os
import sys
from importlib.metadata import version

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


class Scene:
    """Ground truth and results of one case, with the random numbers to make them."""

    def __init__(self, seed, images, classes, size=(90, 140)):
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.sizes = {i + 1: (int(self.rng.integers(*size)), int(self.rng.integers(*size)))
                      for i in range(images)}
        self.categories = [{"id": k + 1, "name": f"thing {k + 1}"} for k in range(classes)]
        self.annotations, self.results = [], []

    def box(self, image, least=6, most=60):
        h, w = self.sizes[image]
        bw, bh = (float(v) for v in self.rng.uniform(least, most, 2))
        bw, bh = min(bw, w - 2.0), min(bh, h - 2.0)
        return [round(float(v), 2) for v in (self.rng.uniform(0, w - bw),
                                             self.rng.uniform(0, h - bh), bw, bh)]

    def moved(self, image, box, by):
        h, w = self.sizes[image]
        x, y, bw, bh = (v + by * self.rng.standard_normal() for v in box)
        x, y = min(max(x, 0), w - 4), min(max(y, 0), h - 4)
        return [round(float(v), 2) for v in (x, y, min(max(bw, 3), w - x), min(max(bh, 3), h - y))]

    def outline(self, box, corners):
        x, y, w, h = box
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + self.rng.uniform(0, 0.5)
        radius = self.rng.uniform(0.95, 1.05, corners)
        xy = np.stack([x + w / 2 * (1 + radius * np.cos(angle)),
                       y + h / 2 * (1 + radius * np.sin(angle))], 1)
        return xy.round(2).ravel().tolist()

    def pixels(self, image, box):
        """An ellipse, sometimes with a hole."""
        h, w = self.sizes[image]
        x, y, bw, bh = box
        yy, xx = np.mgrid[0:h, 0:w] + 0.5
        far = ((xx - x - bw / 2) / (bw / 2)) ** 2 + ((yy - y - bh / 2) / (bh / 2)) ** 2
        return (far <= 1) & (far >= (0.05 if self.rng.random() < 0.3 else 0))

    def compressed(self, image, box):
        encoded = rle.encode(np.asfortranarray(self.pixels(image, box).astype(np.uint8)))
        return {"size": encoded["size"], "counts": encoded["counts"].decode()}

    def uncompressed(self, image, box):
        flat = self.pixels(image, box).ravel(order="F").astype(int)
        ends = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
        return {"size": list(self.sizes[image]), "counts": ([0] if flat[0] else []) + counts}

    def segmentation(self, image, box, kind):
        if kind == "polygon":
            return [self.outline(box, int(self.rng.integers(8, 15)))]
        if kind == "parts":
            x, y, w, h = box
            return [self.outline([x, y, 0.8 * w, h], 9),
                    self.outline([x + w / 5, y, 0.8 * w, h], 11)]
        return getattr(self, kind)(image, box)

    def add_object(self, image, category, box, crowd=0, kind=None):
        kind = kind or ("uncompressed" if crowd else str(self.rng.choice(["polygon", "parts"])))
        segmentation = self.segmentation(image, box, kind)
        h, w = self.sizes[image]
        mask = segmentation if kind == "compressed" else rle.frPyObjects(segmentation, h, w)
        if isinstance(mask, list):
            mask = rle.merge(mask)
        self.annotations.append({
            "id": len(self.annotations) + 1, "image_id": image, "category_id": category,
            "bbox": box, "area": float(rle.area(mask)), "iscrowd": crowd,
            "segmentation": segmentation})

    def add_result(self, image, category, box, score, keys=("bbox", "segmentation")):
        result = {"image_id": image, "category_id": category, "score": float(score)}
        if "bbox" in keys:
            result["bbox"] = box
        if "segmentation" in keys:
            result["segmentation"] = self.compressed(image, box)
        self.results.append(result)

    def fill(self, objects, results, by=2.5, score=None, keys=("bbox", "segmentation")):
        """Objects on two images of three; results near an object, every fourth anywhere."""
        score = score or (lambda: self.rng.random())
        classes = len(self.categories)
        for image in self.sizes:
            here = [(self.box(image), int(self.rng.integers(1, classes + 1)))
                    for _ in range(objects if image % 3 else 0)]
            for box, category in here:
                self.add_object(image, category, box)
            for _ in range(results):
                box, category = self.box(image), int(self.rng.integers(1, classes + 1))
                if here and self.rng.random() < 0.75:
                    box, category = here[self.rng.integers(len(here))]
                    box = self.moved(image, box, by)
                self.add_result(image, category, box, score(), keys)
        return self

    def truth(self):
        images = [{"id": i, "height": h, "width": w, "file_name": f"{i}.png"}
                  for i, (h, w) in self.sizes.items()]
        return {"images": images, "categories": self.categories, "annotations": self.annotations}


def mixed():
    return Scene(101, 9, 3).fill(5, 8)


def masks_only():
    return Scene(102, 7, 2).fill(4, 6, keys=("segmentation",))


def boxes_only():
    return Scene(103, 8, 4).fill(6, 9, keys=("bbox",))


def three_scores():
    scene = Scene(104, 10, 2)
    return scene.fill(4, 9, score=lambda: scene.rng.choice([0.25, 0.5, 0.75]))


def crowds():
    scene = Scene(105, 8, 2).fill(3, 10)
    for image in scene.sizes:
        box = scene.box(image, 40, 80)
        category = int(scene.rng.integers(1, 3))
        kind = str(scene.rng.choice(["compressed", "uncompressed"]))
        scene.add_object(image, category, box, 1, kind)
        for _ in range(4):
            x, y = (box[i] + scene.rng.uniform(0, box[i + 2] / 2) for i in (0, 1))
            inside = [round(float(v), 2) for v in (x, y, box[2] / 3, box[3] / 3)]
            scene.add_result(image, category, inside, scene.rng.random())
    return scene


def beyond_the_cap():
    """The 100 best of an image and class count; the object's own result is among the others."""
    scene = Scene(106, 2, 1)
    for image in scene.sizes:
        boxes = [scene.box(image) for _ in range(12)]
        for box in boxes:
            scene.add_object(image, 1, box)
        for i in range(130):
            box = scene.moved(image, boxes[i % 12], 1.5) if i % 3 else scene.box(image)
            scene.add_result(image, 1, box, round(scene.rng.random(), 2))
    return scene


def scattered_ids():
    """Ids with gaps, in no order; so are the entries."""
    scene = Scene(107, 9, 3).fill(4, 7)
    scene.sizes = {i * 7919 % 1000 + 40: size for i, size in scene.sizes.items()}
    kinds = {1: 90, 2: 7, 3: 23}
    for row in scene.annotations + scene.results:
        row["image_id"] = row["image_id"] * 7919 % 1000 + 40
        row["category_id"] = kinds[row["category_id"]]
    for category in scene.categories:
        category["id"] = kinds[category["id"]]
    for row in scene.annotations:
        row["id"] = 5000000000 - 13 * row["id"]
    scene.rng.shuffle(scene.annotations)
    scene.rng.shuffle(scene.results)
    scene.sizes = dict(sorted(scene.sizes.items(), key=lambda item: item[0] * 31 % 97))
    return scene


def classes_apart():
    """Class 1 has no results, class 2 no objects, class 4 neither; some rows are of no class."""
    scene = Scene(108, 6, 4).fill(5, 8)
    scene.annotations = [a for a in scene.annotations if a["category_id"] not in (2, 4)]
    scene.results = [r for r in scene.results if r["category_id"] not in (1, 4)]
    for rows in (scene.annotations, scene.results):
        rows[-1]["category_id"] = 77
    return scene


def area_borders():
    """Objects of 32 x 32 and 96 x 96 pixels and a hair more or less."""
    scene = Scene(109, 4, 1, size=(250, 260))
    for image in scene.sizes:
        for i, side in enumerate((31.99, 32, 32.01, 95.99, 96, 96.01)):
            x = 2.0 + 40 * i if i < 3 else 2.0 + 75 * (i - 3)
            box = [x, 5.0 + 60 * (i // 3), side, side]
            scene.add_object(image, 1, box, kind="compressed")
            scene.annotations[-1]["area"] = side * side
            scene.add_result(image, 1, scene.moved(image, box, 1), scene.rng.random())
            scene.add_result(image, 1, scene.box(image, 20, 110), scene.rng.random())
    return scene


def annotation_zero():
    """pycocotools takes a match with annotation 0 for none."""
    scene = Scene(110, 3, 1).fill(4, 6, by=1)
    for row in scene.annotations:
        row["id"] -= 1
    return scene


def truth_as_results():
    scene = Scene(111, 6, 3).fill(6, 0)
    for row in scene.annotations:
        image = row["image_id"]
        segmentation = rle.merge(rle.frPyObjects(row["segmentation"], *scene.sizes[image]))
        scene.results.append({
            "image_id": image, "category_id": row["category_id"], "bbox": row["bbox"],
            "segmentation": {"size": segmentation["size"],
                             "counts": segmentation["counts"].decode()},
            "score": float(scene.rng.random())})
    return scene


def odd_polygons():
    """Vertices outside the image, on half pixels, repeated; slivers; a line beside a polygon."""
    scene = Scene(112, 6, 1).fill(0, 0)
    for image, (h, w) in scene.sizes.items():
        shapes = [[[-5.5, -3.25, w / 2, -8, w / 2, h / 2, -4, h / 2]],
                  [[w - 20.5, h - 30.5, w + 9, h - 30.5, w + 9, h + 9, w - 20.5, h + 9]],
                  [[10.5, 60.5, 10.5, 60.5, 50.5, 60.5, 50.5, 80.5, 50.5, 80.5, 10.5, 80.5]],
                  [[60.1, 10.2, 85.3, 10.9, 60.2, 12.4]],
                  [[58, 40, 78.5, 40, 78.5, 55.25, 58, 55.25], [58, 60, 70, 66]]]
        for shape in shapes:
            mask = rle.merge(rle.frPyObjects(shape, h, w))
            box = [float(v) for v in rle.toBbox(mask)]
            scene.add_object(image, 1, box)
            scene.annotations[-1].update(segmentation=shape, area=float(rle.area(mask)))
            scene.add_result(image, 1, scene.moved(image, box, 1.5), scene.rng.random())
    return scene


CASES = {case.__name__: case for case in (
    mixed, masks_only, boxes_only, three_scores, crowds, beyond_the_cap, scattered_ids,
    classes_apart, area_borders, annotation_zero, truth_as_results, odd_polygons)}


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def answer(truth, results, kind):
    results = copy.deepcopy(results)
    if kind == "segm":
        for result in results:
            if "segmentation" in result:
                result.pop("bbox", None)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = copy.deepcopy(truth)
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision, recall = (evaluation.eval[key] for key in ("precision", "recall"))
    return {"stats": evaluation.stats.tolist(),
            "per_class_ap": [mean(precision[:, :, k, 0, 2]) for k in range(precision.shape[2])],
            "recall": recall[:, :, 0, 2].tolist(),
            "precision_iou50": precision[0, :, :, 0, 2].tolist()}


def write(folder, name, content):
    with open(os.path.join(folder, name), "w") as file:
        json.dump(content, file, separators=(",", ":"))
        file.write("\n")


def main():
    for name, make in CASES.items():
        scene = make()
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        truth = scene.truth()
        expected = {"made_by": {"pycocotools": version("pycocotools"), "numpy": np.__version__,
                                "seed": scene.seed}}
        for kind in ("bbox", "segm"):
            expected[kind] = answer(truth, scene.results, kind)
        write(folder, "gt.json", truth)
        write(folder, "dt.json", scene.results)
        write(folder, "expected.json", expected)
        print(f"{name}: {len(scene.annotations)} objects, {len(scene.results)} results, "
              f"AP {expected['bbox']['stats'][0]:.3f} {expected['segm']['stats'][0]:.3f}")


if __name__ == "__main__":
    main()
