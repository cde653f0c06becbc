/* The kinds of discrete decisions that a training step makes, each with the quantity that it hangs
 * on. */
#ifndef HARNESS_DECISIONS_FLIP_KIND_H
#define HARNESS_DECISIONS_FLIP_KIND_H

enum flip_kind {
    FLIP_ANCHOR,    /* an anchor matched and sampled; IoU */
    FLIP_RANK,      /* a proposal's place: top-k before and after NMS, their order; logit */
    FLIP_NMS,       /* a proposal suppressed by another or not; IoU */
    FLIP_SIZE,      /* a proposal too small or not; pixels */
    FLIP_ROI,       /* a RoI matched and sampled; IoU */
    FLIP_ROI_LEVEL, /* the pyramid level that a RoI is pooled from; levels */
    FLIP_RELU,      /* a unit on or off; share of its layer's root mean square */
    FLIP_MAXIMUM,   /* which element a maximum took; likewise */
    FLIP_CLIP,      /* gradients clipped or not; share of the limit */
    FLIP_SKIP,      /* the step skipped for an overflow or not: has no tie */
    FLIP_KINDS
};

/* How far from a tie a decision is. */
struct slack {
    enum flip_kind kind;
    double margin; /* in the kind's quantity */
    double share;  /* margin / limit; infinite where no tie explains it */
};

/* The larger one, by share; a NaN is larger than all. */
static inline struct slack slack_larger(struct slack a, struct slack b)
{
    return !(b.share <= a.share) ? b : a;
}

static inline struct slack slack_smaller(struct slack a, struct slack b)
{
    return b.share < a.share ? b : a;
}

static inline struct slack slack_make(enum flip_kind kind, double margin,
                                      const double limits[FLIP_KINDS])
{
    struct slack s = {kind, margin > 0.0 ? margin : 0.0, 0.0};
    if (!(margin <= 0.0))
        s.share = margin / limits[kind];
    return s;
}

#endif
