"""The whole detector: torchvision's Mask R-CNN over a body of any width, with our sampler and our
weighted, averaged losses. One training step in full, and short runs of SGD."""
import copy
import math

import numpy
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import paste_masks_in_image, project_masks_on_boxes
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FeaturePyramidNetwork, box_iou
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from torchvision.ops.misc import FrozenBatchNorm2d

from losses import blobs
from vector_file import exact

MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).reshape(1, 3, 1, 1)


def normalised(images):
    return ((images - MEAN) / STD).to(images.dtype)


DEFAULTS = {
    "block": "basic", "layers": [1, 1, 1, 1], "width": 4, "norm": "gn", "gn_groups": 8, "fpn": 8,
    "fc": 16, "mask_convs": 2, "mask_ch": 8, "anchors": [8, 16, 32, 64, 128], "classes": 3,
    "height": 64, "canvas_width": 64, "rpn_batch": 64, "roi_batch": 32, "pre_nms": 200,
    "post_nms": 100, "rpn_cls_pos_weight": 5.0, "roi_cls_pos_weight": 3.0, "seed": 7, "step": 0,
}


# ---- the model ----

class Body(nn.Module):
    """A ResNet whose stem has `width` channels."""

    def __init__(self, block, depths, width, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = norm(width)
        self.channels = width
        for i, depth in enumerate(depths):
            setattr(self, f"layer{i + 1}", self.stage(block, depth, width << i, 2 if i else 1, norm))

    def stage(self, block, depth, planes, stride, norm):
        blocks = []
        for _ in range(depth):
            out = planes * block.expansion
            shortcut = None
            if stride != 1 or self.channels != out:
                shortcut = nn.Sequential(nn.Conv2d(self.channels, out, 1, stride, bias=False),
                                         norm(out))
            blocks.append(block(self.channels, planes, stride, shortcut, norm_layer=norm))
            self.channels, stride = out, 1
        return nn.Sequential(*blocks)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = {}
        for i in range(4):
            x = getattr(self, f"layer{i + 1}")(x)
            maps[str(i)] = x
        return maps


class Backbone(nn.Module):
    def __init__(self, p):
        super().__init__()
        block = {"basic": BasicBlock, "bottleneck": Bottleneck}[p["block"]]
        norm = FrozenBatchNorm2d if p["norm"] == "frozen_bn" else (
            lambda channels: nn.GroupNorm(min(p["gn_groups"], channels), channels))
        self.body = Body(block, p["layers"], p["width"], norm)
        channels = [(p["width"] << i) * block.expansion for i in range(4)]
        self.fpn = FeaturePyramidNetwork(channels, p["fpn"], LastLevelMaxPool())
        self.out_channels = p["fpn"]

    def forward(self, x):
        return self.fpn(self.body(x))


def build(p):
    classes = p["classes"] + 1
    anchors = AnchorGenerator([(s,) for s in p["anchors"]], [(0.5, 1.0, 2.0)] * 5)
    model = MaskRCNN(
        Backbone(p), rpn_anchor_generator=anchors,
        box_head=TwoMLPHead(p["fpn"] * 49, p["fc"]),
        box_predictor=FastRCNNPredictor(p["fc"], classes),
        mask_head=MaskRCNNHeads(p["fpn"], [p["mask_ch"]] * p["mask_convs"], 1),
        mask_predictor=MaskRCNNPredictor(p["mask_ch"], p["mask_ch"], classes),
        rpn_pre_nms_top_n_train=p["pre_nms"], rpn_pre_nms_top_n_test=p["pre_nms"],
        rpn_post_nms_top_n_train=p["post_nms"], rpn_post_nms_top_n_test=p["post_nms"])
    return model.double()


def randomise(model, g):
    """Weights that spread scores and boxes: the heads' own initial values make everything a tie."""
    for name, tensor in model.state_dict().items():
        draw = torch.randn(tensor.shape, generator=g, dtype=torch.float64)
        if "running_var" in name:
            value = 0.5 + draw.abs()
        elif tensor.dim() > 1:
            value = draw * math.sqrt(1.5 / tensor[0].numel())
        elif name.endswith("weight"):
            value = 1.0 + 0.2 * draw
        else:
            value = 0.1 * draw + (0.5 if "rpn.head.conv" in name else 0.0)  # few dead ReLUs
        if "rpn.head.bbox_pred" in name or "box_predictor.bbox_pred" in name:
            value = value * 0.3
        tensor.copy_(exact(value))


# ---- the sampler ----

def philox_word(index, image, step, purpose, seed):
    """Word 0 of Philox4x32-10 for an array of first counter words."""
    mask = numpy.uint64(0xFFFFFFFF)
    x = [index.astype(numpy.uint64)] + [numpy.full(len(index), v & 0xFFFFFFFF, numpy.uint64)
                                        for v in (image, step, purpose)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        a, b = x[0] * numpy.uint64(0xD2511F53), x[2] * numpy.uint64(0xCD9E8D57)
        x = [b >> numpy.uint64(32) ^ x[1] ^ numpy.uint64(k0), b & mask,
             a >> numpy.uint64(32) ^ x[3] ^ numpy.uint64(k1), a & mask]
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return x[0]


assert philox_word(numpy.array([0]), 0, 0, 0, 0)[0] == 0x6627E8D5


def draw(candidates, k, image, step, purpose, seed):
    """The k candidates with the smallest (key, index)."""
    index = candidates.numpy()
    order = numpy.lexsort((index, philox_word(index, image, step, purpose, seed)))
    return torch.from_numpy(index[order[:k]].copy())


def sample(labels, batch, fraction, image, step, purposes, seed):
    """1 and 0 where drawn, -1 elsewhere. labels: > 0 positive, 0 negative, < 0 neither."""
    positive, negative = torch.where(labels > 0)[0], torch.where(labels == 0)[0]
    n = min(len(positive), int(batch * fraction))
    drawn = torch.full((len(labels),), -1)
    drawn[draw(negative, min(len(negative), batch - n), image, step, purposes[1], seed)] = 0
    drawn[draw(positive, n, image, step, purposes[0], seed)] = 1
    return drawn


# ---- one pass ----

class Pass:
    """Forward of images with ground truth: losses, and everything on the way. tied: two anchors of
    an image have the very same score (where ReLU leaves only biases), and torch may sort them
    either way."""

    def __init__(self, model, p, images, ids, truth, step):
        self.p, self.model, self.step = p, model, step
        self.ids, self.truth = ids, truth
        self.out = {}
        size = tuple(images.shape[-2:])
        self.sizes = [size] * len(images)
        self.images = ImageList(normalised(images), self.sizes)
        self.maps = model.backbone(self.images.tensors)
        self.rpn()
        self.boxes()
        self.masks()
        o = self.out
        self.loss = (o["loss_objectness"] + o["loss_rpn_box_reg"] + o["loss_classifier"] +
                     o["loss_box_reg"] + o["loss_mask"])

    def rpn(self):
        p, rpn = self.p, self.model.rpn
        objectness, deltas = rpn.head(list(self.maps.values()))
        anchors = rpn.anchor_generator(self.images, list(self.maps.values()))
        counts = [o[0].numel() for o in objectness]
        logits, deltas = concat_box_prediction_layers(objectness, deltas)
        decoded = rpn.box_coder.decode(deltas.detach(), anchors).view(len(anchors), -1, 4)
        self.proposals, _ = rpn.filter_proposals(decoded, logits, self.sizes, counts)
        self.tied = any(len(row.unique()) < len(row) for row in logits.reshape(len(anchors), -1))
        labels, targets = [], []
        matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
        for i, (boxes, _, _) in enumerate(self.truth):
            boxes, anchor = boxes.to(deltas.dtype), anchors[i].to(deltas.dtype)
            found = torch.full((len(anchor),), -1)
            target = torch.zeros_like(anchor)
            if len(boxes):
                found = matcher(box_iou(boxes, anchor))
                target = rpn.box_coder.encode_single(boxes[found.clamp(min=0)], anchor)
            label = torch.where(found >= 0, 1, torch.where(found == -1, 0, -1))
            label = sample(label, p["rpn_batch"], 0.5, self.ids[i], self.step, (1, 2), p["seed"])
            self.out[f"rpn_sampled.{i}"] = label
            labels.append(label)
            targets.append(target)
        label, target = torch.cat(labels), torch.cat(targets)
        chosen, positive = label >= 0, label == 1
        factor = max(int(chosen.sum()), 1)
        weight = torch.tensor(p["rpn_cls_pos_weight"], dtype=logits.dtype)
        self.out["loss_objectness"] = F.binary_cross_entropy_with_logits(
            logits.flatten()[chosen], label[chosen].to(logits.dtype), reduction="sum",
            pos_weight=weight) / factor
        self.out["loss_rpn_box_reg"] = F.smooth_l1_loss(
            deltas[positive], target[positive], beta=1 / 9, reduction="sum") / factor
        self.out["rpn_logits"], self.out["rpn_deltas"] = logits.flatten(), deltas

    def sample_rois(self, i):
        boxes, classes, _ = self.truth[i]
        boxes = boxes.to(self.proposals[i].dtype)
        candidates = torch.cat([self.proposals[i], boxes])
        label = torch.zeros(len(candidates), dtype=torch.int64)
        matched = torch.zeros(len(candidates), dtype=torch.int64)
        if len(boxes):
            found = Matcher(0.5, 0.5)(box_iou(boxes, candidates))
            matched = found.clamp(min=0)
            label = torch.where(found >= 0, classes[matched], 0)
        drawn = sample(label, self.p["roi_batch"], 0.25, self.ids[i], self.step, (3, 4),
                       self.p["seed"])
        keep = torch.where(drawn >= 0)[0]
        self.out[f"proposals.{i}"] = self.proposals[i]
        self.out[f"roi_proposals.{i}"] = candidates[keep]
        self.out[f"roi_labels.{i}"] = label[keep]
        self.out[f"roi_matched.{i}"] = matched[keep]

    def of_images(self, name):
        return [self.out[f"{name}.{i}"] for i in range(len(self.truth))]

    def boxes(self):
        heads, p = self.model.roi_heads, self.p
        for i in range(len(self.truth)):
            self.sample_rois(i)
        rois, label = self.of_images("roi_proposals"), torch.cat(self.of_images("roi_labels"))
        logits, deltas = heads.box_predictor(heads.box_head(
            heads.box_roi_pool(self.maps, rois, self.sizes)))
        weights = torch.full((p["classes"] + 1,), p["roi_cls_pos_weight"], dtype=logits.dtype)
        weights[0] = 1.0
        self.out["loss_classifier"] = F.cross_entropy(logits, label, weights)
        targets = []
        for i, roi in enumerate(rois):
            boxes = self.truth[i][0].to(roi.dtype)
            target = boxes[self.out[f"roi_matched.{i}"]] if len(boxes) else roi
            targets.append(heads.box_coder.encode_single(target, roi))
        positive = torch.where(label > 0)[0]
        chosen = deltas.reshape(len(label), -1, 4)[positive, label[positive]]
        self.out["loss_box_reg"] = F.smooth_l1_loss(
            chosen, torch.cat(targets)[positive], beta=1 / 9, reduction="sum") / len(label)
        self.out["roi_logits"], self.out["roi_deltas"] = logits, deltas

    def masks(self):
        heads = self.model.roi_heads
        rois, labels, targets = [], [], []
        for i, roi in enumerate(self.of_images("roi_proposals")):
            positive = torch.where(self.out[f"roi_labels.{i}"] > 0)[0]
            rois.append(roi[positive])
            labels.append(self.out[f"roi_labels.{i}"][positive])
            if len(positive):
                targets.append(project_masks_on_boxes(
                    self.truth[i][2].to(roi.dtype), roi[positive],
                    self.out[f"roi_matched.{i}"][positive], 28))
        label = torch.cat(labels)
        logits = heads.mask_predictor(heads.mask_head(
            heads.mask_roi_pool(self.maps, rois, self.sizes)))
        self.out["loss_mask"] = logits.sum() * 0.0
        if len(label):
            self.out["loss_mask"] = F.binary_cross_entropy_with_logits(
                logits[torch.arange(len(label)), label], torch.cat(targets))


# ---- scenes ----

def scene(g, p, objects):
    """An image of coloured blobs on noise, with boxes and masks."""
    h, w = p["height"], p["canvas_width"]
    image = torch.rand(3, h, w, generator=g, dtype=torch.float64) * 0.4
    boxes, labels, masks = [], [], []
    while len(boxes) < objects:
        mask = blobs(g, 1, h, w)[0]
        rows, columns = torch.where(mask.any(1))[0], torch.where(mask.any(0))[0]
        if len(rows) < 5 or len(columns) < 5:
            continue
        label = int(torch.randint(1, p["classes"] + 1, (1,), generator=g))
        image[:, mask] = torch.rand(3, 1, generator=g, dtype=torch.float64) * 0.5 + label / 20
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        labels.append(label)
        masks.append(mask)
    return exact(image), (torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4),
                          torch.tensor(labels, dtype=torch.int64),
                          torch.stack(masks) if masks else torch.zeros(0, h, w, dtype=torch.bool))


def scenes(g, p, objects):
    made = [scene(g, p, n) for n in objects]
    return torch.stack([image for image, _ in made]), [truth for _, truth in made]


def inputs_of(images, truth, model):
    tensors = {"in.images": images}
    for i, (boxes, labels, masks) in enumerate(truth):
        tensors.update({f"in.gt_boxes.{i}": boxes, f"in.gt_labels.{i}": labels,
                        f"in.gt_masks.{i}": masks})
    tensors.update({f"param.{k}": v.clone() for k, v in model.state_dict().items()})
    return tensors


# ---- vectors ----

def infer(model, images, most_masks=2):
    model.eval()
    size = tuple(images.shape[-2:])
    batch = ImageList(normalised(images), [size] * len(images))
    with torch.no_grad():
        maps = model.backbone(batch.tensors)
        proposals, _ = model.rpn(batch, maps)
        found, _ = model.roi_heads(maps, proposals, batch.image_sizes)
    model.train()
    tensors = {}
    for i, d in enumerate(found):
        tensors[f"eval.boxes.{i}"], tensors[f"eval.labels.{i}"] = d["boxes"], d["labels"]
        tensors[f"eval.scores.{i}"] = d["scores"]
        n = min(most_masks, len(d["boxes"]))
        tensors[f"eval.masks.{i}"] = (
            paste_masks_in_image(d["masks"][:n], d["boxes"][:n], size)[:, 0] if n
            else torch.zeros(0, *size, dtype=torch.float64))
    return tensors


def decisions_hold(model, p, images, ids, truth, wanted):
    """Does float32 decide everything as float64 does? A vector on a tie would test luck."""
    narrow = copy.deepcopy(model).float()
    got = Pass(narrow, p, images.float(), ids, truth, p["step"]).out
    names = [n for n in wanted if n.startswith(("rpn_sampled", "roi_labels", "roi_matched"))]
    if not all(torch.equal(got[n], wanted[n]) for n in names):
        return False
    shapes = [n for n in wanted if n.startswith(("proposals", "roi_proposals"))]
    if not all(got[n].shape == wanted[n].shape and
               torch.allclose(got[n].double(), wanted[n], atol=1e-2) for n in shapes):
        return False
    a, b = infer(narrow, images.float()), infer(model, images)
    return all(a[n].shape == b[n].shape and torch.allclose(a[n].double(), b[n].double(), atol=1e-2)
               for n in b)


def params_of(p):
    """What goes into the file: the canvas's sides are those of in.images."""
    return {k: v for k, v in p.items() if k not in ("height", "canvas_width")}


def step_vector(model, p, images, ids, truth):
    """All tensors of a model_step vector, and the pass they come from."""
    model.zero_grad()
    step = Pass(model, p, images, ids, truth, p["step"])
    step.loss.backward()
    tensors = inputs_of(images, truth, model)
    tensors["in.image_ids"] = torch.tensor(ids)
    named = [(k, q.grad) for k, q in model.named_parameters() if q.grad is not None]
    norm = torch.sqrt(sum((gradient ** 2).sum() for _, gradient in named))
    tensors.update({f"out.{k}": v.reshape(1) if v.dim() == 0 else v for k, v in step.out.items()})
    tensors.update({"out.loss": step.loss.reshape(1), "out.grad_norm": norm.reshape(1)})
    tensors.update({f"grad.{k}": gradient.clone() for k, gradient in named})
    tensors.update(infer(model, images))
    return tensors, step


def model_step(cases, scene_seed, objects, ids, **changes):
    p = {**DEFAULTS, **changes}
    while True:
        g = torch.Generator().manual_seed(scene_seed)
        model = build(p).train()
        randomise(model, g)
        images, truth = scenes(g, p, objects)
        step = Pass(model, p, images, ids, truth, p["step"])
        if not step.tied and decisions_hold(model, p, images, ids, truth, step.out):
            break
        scene_seed += 1000
    tensors, _ = step_vector(model, p, images, ids, truth)
    cases.add("model_step", params_of(p), tensors)


class Tied(Exception):
    """Scores that torch may sort either way: this scene is no test."""


def trajectory(cases, scene_seed, objects, **changes):
    """The first scene from scene_seed on without tied scores in any step."""
    while True:
        try:
            return run_trajectory(cases, scene_seed, objects, **changes)
        except Tied:
            scene_seed += 1000


def run_trajectory(cases, scene_seed, objects, **changes):
    p = {**DEFAULTS, "iters": 20, "batch": 2, "lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4,
         "warmup_iters": 5, "warmup_factor": 0.1, "clip_grad_norm": 10.0, **changes}
    g = torch.Generator().manual_seed(scene_seed)
    model = build(p).train()
    randomise(model, g)
    images, truth = scenes(g, p, objects)
    tensors = inputs_of(images, truth, model)
    optimizer = torch.optim.SGD(model.parameters(), p["lr"], p["momentum"],
                                weight_decay=p["weight_decay"])
    names = ["loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"]
    columns = {name: [] for name in names + ["loss", "grad_norm", "lr"]}
    for t in range(p["iters"]):
        share = min(t / p["warmup_iters"], 1.0)
        lr = p["lr"] * (p["warmup_factor"] * (1 - share) + share)
        optimizer.param_groups[0]["lr"] = lr
        ids = [(p["batch"] * t + i) % len(images) for i in range(p["batch"])]
        step = Pass(model, p, images[ids], ids, [truth[i] for i in ids], t)
        optimizer.zero_grad()
        step.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), p["clip_grad_norm"])
        optimizer.step()
        for name in names:
            columns[name].append(float(step.out[name]))
        columns["loss"].append(float(step.loss))
        columns["grad_norm"].append(float(norm))
        columns["lr"].append(lr)
        if step.tied:
            raise Tied
    tensors.update({f"out.{k}": numpy.array(v) for k, v in columns.items()})
    tensors.update({f"final.{k}": v for k, v in model.state_dict().items()})
    cases.add("trajectory", params_of(p), tensors)


def generate(cases):
    model_step(cases, 1, [3, 1], [0, 1])
    # no object anywhere: no positives, no mask loss
    model_step(cases, 2, [0, 0], [12, 5], step=3)
    # a canvas that is not square, three images, an id with its 32nd bit set, a seed of 41 bits
    model_step(cases, 3, [2, 0, 4], [4000000000, 7, 123456], classes=5, height=32, canvas_width=96, step=901,
               seed=2 ** 40 + 3)
    model_step(cases, 4, [6], [3], classes=1, norm="frozen_bn", layers=[1, 2, 1, 1], step=1)
    model_step(cases, 5, [2, 3], [8, 9], block="bottleneck", gn_groups=4, mask_convs=1, mask_ch=6)
    # few proposals: the RoI batch cannot be filled
    model_step(cases, 6, [1, 2], [0, 1], pre_nms=12, post_nms=9, rpn_batch=16, roi_batch=64)
    # before the fixes: every weight 1; other anchors, a wider net
    model_step(cases, 7, [4, 4], [2, 1], rpn_cls_pos_weight=1.0, roi_cls_pos_weight=1.0, width=6,
               gn_groups=2, anchors=[6, 12, 24, 48, 96], fpn=10, fc=20, mask_convs=3)
    trajectory(cases, 8, [2, 1, 3, 0, 2], batch=3, seed=11, fpn=12)
    trajectory(cases, 9, [1, 2], batch=1, lr=0.1, clip_grad_norm=2.0, iters=12, momentum=0.0,
               norm="frozen_bn", rpn_cls_pos_weight=2.0, warmup_iters=2)
