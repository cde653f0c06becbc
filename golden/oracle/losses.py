"""The losses by torch.nn.functional, their gradients by autograd."""
import torch
import torch.nn.functional as F
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.ops import sigmoid_focal_loss

from boxes import random_boxes
from layers import normal
from vector_file import exact


def with_gradient(name, values, loss_of):
    leaf = values.clone().requires_grad_(True)
    loss = loss_of(leaf)
    if loss.requires_grad:
        loss.backward()
    gradient = leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
    return {f"in.{name}": values, "out.loss": loss.reshape(1), f"grad.{name}": gradient}


def anchor_labels(g, n, positives, ignored):
    draw = torch.rand(n, generator=g)
    labels = torch.zeros(n, dtype=torch.int64)
    labels[draw < positives] = 1
    labels[draw > 1.0 - ignored] = -1
    return labels


def objectness(cases, g):
    # rows, share of positives, share not sampled, scale of the logits, pos_weight, avg_factor
    for n, positives, ignored, scale, weight, factor in [
        (300, 0.1, 0.5, 2.0, 5.0, 150), (300, 0.0, 0.4, 1.0, 5.0, 180), (50, 1.0, 0.0, 3.0, 0.5, 50),
        (40, 0.0, 1.0, 1.0, 5.0, 1), (64, 0.5, 0.2, 60.0, 2.0, 7.5), (0, 0.0, 0.0, 1.0, 5.0, 1),
        (1, 1.0, 0.0, 1.0, 1.0, 1), (12000, 0.02, 0.9, 4.0, 5.0, 512),
    ]:
        logits, labels = normal(g, n, scale=scale), anchor_labels(g, n, positives, ignored)
        chosen = labels >= 0

        def loss_of(x):
            total = F.binary_cross_entropy_with_logits(
                x[chosen], labels[chosen].double(), reduction="sum",
                pos_weight=torch.tensor(weight, dtype=torch.float64))
            return total / factor

        cases.add("rpn_cls_loss", {"pos_weight": weight, "avg_factor": factor},
                  {**with_gradient("logits", logits, loss_of), "in.labels": labels})

    for n, positives, alpha, gamma, factor, scale in [
        (200, 0.1, 0.25, 2.0, 20, 2.0), (200, 0.1, -1.0, 2.0, 20, 2.0), (100, 0.5, 0.75, 0.5, 50, 1.0),
        (100, 0.2, 0.25, 5.0, 1, 3.0), (60, 0.3, 0.5, 1.0, 18, 40.0), (30, 0.0, 0.25, 2.0, 1, 1.0),
        (80, 0.3, 1.0, 1.5, 24, 2.0),
    ]:
        logits, labels = normal(g, n, scale=scale), anchor_labels(g, n, positives, 0.2)
        chosen = labels >= 0
        tensors = with_gradient("logits", logits, lambda x: sigmoid_focal_loss(
            x[chosen], labels[chosen].double(), alpha, gamma, "sum") / factor)
        cases.add("sigmoid_focal_loss", {"alpha": alpha, "gamma": gamma, "avg_factor": factor},
                  {**tensors, "in.labels": labels})


def hard_examples(cases, g):
    """All positives and the hardest int(ratio * max(positives, min_pos)) negatives, averaged."""
    for n, positives, ignored, ratio, least, ties in [
        (200, 0.05, 0.3, 3, 1, False), (200, 0.0, 0.3, 3, 2, False), (100, 0.4, 0.0, 3, 1, False),
        (120, 0.1, 0.1, 1.5, 1, True), (90, 0.1, 0.0, 0, 1, False), (50, 0.0, 1.0, 3, 1, False),
        (64, 0.02, 0.0, 2, 10, True),
    ]:
        labels = anchor_labels(g, n, positives, ignored)
        steps = torch.randint(-8, 9, (n,), generator=g) / 2 if ties else torch.randperm(
            n, generator=g) / 16 - n / 32  # far enough apart that float32 sorts them alike
        logits = exact(steps.double())
        losses = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0).double(),
                                                    reduction="none")
        negatives = torch.where(labels == 0)[0]
        count = int(ratio * max(int((labels == 1).sum()), least))
        order = torch.sort(losses[negatives], descending=True, stable=True)[1]
        keep = labels == 1
        keep[negatives[order[:count]]] = True

        def loss_of(x):
            if not keep.any():
                return x.sum() * 0.0
            return F.binary_cross_entropy_with_logits(x[keep], labels[keep].double())

        cases.add("ohem_cls_loss", {"neg_pos_ratio": ratio, "min_pos": least},
                  {**with_gradient("logits", logits, loss_of), "in.labels": labels,
                   "out.keep": keep})


def box_regression(cases, g):
    for n, positives, beta, factor in [(100, 0.2, 1.0 / 9, 64), (80, 0.3, 0.0, 80), (60, 0.2, 1.0, 30),
                                       (50, 0.0, 1.0 / 9, 25), (0, 0.0, 1.0 / 9, 1)]:
        labels = anchor_labels(g, n, positives, 0.3)
        targets, deltas = normal(g, n, 4), normal(g, n, 4)
        if beta > 0.0:  # at a difference of 0, |x| has no gradient to agree on
            deltas[: n // 4] = targets[: n // 4]
        positive = labels == 1
        tensors = with_gradient("deltas", deltas, lambda x: F.smooth_l1_loss(
            x[positive], targets[positive], beta=beta, reduction="sum") / factor)
        cases.add("rpn_box_loss", {"beta": beta, "avg_factor": factor},
                  {**tensors, "in.targets": targets, "in.labels": labels})

    for n, classes, positives, beta in [(40, 6, 0.25, 1.0 / 9), (30, 2, 0.5, 0.0), (20, 91, 0.3, 1.0),
                                        (25, 4, 0.0, 1.0 / 9), (0, 3, 0.0, 1.0 / 9)]:
        labels = torch.randint(1, classes, (n,), generator=g) * (
            torch.rand(n, generator=g) < positives)
        deltas, targets = normal(g, n, 4 * classes), normal(g, n, 4)
        rows = torch.where(labels > 0)[0]
        tensors = with_gradient("deltas", deltas, lambda x: F.smooth_l1_loss(
            x.reshape(n, classes, 4)[rows, labels[rows]], targets[rows], beta=beta,
            reduction="sum") / max(n, 1))
        cases.add("roi_box_loss", {"beta": beta},
                  {**tensors, "in.targets": targets, "in.labels": labels})


def classification(cases, g):
    for n, classes, positives, weight, reduction, scale in [
        (60, 5, 0.25, 3.0, "mean", 1.0), (60, 5, 0.25, 3.0, "sum", 1.0), (30, 2, 0.5, 5.0, "mean", 2.0),
        (50, 91, 0.3, 1.0, "mean", 1.0), (40, 3, 0.0, 3.0, "mean", 1.0), (40, 3, 1.0, 0.25, "mean", 1.0),
        (20, 4, 0.5, 3.0, "mean", 80.0), (1, 2, 0.0, 3.0, "mean", 1.0), (0, 3, 0.0, 3.0, "mean", 1.0),
    ]:
        labels = torch.randint(1, classes, (n,), generator=g) * (
            torch.rand(n, generator=g) < positives)
        weights = torch.full((classes,), weight, dtype=torch.float64)
        weights[0] = 1.0

        def loss_of(x):
            return F.cross_entropy(x, labels, weights, reduction=reduction) if n else x.sum() * 0.0

        cases.add("roi_cls_loss", {"pos_weight": weight, "reduction": reduction},
                  {**with_gradient("logits", normal(g, n, classes, scale=scale), loss_of),
                   "in.labels": labels})


def blobs(g, n, h, w):
    """n masks, each an ellipse somewhere."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    masks = []
    for _ in range(n):
        cy, cx, ry, rx = (torch.rand(4, generator=g) * torch.tensor([h, w, h / 3, w / 3]) + 2).tolist()
        masks.append(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1)
    return torch.stack(masks) if masks else torch.zeros(0, h, w, dtype=torch.bool)


def masks(cases, g):
    for n, classes, size, h, w, objects in [(5, 3, 28, 40, 64, 3), (8, 5, 7, 32, 32, 1),
                                            (3, 2, 14, 90, 30, 6), (0, 2, 28, 16, 16, 1),
                                            (1, 91, 14, 24, 24, 2)]:
        truth = blobs(g, objects, h, w)
        matched = torch.randint(0, objects, (n,), generator=g)
        labels = torch.randint(1, classes, (n,), generator=g)
        proposals = random_boxes(g, n, min(h, w) * 0.8)
        if n > 2:
            proposals[0] = torch.tensor([-5.0, -3.0, w + 9.0, h + 4.0])  # more than the image
            proposals[1] = torch.tensor([6.0, 6.0, 6.25, 6.5])           # less than a pixel
        targets = project_masks_on_boxes(truth.double(), proposals, matched, size)

        def loss_of(x):
            if not n:
                return x.sum() * 0.0
            return F.binary_cross_entropy_with_logits(x[torch.arange(n), labels], targets)

        cases.add("mask_loss", {"mask_size": size},
                  {**with_gradient("logits", normal(g, n, classes, size, size), loss_of),
                   "in.labels": labels, "in.gt_masks": truth, "in.proposals": proposals,
                   "in.matched": matched, "out.targets": targets.reshape(n, size, size)})


def generate(cases):
    g = torch.Generator().manual_seed(22)
    objectness(cases, g)
    hard_examples(cases, g)
    box_regression(cases, g)
    classification(cases, g)
    masks(cases, g)
