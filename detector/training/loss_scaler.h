/* Dynamic loss scaling (Micikevicius et al., "Mixed precision training", ICLR 2018), with the rules
 * of torch.cuda.amp.GradScaler: the loss's gradients are multiplied by `scale`; a step whose
 * gradients overflow is skipped and lowers it, `interval` clean steps in a row raise it. */
#ifndef DET_TRAINING_LOSS_SCALER_H
#define DET_TRAINING_LOSS_SCALER_H

#include <stdint.h>

struct det_loss_scaler {
    double scale;
    double growth;  /* factor after `interval` clean steps */
    double backoff; /* factor after an overflow */
    int64_t interval;
    int64_t clean; /* clean steps since the scale last changed */
};

/* PyTorch's defaults: scale 65536, growth 2, backoff 0.5, interval 2000. */
struct det_loss_scaler det_loss_scaler_default(void);

/* After each step: found_inf says whether any unscaled gradient was not finite (the step was then
 * skipped). The scale does not grow beyond what a float32 holds. */
void det_loss_scaler_update(struct det_loss_scaler *scaler, int found_inf);

#endif
