/* Sequences of operations that a device can record: the second time one is asked for with the same
 * arguments it is recorded, from then on replayed. The first time it runs operation by operation, so
 * that whatever the device loads lazily is loaded; and so it always does where someone looks on (hook). */
#include "detector/model/model.h"

static void forget(struct det_model *m, struct det_model_recording *r)
{
    if (r->at)
        m->dev->ops->recording_release(m->dev, r->at);
    r->at = NULL;
}

/* Record what `launch` does; 0 where the device records nothing: then `launch` is still to run. */
static int record(struct det_model *m, struct det_model_recording *r,
                  void (*launch)(struct det_model *m, int n))
{
    const struct det_backend *ops = m->dev->ops;
    if (ops->record_begin(m->dev, NULL) != DET_OK)
        return m->records = 0;
    launch(m, r->n);
    return ops->record_end(m->dev, &r->at, NULL) == DET_OK; /* a failure: synchronize tells it */
}

static void run(struct det_model *m, struct det_model_recording *r, int n,
                void (*launch)(struct det_model *m, int n))
{
    int same = r->ran && r->n == n;
    if (!same)
        forget(m, r);
    r->ran = 1;
    r->n = n;
    if (same && m->records && !m->hook && (r->at || record(m, r, launch)))
        m->dev->ops->replay(m->dev, r->at);
    else
        launch(m, n);
}

static void launch_update(struct det_model *m, int n)
{
    (void)n;
    det_model_launch_update(m);
}

void det_model_run_pass(struct det_model *m, int n)
{
    run(m, &m->pass, n, det_model_launch_pass);
}

void det_model_run_update(struct det_model *m)
{
    run(m, &m->update, 0, launch_update);
}

void det_model_release_recordings(struct det_model *m)
{
    forget(m, &m->pass);
    forget(m, &m->update);
}
