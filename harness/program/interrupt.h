/* Ctrl-C and SIGTERM during training: finish the step, write a checkpoint, end. */
#ifndef HARNESS_INTERRUPT_H
#define HARNESS_INTERRUPT_H

/* From now on the first SIGINT or SIGTERM is remembered; a second one ends the program at once. */
void interrupt_watch(void);

/* Whether one has come. The argument is not used: it fits struct trainer_observer. */
int interrupt_came(void *unused);

#endif
