/* Batches on their way, on both devices: what is sent arrives, in order, and no more of it. */
#include "suites/parity/parity.h"

enum { BATCHES = 8, BYTES = 1 << 20 };

/* What was sent k-th is read, copied away, and overwritten by the next; nobody waits in between. */
static void send_all(struct det_device *dev, void *const copies[BATCHES])
{
    struct det_staging *staging;
    struct det_error err = {0};
    cr_assert_eq(dev->ops->staging_open(dev, BYTES, "batches", &staging, &err), DET_OK, "%s",
                 err.message);
    for (int k = 0; k < BATCHES; k++) {
        dev->ops->staging_write(dev, staging);
        memset(staging->host, k + 1, BYTES);
        dev->ops->staging_send(dev, staging, BYTES);
        dev->ops->staging_receive(dev, staging);
        dev->ops->copy(dev, copies[k], staging->device, BYTES);
        dev->ops->staging_done(dev, staging);
    }
    dev->ops->staging_close(dev, staging);
    cr_expect_eq(dev->ops->synchronize(dev, &err), DET_OK, "%s", err.message);
}

Test(staging, batches_arrive_in_order)
{
    struct pair p = open_pair();
    struct twin copies[BATCHES];
    void *cpu[BATCHES], *cuda[BATCHES];
    for (int k = 0; k < BATCHES; k++) {
        copies[k] = twin_of(p, NULL, BYTES);
        cpu[k] = copies[k].cpu;
        cuda[k] = copies[k].cuda;
    }
    send_all(p.cpu, cpu);
    send_all(p.cuda, cuda);
    for (int k = 0; k < BATCHES; k++) {
        cr_expect(((char *)cpu[k])[0] == k + 1 && ((char *)cpu[k])[BYTES - 1] == k + 1, "batch %d", k);
        expect_same(p, "staging", "batch", copies[k], 1);
        drop_twin(p, copies[k]);
    }
    close_pair(p);
}

Test(staging, a_part_is_sent_alone)
{
    struct pair p = open_pair();
    struct twin copy = twin_of(p, NULL, BYTES);
    struct det_staging *staging;
    cr_assert_eq(p.cuda->ops->staging_open(p.cuda, BYTES, "batches", &staging, NULL), DET_OK);
    for (int k = 1; k <= 2; k++) {
        p.cuda->ops->staging_write(p.cuda, staging);
        memset(staging->host, k, BYTES);
        p.cuda->ops->staging_send(p.cuda, staging, k == 1 ? BYTES : 100);
    }
    p.cuda->ops->staging_receive(p.cuda, staging);
    p.cuda->ops->copy(p.cuda, copy.cuda, staging->device, BYTES);
    p.cuda->ops->staging_done(p.cuda, staging);
    memset(copy.cpu, 1, BYTES);
    memset(copy.cpu, 2, 100);
    expect_same(p, "staging", "100 bytes of the second", copy, 1);
    p.cuda->ops->staging_close(p.cuda, staging);
    drop_twin(p, copy);
    close_pair(p);
}
