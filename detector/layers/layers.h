/* All layers: the CPU implementation of struct det_backend's layer entries, each under its entry's
 * name with the prefix det_, and the scratch that each needs. */
#ifndef DET_LAYERS_LAYERS_H
#define DET_LAYERS_LAYERS_H

#include "detector/layers/add.h"
#include "detector/layers/conv2d.h"
#include "detector/layers/conv_transpose2d.h"
#include "detector/layers/gather.h"
#include "detector/layers/linear.h"
#include "detector/layers/normalize.h"
#include "detector/layers/norms.h"
#include "detector/layers/pooling.h"
#include "detector/layers/roi_align.h"
#include "detector/layers/upsample.h"

#endif
