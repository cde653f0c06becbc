"""Box algebra, matching and suppression by torchvision."""
import math

import torch
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou, clip_boxes_to_image, nms

from vector_file import exact

CLIP = math.log(1000.0 / 16)


def random_boxes(g, n, size=100.0, least=1.0):
    corner = torch.rand(n, 2, generator=g, dtype=torch.float64) * size
    side = torch.rand(n, 2, generator=g, dtype=torch.float64) * size * 0.5 + least
    return exact(torch.cat([corner, corner + side], 1))


def coding(cases, g):
    for n, weights, size in [(25, [1.0, 1.0, 1.0, 1.0], 100.0), (30, [10.0, 10.0, 5.0, 5.0], 40.0),
                             (8, [2.0, 0.5, 3.0, 7.0], 1000.0), (0, [1.0, 1.0, 1.0, 1.0], 10.0)]:
        boxes, truth = random_boxes(g, n, size), random_boxes(g, n, size)
        if n:
            truth[0] = boxes[0]  # nothing to move
        coder = BoxCoder(weights)
        params = {"weights": weights}
        cases.add("box_encode", params, {"in.boxes": boxes, "in.gt": truth,
                                         "out.deltas": coder.encode_single(truth, boxes)})
        deltas = exact(torch.randn(n, 4, generator=g, dtype=torch.float64) *
                       torch.tensor(weights, dtype=torch.float64))
        if n:
            deltas[0] = 0.0
            deltas[1, 2:] = torch.tensor([60.0, 1000.0]) * weights[2]  # cut at the clip
            deltas[2, 2:] = -60.0  # down to nothing
        decoded = coder.decode_single(deltas, boxes) if n else boxes
        cases.add("box_decode", {**params, "clip": CLIP},
                  {"in.boxes": boxes, "in.deltas": deltas, "out.boxes": decoded})


def overlaps(cases, g):
    known = torch.tensor([
        [0, 0, 10, 10], [0, 0, 10, 10],  # the same
        [10, 0, 20, 10], [2, 2, 4, 4],   # touching, inside
        [5, 5, 15, 15], [30, 30, 31, 90], [7, 7, 7, 9],  # overlapping, thin, no area
    ], dtype=torch.float64)
    for a, b in [(known, known[:6]), (random_boxes(g, 40), random_boxes(g, 3)),
                 (random_boxes(g, 1), random_boxes(g, 17)), (random_boxes(g, 5), known[:0]),
                 (random_boxes(g, 20, 5000.0), random_boxes(g, 20, 5000.0))]:
        cases.add("box_iou", {}, {"in.a": a, "in.b": b, "out.iou": box_iou(a, b)})
    for h, w, n in [(33, 90, 40), (1, 1, 5), (480, 640, 0)]:
        boxes = exact((random_boxes(g, n) - 40.0) * 2.0)
        cases.add("clip_boxes", {"image_h": h, "image_w": w},
                  {"in.boxes": boxes, "out.boxes": clip_boxes_to_image(boxes, (h, w))})


def anchors(cases):
    for sizes, ratios, strides, h, w in [
        ([8, 16, 32, 64, 128], [0.5, 1.0, 2.0], [4, 8, 16, 32, 64], 64, 64),
        ([32, 64], [1.0], [8, 16], 48, 80),
        ([10, 33, 77], [0.3, 1.0, 1.7, 4.0], [4, 8, 16], 32, 16),
        ([24], [0.5, 2.0], [16], 160, 32),
    ]:
        maker = AnchorGenerator([(s,) for s in sizes], [tuple(ratios)] * len(sizes))
        maps = [torch.zeros(1, 1, h // s, w // s, dtype=torch.float64) for s in strides]
        images = ImageList(torch.zeros(1, 3, h, w, dtype=torch.float64), [(h, w)])
        cases.add("anchors", {"sizes": sizes, "aspect_ratios": ratios, "strides": strides,
                              "image_h": h, "image_w": w}, {"out.anchors": maker(images, maps)[0]})


def matching(cases, g):
    # Thresholds and IoUs that float32 holds, so that "equal to" means the same everywhere.
    for rows, n, high, low, low_quality in [
        (3, 100, 0.75, 0.25, True), (3, 100, 0.75, 0.25, False), (6, 300, 0.5, 0.5, False),
        (1, 1, 0.75, 0.25, True), (12, 40, 0.625, 0.375, True),
    ]:
        iou = torch.randint(0, 17, (rows, n), generator=g).double() / 16  # full of ties
        sparse = torch.rand(rows, n, generator=g) < 0.3
        iou = torch.where(sparse, iou, iou * 0.25)
        matcher = Matcher(high, low, allow_low_quality_matches=low_quality)
        cases.add("match", {"high": high, "low": low, "allow_low_quality": low_quality},
                  {"in.iou": iou, "out.matches": matcher(iou.clone())})
    weak = exact(torch.rand(4, 60, generator=g, dtype=torch.float64) * 0.2)  # only forced matches
    weak[2] = 0.0  # a row that nothing meets takes every column
    matcher = Matcher(0.75, 0.25, allow_low_quality_matches=True)
    cases.add("match", {"high": 0.75, "low": 0.25, "allow_low_quality": True},
              {"in.iou": weak, "out.matches": matcher(weak.clone())})
    cases.add("match", {"high": 0.5, "low": 0.5, "allow_low_quality": False},
              {"in.iou": torch.zeros(0, 30, dtype=torch.float64),
               "out.matches": torch.full((30,), -1)})


def margin(boxes, threshold):
    """How near a pair's IoU comes to the threshold, other than being equal to it."""
    distance = (box_iou(boxes, boxes) - threshold).abs()
    distance = distance[distance > 0]
    return float(distance.min()) if distance.numel() else 1.0


def nms_by_class(boxes, scores, classes, threshold):
    """Class by class, then best first; ties go to the lower index."""
    kept = torch.zeros(len(boxes), dtype=torch.bool)
    for k in classes.unique():
        members = torch.where(classes == k)[0]
        kept[members[nms(boxes[members], scores[members], threshold)]] = True
    keep = torch.where(kept)[0]
    return keep[torch.sort(scores[keep], descending=True, stable=True)[1]]


def suppression(cases, g):
    for n, threshold, levels, n_classes in [(80, 0.5, 0, 4), (150, 0.25, 12, 3), (60, 0.0, 5, 1),
                                            (40, 0.75, 1, 7), (1, 0.5, 0, 1), (200, 0.5, 3, 90)]:
        while True:
            boxes = random_boxes(g, n, 60.0)
            boxes[n // 2:] = boxes[torch.randint(0, n, (n - n // 2,), generator=g)]  # twins
            if margin(boxes, threshold) > 1e-5:
                break
        scores = exact(torch.rand(n, generator=g, dtype=torch.float64))
        if levels:
            scores = (scores * levels).floor() / 16  # ties in score
        classes = torch.randint(0, n_classes, (n,), generator=g)
        tensors = {"in.boxes": boxes, "in.scores": scores}
        params = {"iou_threshold": threshold}
        cases.add("nms", params, {**tensors, "out.keep": nms(boxes, scores, threshold)})
        cases.add("batched_nms", params, {**tensors, "in.classes": classes,
                                          "out.keep": nms_by_class(boxes, scores, classes,
                                                                   threshold)})
    # IoU exactly at the threshold (kept: it must exceed it), and boxes without area.
    boxes = torch.tensor([[0, 0, 4, 4], [0, 0, 4, 2], [8, 8, 8, 8], [8, 8, 8, 8], [0, 0, 4, 4]],
                         dtype=torch.float64)
    scores = torch.tensor([0.5, 0.75, 0.25, 0.25, 0.5], dtype=torch.float64)
    cases.add("nms", {"iou_threshold": 0.5}, {"in.boxes": boxes, "in.scores": scores,
                                              "out.keep": nms(boxes, scores, 0.5)})
    none = {"in.boxes": boxes[:0], "in.scores": scores[:0], "out.keep": torch.zeros(0).long()}
    cases.add("batched_nms", {"iou_threshold": 0.5},
              {**none, "in.classes": torch.zeros(0).long()})


def generate(cases):
    g = torch.Generator().manual_seed(21)
    coding(cases, g)
    overlaps(cases, g)
    anchors(cases)
    matching(cases, g)
    suppression(cases, g)
