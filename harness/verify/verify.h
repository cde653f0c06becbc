/* Oracle vectors run through the very code that training uses, and compared.
 *
 * Each family of operations is a table in a file of its own. An operation reads what it needs from
 * the case (case.h), calls the backend's entry and checks every answer; it knows nothing of file
 * names, sizes or values. */
#ifndef HARNESS_VERIFY_VERIFY_H
#define HARNESS_VERIFY_VERIFY_H

#include "harness/verify/case.h"

struct verify_op {
    const char *name; /* of __metadata__.op; NULL ends a table */
    void (*run)(struct verify_case *c);
    int host_only; /* a function of the CPU alone, with no entry of its own in the backend's table:
                      other backends run it inside larger entries, which model_step covers */
};

extern const struct verify_op verify_layers[], verify_boxes[], verify_losses[], verify_optimizer[],
    verify_model[], verify_trajectory[];

/* The operation of that name, or NULL. */
const struct verify_op *verify_find(const char *name);

enum verify_status {
    VERIFY_PASS,
    VERIFY_FAIL,
    VERIFY_SKIP,  /* host_only on another backend */
    VERIFY_ERROR, /* unreadable, or an unknown operation: c->err says which */
};

/* Open the file, run its operation, check that none of its answers was left out. The case is for
 * the caller to report and close (safe also after VERIFY_ERROR). */
enum verify_status verify_file(const char *path, struct det_device *dev, struct verify_case *c);

/* The comparison to show: the worst in units of its tolerance, a failed one before any passed one;
 * NULL where nothing was compared. */
const struct comparison *verify_worst(const struct verify_case *c);

/* All vector files at `path`: itself, or every *.safetensors below the folder, sorted by path. The
 * list and its texts are owned by the caller (verify_free_paths). */
enum det_code verify_list(const char *path, char ***out, size_t *n, struct det_error *err);
void verify_free_paths(char **paths, size_t n);

#endif
