#include "detector/training/loss_scaler.h"

#include <float.h>

struct det_loss_scaler det_loss_scaler_default(void)
{
    return (struct det_loss_scaler){
        .scale = 65536.0, .growth = 2.0, .backoff = 0.5, .interval = 2000, .clean = 0};
}

void det_loss_scaler_update(struct det_loss_scaler *scaler, int found_inf)
{
    if (found_inf) {
        scaler->scale *= scaler->backoff;
        scaler->clean = 0;
        return;
    }
    if (++scaler->clean < scaler->interval)
        return;
    scaler->clean = 0;
    if (scaler->scale * scaler->growth <= (double)FLT_MAX)
        scaler->scale *= scaler->growth;
}
