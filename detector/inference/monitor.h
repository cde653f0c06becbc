/* What an inference pass tells about collapse, beside its detections. */
#ifndef DET_INFERENCE_MONITOR_H
#define DET_INFERENCE_MONITOR_H

#include "detector/model/model.h"

/* Fill stats from the last inference pass over n images: foreground and background of the RPN's and
 * the RoI head's own predictions, highest scores, boxes dropped for not being finite. */
void det_monitor_inference(struct det_model *m, int n, struct det_infer_stats *stats);

#endif
