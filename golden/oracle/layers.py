"""Layers: forward by torch.nn.functional and torchvision.ops, backward by autograd."""
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align
from torchvision.ops.misc import FrozenBatchNorm2d

from vector_file import exact


def normal(generator, *shape, scale=1.0):
    return exact(torch.randn(*shape, generator=generator, dtype=torch.float64) * scale)


def backward(function, inputs, generator, dy=None):
    """Run function(**inputs), pull a random dy back; `in.*`, `out.y` and `grad.*`."""
    leaves = {k: v.clone().requires_grad_(True) for k, v in inputs.items()}
    y = function(**leaves)
    dy = normal(generator, *y.shape) if dy is None else dy
    y.backward(dy)
    tensors = {f"in.{k}": v for k, v in inputs.items()}
    tensors.update({"in.dy": dy, "out.y": y})
    tensors.update({f"grad.{k}": v.grad for k, v in leaves.items()})
    return tensors


def convolutions(cases, g):
    # n, c_in, h, w, c_out, kernel, stride, padding, bias
    for n, ci, h, w, co, k, stride, pad, bias in [
        (3, 5, 9, 17, 8, 3, 1, 1, True),
        (2, 16, 24, 20, 16, 3, 1, 1, True),    # whole tiles of fast algorithms
        (1, 24, 13, 11, 19, 3, 1, 1, False),   # and what is left over at the edges
        (2, 32, 14, 14, 32, 3, 1, 1, True),
        (4, 8, 16, 16, 8, 3, 1, 0, True),
        (1, 3, 32, 48, 6, 7, 2, 3, False),     # a ResNet's stem
        (2, 6, 15, 9, 10, 3, 2, 1, True),
        (2, 12, 8, 8, 20, 1, 1, 0, True),
        (2, 9, 7, 7, 5, 1, 2, 0, False),
        (1, 2, 6, 5, 3, 5, 3, 2, True),
        (1, 1, 1, 1, 1, 3, 1, 1, True),        # one pixel under a padded kernel
        (5, 1, 4, 3, 1, 3, 1, 1, False),
        (1, 4, 40, 3, 4, 3, 1, 1, True),       # a strip
        (0, 3, 5, 5, 2, 3, 1, 1, True),        # no image
    ]:
        inputs = {"x": normal(g, n, ci, h, w), "weight": normal(g, co, ci, k, k)}
        if bias:
            inputs["bias"] = normal(g, co)
        tensors = backward(lambda x, weight, bias=None: F.conv2d(x, weight, bias, stride, pad),
                           inputs, g)
        cases.add("conv2d", {"stride": stride, "padding": pad}, tensors)
    sparse = normal(g, 2, 10, 12, 12) * (torch.rand(2, 1, 12, 12, generator=g) < 0.05)
    inputs = {"x": normal(g, 2, 7, 12, 12), "weight": normal(g, 10, 7, 3, 3), "bias": normal(g, 10)}
    cases.add("conv2d", {"stride": 1, "padding": 1},
              backward(lambda x, weight, bias: F.conv2d(x, weight, bias, 1, 1), inputs, g, sparse))

    for n, ci, h, w, co in [(1, 1, 1, 1, 1), (3, 8, 7, 5, 6), (2, 16, 14, 14, 4), (0, 2, 3, 3, 2)]:
        inputs = {"x": normal(g, n, ci, h, w), "weight": normal(g, ci, co, 2, 2),
                  "bias": normal(g, co)}
        tensors = backward(lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, 2), inputs, g)
        cases.add("conv_transpose2d", {"stride": 2, "padding": 0}, tensors)

    for n, i, o, bias in [(5, 7, 3, True), (1, 1, 1, True), (17, 300, 4, False), (64, 33, 40, True),
                          (0, 6, 2, True), (2, 12000, 2, True)]:
        inputs = {"x": normal(g, n, i), "weight": normal(g, o, i)}
        if bias:
            inputs["bias"] = normal(g, o)
        cases.add("linear", {}, backward(lambda x, weight, bias=None: F.linear(x, weight, bias),
                                         inputs, g))


def norms(cases, g):
    # n, channels, h, w, groups, eps, offset and scale of x
    for n, c, h, w, groups, eps, offset, scale in [
        (3, 8, 5, 7, 4, 1e-5, 0.0, 1.0),
        (2, 6, 4, 4, 6, 1e-5, 0.0, 1.0),       # instance norm
        (2, 10, 1, 1, 5, 1e-3, 0.0, 1.0),      # groups of two numbers
        (1, 16, 9, 11, 8, 1e-5, 60.0, 0.5),    # a mean that cancels
        (2, 4, 6, 6, 2, 1e-5, 1.0, 0.0),       # constant: variance 0
        (1, 1, 3, 2, 1, 1e-5, 0.0, 1e-3),
    ]:
        inputs = {"x": exact(normal(g, n, c, h, w) * scale + offset), "weight": normal(g, c),
                  "bias": normal(g, c)}
        tensors = backward(lambda x, weight, bias: F.group_norm(x, groups, weight, bias, eps),
                           inputs, g)
        cases.add("group_norm", {"groups": groups, "eps": eps}, tensors)

    for n, c, h, w, eps, smallest in [(3, 7, 4, 9, 1e-5, 0.1), (1, 12, 6, 6, 0.0, 0.5),
                                      (2, 3, 1, 5, 1e-5, 0.0)]:
        norm = FrozenBatchNorm2d(c, eps=eps).double()
        norm.weight.copy_(normal(g, c))  # some negative
        norm.bias.copy_(normal(g, c))
        norm.running_mean.copy_(normal(g, c))
        norm.running_var.copy_(exact(torch.rand(c, generator=g, dtype=torch.float64) + smallest))
        if smallest == 0.0:
            norm.running_var[0] = 0.0
        tensors = backward(norm, {"x": normal(g, n, c, h, w)}, g)
        for name in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"in.{name}"] = getattr(norm, name)
        cases.add("frozen_batch_norm", {"eps": eps}, tensors)


def resampling(cases, g):
    for shape, k, stride, pad in [((2, 4, 11, 8), 3, 2, 1), ((1, 3, 9, 9), 2, 2, 0),
                                  ((2, 2, 7, 5), 3, 1, 1), ((1, 5, 5, 8), 1, 2, 0),
                                  ((1, 1, 1, 1), 3, 2, 1), ((3, 1, 12, 2), 1, 2, 0)]:
        x = normal(g, *shape)
        tensors = backward(lambda x: F.max_pool2d(x, k, stride, pad), {"x": x}, g)
        cases.add("max_pool2d", {"kernel": k, "stride": stride, "padding": pad}, tensors)
    ties = torch.randint(0, 3, (2, 3, 10, 10), generator=g).double()  # the first maximum wins
    negative = torch.full((1, 2, 5, 5), -1e30, dtype=torch.float64)   # padding never does
    for x in (ties, exact(negative)):
        tensors = backward(lambda x: F.max_pool2d(x, 3, 2, 1), {"x": x}, g)
        cases.add("max_pool2d", {"kernel": 3, "stride": 2, "padding": 1}, tensors)

    for shape, h, w in [((1, 3, 3, 4), 6, 8), ((2, 2, 5, 3), 7, 8), ((1, 2, 1, 1), 4, 5),
                        ((2, 1, 8, 9), 3, 4), ((1, 4, 6, 6), 6, 6), ((1, 1, 7, 13), 13, 25)]:
        tensors = backward(lambda x: F.interpolate(x, size=(h, w), mode="nearest"),
                           {"x": normal(g, *shape)}, g)
        cases.add("upsample_nearest", {"out_h": h, "out_w": w}, tensors)


def rois_on(g, n_images, h, w, scale, n):
    """n random RoIs as (image, x1, y1, x2, y2) in pixels, some of them reaching off the image."""
    size = torch.tensor([w, h, w, h], dtype=torch.float64) / scale
    corners = torch.rand(n, 4, generator=g, dtype=torch.float64) * 1.4 - 0.2
    boxes = torch.cat([torch.minimum(corners[:, :2], corners[:, 2:]),
                       torch.maximum(corners[:, :2], corners[:, 2:])], 1) * size
    image = torch.randint(0, n_images, (n, 1), generator=g).double()
    return exact(torch.cat([image, boxes], 1))


def roi_pooling(cases, g):
    odd = torch.tensor([  # on a 40 x 48 pixel image
        [0, 5, 5, 5, 5], [0, 10, 4, 10, 30],              # no size, no width
        [0, 20, 30, 12, 18],                              # turned inside out
        [0, -60, -60, -20, -20], [0, 100, 100, 140, 120],  # off the image
        [0, -500, -500, 900, 900], [0, 0, 0, 48, 40],     # around it, all of it
        [0, 47.9, 39.9, 48.1, 40.1], [0, 0.25, 0.25, 1, 1],
    ], dtype=torch.float64)
    for scale, size, ratio, aligned, n, images, channels in [
        (0.25, 7, 2, False, 9, 2, 4), (0.25, 7, 2, True, 9, 2, 4), (0.125, 14, 2, False, 4, 3, 2),
        (0.5, 3, 0, True, 8, 1, 3), (0.5, 3, 0, False, 8, 1, 3), (1.0, 2, 1, True, 12, 2, 5),
        (0.0625, 5, 3, False, 6, 4, 3), (0.25, 1, 4, True, 5, 1, 17), (0.25, 7, 2, False, 0, 1, 2),
    ]:
        h, w = 11, 13
        x, rois = normal(g, images, channels, h, w), rois_on(g, images, h, w, scale, n)
        add_roi_align(cases, g, x, rois, scale, size, ratio, aligned)
    for ratio in (0, 2):
        for aligned in (False, True):
            add_roi_align(cases, g, normal(g, 1, 3, 10, 12), odd, 0.25, 4, ratio, aligned)
    same = torch.tensor([[0, 8, 8, 30, 30]] * 20, dtype=torch.float64)  # gradients pile up
    add_roi_align(cases, g, normal(g, 1, 2, 10, 10), same, 0.25, 7, 2, False)


def add_roi_align(cases, g, x, rois, scale, size, ratio, aligned):
    tensors = backward(lambda x: roi_align(x, rois, size, scale, ratio, aligned), {"x": x}, g)
    tensors["in.rois"] = rois
    cases.add("roi_align", {"spatial_scale": scale, "output_size": size, "sampling_ratio": ratio,
                            "aligned": aligned}, tensors)


def generate(cases):
    g = torch.Generator().manual_seed(20)
    convolutions(cases, g)
    norms(cases, g)
    resampling(cases, g)
    roi_pooling(cases, g)
